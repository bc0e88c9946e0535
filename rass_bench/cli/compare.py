"""`rass-bench compare`: several runs in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """[bold]Example[/bold]

[cyan]rass-bench compare runs/clean runs/direct runs/restored --metric miou/gt-present[/cyan]

The differences to the first run are paired: resampled over the same images for both.
"""


def compare_command(
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A metric by id; repeat it for several. [default: the main ones]"),
    ] = None,
) -> None:
    """Print several runs as one table, with intervals and differences to the first run."""
    from rich.console import Console
    from rich.markup import escape

    from rass_bench.cli.tables import comparison_table, legend
    from rass_bench.evaluate.compare import columns, why_not_comparable
    from rass_bench.evaluate.paired import paired_difference
    from rass_bench.record import load_record

    records = [load_record(folder) for folder in folders]
    names = columns(records, metric)
    behind_first = [paired_difference(folders[0], folder, names[0]) for folder in folders[1:]]
    console = Console()
    console.print(comparison_table(records, names, behind_first), "", sep="\n")
    for line in legend(records):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    for sentence in why_not_comparable(records):
        console.print(f"[yellow]not comparable:[/yellow] {escape(sentence)}")
    for folder, difference in zip(folders[1:], behind_first, strict=True):
        if difference.why_not is not None:
            reason = escape(f"{folder}: {difference.why_not}")
            console.print(f"[yellow]no difference to the first:[/yellow] {reason}")
