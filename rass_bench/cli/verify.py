"""`rass-bench verify`: is a run's record true?"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rass_bench.cli.options import DataRootOption, JsonOption
from rass_bench.cli.progress import progress_bar
from rass_bench.verify.verdict import VERDICT_NAME, Level

if TYPE_CHECKING:
    from rich.console import Console

    from rass_bench.verify.verdict import Check, Verdict

EXAMPLES = """[bold]Examples[/bold]

The files of a run, a bundle or a leaderboard's record, in seconds and without any data:
[cyan]rass-bench verify runs/my-run[/cyan]

Every number from the stored predictions, without weights and without torch:
[cyan]rass-bench verify bundle.zip --level rescore --data-root ADEChallengeData2016[/cyan]

Five images, drawn by you, through the model again:
[cyan]rass-bench verify bundle.zip --level sample --samples 5
--data-root ADEChallengeData2016[/cyan]
"""


def verify_command(
    run: Annotated[
        Path, typer.Argument(help="A run's folder, a bundle, or a leaderboard's record.")
    ],
    level: Annotated[
        Level,
        typer.Option(
            help="integrity (hashes, schema, arithmetic), rescore (every number from the stored "
            "predictions), sample (some images through the models again) or full (all)."
        ),
    ] = Level.INTEGRITY,
    samples: Annotated[
        int, typer.Option(min=1, help="Images to run again at the level sample.")
    ] = 3,
    seed: Annotated[
        int | None,
        typer.Option(
            help="What they are drawn with. [default: a new one, which the verdict tells]"
        ),
    ] = None,
    data_root: DataRootOption = None,
    model: Annotated[
        str | None, typer.Option(help="Where the model lies here. [default: as recorded]")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Where its weights lie here. [default: as recorded]")
    ] = None,
    restorer: Annotated[
        str | None, typer.Option(help="Where the restorer lies here. [default: as recorded]")
    ] = None,
    restorer_weights: Annotated[
        str | None, typer.Option(help="Where its weights lie here. [default: as recorded]")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N. [default: as recorded]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The verdict to write. [default: verdict.json in or beside the run]"),
    ] = None,
    print_json: JsonOption = False,
) -> None:
    """Check a run as far as a level goes, write verdict.json, and exit 1 when it does not hold."""
    from rich.console import Console

    from rass_bench.verify.rerun import Here
    from rass_bench.verify.verify import verify

    here = Here(data_root, model, weights, restorer, restorer_weights, device)
    verdict = verify(
        run,
        level,
        samples=samples,
        seed=secrets.randbits(32) if seed is None else seed,
        here=here,
        progress=progress_bar,
    )
    path = out or _beside(run)
    verdict.save(path)
    if print_json:
        typer.echo(json.dumps(verdict.to_json(), indent=2, ensure_ascii=False))
    else:
        console = Console()
        _show(verdict, console)
        console.print(f"Verdict: {path}", markup=False, soft_wrap=True)
    if not verdict.holds:
        raise typer.Exit(1)


def _beside(run: Path) -> Path:
    return run / VERDICT_NAME if run.is_dir() else run.with_suffix(f".{VERDICT_NAME}")


def _show(verdict: Verdict, console: Console) -> None:
    """The checks as a table, what differs from then, and the verdict in one line."""
    from rich.table import Table
    from rich.text import Text

    from rass_bench.leaderboard.safe_text import terminal_text

    table = Table(title=Text(terminal_text(verdict.run)), title_justify="left")
    table.add_column("check", max_width=34, overflow="fold")
    table.add_column("holds")
    table.add_column("what was found", overflow="fold")
    words = {True: Text("yes"), False: Text("NO", style="bold red"), None: Text("–")}
    for check in verdict.checks:
        table.add_row(
            Text(terminal_text(check.name)), words[check.holds], Text(terminal_text(_found(check)))
        )
    console.print(table)
    for difference in verdict.differences:
        state = {True: "differs", False: "the same", None: "–"}[difference.differs]
        line = f"{difference.part}: {state} ({difference.words})"
        console.print(terminal_text(line), markup=False, highlight=False, soft_wrap=True)
    if verdict.seed is not None and verdict.samples:
        line = f"drawn with seed {verdict.seed}: {', '.join(verdict.samples)}"
        console.print(terminal_text(line), markup=False, highlight=False, soft_wrap=True)
    answer = "[green]holds[/green]" if verdict.holds else "[bold red]DOES NOT HOLD[/bold red]"
    console.print(f"{answer} at the level {verdict.level}", highlight=False)


def _found(check: Check) -> str:
    """What came out: in short where it is as expected, beside what was expected where it is not."""
    if check.holds is None:
        return check.note
    if check.holds:
        return "; ".join(part for part in (_short(check.found), check.note) if part)
    parts = (check.note, f"expected: {check.expected}", f"found: {check.found}")
    return "\n".join(part for part in parts if part)


def _short(text: str) -> str:
    is_hash = len(text) == 64 and text.isalnum()
    return f"{text[:12]}…" if is_hash else text
