"""`rass-bench bundle`: a run in one file, for a reviewer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.options import DataRootOption

EXAMPLES = """[bold]Example[/bold]

[cyan]rass-bench bundle runs/my-run my-run.zip[/cyan]
[cyan]rass-bench verify my-run.zip --level rescore[/cyan]
"""


def bundle_command(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    out: Annotated[Path, typer.Argument(help="The archive to write.")],
    data_root: DataRootOption = None,
) -> None:
    """Pack record, per-image results, predictions, the data's manifest and the commands."""
    from rich.console import Console

    from rass_bench.verify.bundle import write_bundle

    count = write_bundle(run, out, data_root=data_root)
    Console().print(
        f"{count} files, {out.stat().st_size:,} bytes: {out}", markup=False, soft_wrap=True
    )
