"""`rass-bench report`: leaderboards and runs as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.leaderboard import ROOT

EXAMPLES = """[bold]Examples[/bold]

The leaderboards below leaderboards/:
[cyan]rass-bench report[/cyan]

A run of yours among them, with its predictions to look at:
[cyan]rass-bench report runs/my-run --out my-report.html[/cyan]

Figures and LaTeX tables for a paper beside the page:
[cyan]rass-bench report --figures figures[/cyan]
"""

PAGE = Path("runs/report.html")


def report_command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of finished runs, shown with their images."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help="The folder that holds the leaderboards. [default: leaderboards, where it is "
            "there or no run is named]"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = PAGE,
    figures: Annotated[
        Path | None,
        typer.Option(help="Folder for figures (PNG, SVG) and LaTeX tables; none without it."),
    ] = None,
) -> None:
    """Write one self-contained HTML page: tables, plots, models and images."""
    from rich.console import Console

    from rass_bench.leaderboard.board import find_boards
    from rass_bench.report.figures.write import write_figures
    from rass_bench.report.gather import gather
    from rass_bench.report.page import write_page

    console = Console()
    needs_boards = root is not None or not runs or ROOT.is_dir()
    boards = find_boards(root or ROOT) if needs_boards else []
    content = gather(boards, runs or [], out)
    # Figures first: the page is the last to be there, and says that all went well.
    files = [] if figures is None else write_figures(content, figures)
    write_page(out, content)
    counts = (
        _counted(len(content.boards), "data set"),
        _counted(sum(len(board.lines) for board in content.boards), "line"),
        _counted(sum(len(board.pictures) for board in content.boards), "image"),
    )
    console.print(f"{', '.join(counts)}: {out}", markup=False, soft_wrap=True, highlight=False)
    if figures is not None:
        console.print(
            f"{len(files)} figures and tables: {figures}",
            markup=False,
            soft_wrap=True,
            highlight=False,
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
