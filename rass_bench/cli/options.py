"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer


class OnError(StrEnum):
    """What to do with an image that cannot be used."""

    FAIL = "fail"
    SKIP = "skip"


DatasetOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--dataset", "-d", help="A data set by name, or a folder that holds a dataset.yaml."
    ),
]
DataRootOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Where the files lie. Without it: $RASS_BENCH_DATA/<data set>; scenes needs none."
    ),
]
SplitOption: TypeAlias = Annotated[
    str | None, typer.Option(help="A split of the data set. [default: its first]")
]
LimitOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Take only so many images, in the order of their ids.")
]
OnErrorOption: TypeAlias = Annotated[
    OnError,
    typer.Option(help="A bad image ends the command, or is left out, counted and named."),
]
ResumeOption: TypeAlias = Annotated[
    bool, typer.Option("--resume", help="Go on with an interrupted command of the same arguments.")
]
SeedOption: TypeAlias = Annotated[int, typer.Option(help="Seed of every random choice.")]
WorkersOption: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Processes that share the work.")
]
MetricsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help="A metric by id; repeat it for several. [default: all that need no extra]",
    ),
]
OutOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder to write. [default: below runs/]")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]
