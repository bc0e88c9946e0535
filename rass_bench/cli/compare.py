"""`rass-bench compare`: several runs in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """[bold]Example[/bold]

[cyan]rass-bench compare runs/clean runs/direct runs/restored --metric miou/gt-present[/cyan]
"""


def compare_command(
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A metric by id; repeat it for several. [default: all they share]"),
    ] = None,
) -> None:
    """Print several runs as one table, with intervals."""
    from rich.console import Console

    from rass_bench.cli.tables import comparison_table, describe_model
    from rass_bench.evaluate.compare import shared_metrics, why_not_comparable
    from rass_bench.record import load_record

    records = [load_record(folder) for folder in folders]
    names = metric or shared_metrics(records)
    labelled = [
        (f"{describe_model(record)}\n{record.dataset.name}@{record.dataset.version}", record)
        for record in records
    ]
    console = Console()
    console.print(comparison_table(labelled, names))
    for sentence in why_not_comparable(records):
        console.print(f"[yellow]not comparable:[/yellow] {sentence}")
