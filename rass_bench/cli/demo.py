"""`rass-bench demo`: the suite's main job on the embedded data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.progress import progress_bar

EXAMPLES = """[bold]Example[/bold]

[cyan]rass-bench demo --out runs/demo[/cyan]
"""


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("runs/demo"),
) -> None:
    """Degrade the embedded scenes and measure the shipped baseline on them, offline."""
    import time

    from rich.console import Console

    from rass_bench.cli.tables import comparison_table
    from rass_bench.evaluate.compare import headline_metrics
    from rass_bench.evaluate.demo import run_demo

    started = time.monotonic()
    console = Console()
    console.print("Rendered scenes: a demonstration, not a measure of real photos.")
    rows = run_demo(out, progress_bar)
    console.print(comparison_table(rows, headline_metrics([record for _, record in rows])))
    console.print(f"Records and predictions: {out}", markup=False, soft_wrap=True)
    console.print(f"{time.monotonic() - started:.0f} s in all")
