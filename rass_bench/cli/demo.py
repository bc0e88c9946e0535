"""`rass-bench demo`: the suite's main job on the embedded data set.

`rass-bench run --model rass` without further arguments is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rass_bench.cli.progress import progress_bar
from rass_bench.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = """[bold]Example[/bold]

[cyan]rass-bench demo --out runs/demo[/cyan]
"""

DEMO_FOLDER = Path("runs/demo")

REPORT = "report.html"
"""The page, in the demonstration's folder."""


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = DEMO_FOLDER,
) -> None:
    """Degrade the embedded scenes and measure the shipped models on them, offline."""
    show_demo(out)


def show_demo(out: Path) -> None:
    """Run the demonstration, print its table and write its report."""
    import time

    from rich.console import Console

    from rass_bench.cli.tables import demo_table
    from rass_bench.evaluate.compare import headline_metrics
    from rass_bench.evaluate.demo import METRIC, NOTICE, PANEL, PRESET, RUNS, SEED, run_demo

    started = time.monotonic()
    console = Console()
    console.print(NOTICE)
    rows = run_demo(out, progress_bar)
    console.print(
        f"The same {rows[0].record.scored} scenes in every row; degraded with the preset {PRESET}, "
        f"seed {SEED}, in all but the first.",
        highlight=False,
    )
    metrics = headline_metrics([row.record for row in rows])
    table = demo_table(rows, [METRIC, *(name for name in metrics if name != METRIC)])
    console.print("", table, "", sep="\n")
    console.print(
        "Below each number its 95 % bootstrap interval over scenes; differences are paired.",
        highlight=False,
    )
    console.print(f"Records and predictions: {out}", markup=False, soft_wrap=True)
    console.print(
        f"Low quality, restored, prediction, truth: {out / PANEL}", markup=False, soft_wrap=True
    )
    _write_report(console, out, [out / name for name in RUNS])
    console.print(f"{time.monotonic() - started:.0f} s in all")


def _write_report(console: Console, out: Path, runs: list[Path]) -> None:
    """Write the report of the runs, where the packages that it needs are there."""
    from rass_bench.report.gather import gather
    from rass_bench.report.page import write_page

    page = out / REPORT
    content = gather([], runs, page)
    try:
        write_page(page, content)
    except UserError as missing:
        # The measurements are made; what remains can be had later.
        console.print(f"No report: {missing}", markup=False, soft_wrap=True, highlight=False)
    else:
        console.print(
            f"Report, to open in a browser: {page}", markup=False, soft_wrap=True, highlight=False
        )
