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
        typer.Option(help="A metric by id; repeat it for several. [default: the main ones]"),
    ] = None,
) -> None:
    """Print several runs as one table, with intervals."""
    from rich.console import Console
    from rich.markup import escape

    from rass_bench.cli.tables import comparison_table, describe_run, legend
    from rass_bench.evaluate.compare import columns, why_not_comparable
    from rass_bench.record import load_record

    records = [load_record(folder) for folder in folders]
    names = columns(records, metric)
    console = Console()
    console.print(comparison_table([(describe_run(record), record) for record in records], names))
    for line in legend(records):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    for sentence in why_not_comparable(records):
        console.print(f"[yellow]not comparable:[/yellow] {escape(sentence)}")
