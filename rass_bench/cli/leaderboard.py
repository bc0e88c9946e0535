"""`rass-bench leaderboard`: records and reported numbers as versioned tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

app = typer.Typer(
    help="Build, check and compare leaderboards.", no_args_is_help=True, rich_markup_mode="rich"
)

BUILD_EXAMPLES = """[bold]Examples[/bold]

Every board below leaderboards/:
[cyan]rass-bench leaderboard build[/cyan]

One, and show it:
[cyan]rass-bench leaderboard build realsr@1.0[/cyan]
"""
ADD_EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench leaderboard add runs/my-run --name my-model[/cyan]

After the data or a metric changed:
[cyan]rass-bench leaderboard add runs/my-run --new-version[/cyan]
"""
DIFF_EXAMPLES = """[bold]Examples[/bold]

Two versions of a board:
[cyan]rass-bench leaderboard diff realsr@1.0 realsr@1.0+v2[/cyan]

What a commit changed:
[cyan]git show HEAD~1:leaderboards/realsr@1.0/table.json > before.json[/cyan]
[cyan]rass-bench leaderboard diff before.json realsr@1.0[/cyan]
"""

BoardsArgument: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(help="Boards by name or folder; all below --root when none is named."),
]
RootOption: TypeAlias = Annotated[Path, typer.Option(help="The folder that holds the boards.")]

ROOT = Path("leaderboards")


@app.callback()
def group() -> None:
    """Build, check and compare leaderboards."""


@app.command("build", epilog=BUILD_EXAMPLES)
def build_command(boards: BoardsArgument = None, root: RootOption = ROOT) -> None:
    """Generate table.csv, table.json, table.md and SHA256SUMS from what a board holds."""
    from rich.console import Console

    from rass_bench.cli.leaderboard_tables import print_summary, print_table
    from rass_bench.leaderboard.write import write_board

    console = Console()
    folders = _folders(boards, root)
    for folder in folders:
        table, changed = write_board(folder)
        print_summary(console, table, changed)
        if len(folders) == 1:
            print_table(console, table)


@app.command("add", epilog=ADD_EXAMPLES)
def add_command(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    name: Annotated[
        str | None,
        typer.Option(help="Name of the record; that of the run's folder when none is given."),
    ] = None,
    new_version: Annotated[
        bool,
        typer.Option(
            "--new-version", help="Open the board's next major version, in a folder of its own."
        ),
    ] = False,
    root: RootOption = ROOT,
) -> None:
    """Put a run on the board of its data set, and build the board anew."""
    from rich.console import Console

    from rass_bench.leaderboard.add import add_run

    added = add_run(run, root, name=name, new_version=new_version)
    Console().print(
        f"{added.name} stands on {added.board}, now version {added.version}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command("check")
def check_command(boards: BoardsArgument = None, root: RootOption = ROOT) -> None:
    """Generate every table again and compare byte for byte; exit 1 where one differs."""
    from rich.console import Console
    from rich.text import Text

    from rass_bench.leaderboard.safe_text import one_line
    from rass_bench.leaderboard.write import check_board

    console = Console()
    folders = _folders(boards, root)
    stale = False
    for folder in folders:
        different = check_board(folder)
        stale = stale or bool(different)
        verdict = ("differs: ", "red") if different else "holds"
        line = Text.assemble(one_line(folder.name), "  ", verdict, ", ".join(different))
        console.print(line, soft_wrap=True)
    if stale:
        console.print("`rass-bench leaderboard build` writes them anew.", highlight=False)
        raise typer.Exit(1)


@app.command("diff", epilog=DIFF_EXAMPLES)
def diff_command(
    before: Annotated[str, typer.Argument(help="A board, or a table.json.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    root: RootOption = ROOT,
) -> None:
    """Say what differs between two tables; exit 1 when something does."""
    from rich.console import Console

    from rass_bench.cli.leaderboard_tables import print_diff
    from rass_bench.leaderboard.diff import diff_tables
    from rass_bench.leaderboard.table import load_table

    difference = diff_tables(load_table(_place(before, root)), load_table(_place(after, root)))
    print_diff(Console(), difference)
    if not difference.is_empty:
        raise typer.Exit(1)


@app.command("history")
def history_command(boards: BoardsArgument = None, root: RootOption = ROOT) -> None:
    """Print the versions of the boards, the newest first, and what each changed."""
    from rich.console import Console

    from rass_bench.cli.leaderboard_tables import print_history
    from rass_bench.leaderboard.changelog import read_changelog

    console = Console()
    for folder in _folders(boards, root):
        print_history(console, folder.name, read_changelog(folder))


def _folders(boards: list[str] | None, root: Path) -> list[Path]:
    from rass_bench.leaderboard.board import find_boards

    return [_place(board, root) for board in boards] if boards else find_boards(root)


def _place(name: str, root: Path) -> Path:
    """A board below the root by its name; else the path as it is."""
    return root / name if (root / name).is_dir() else Path(name)
