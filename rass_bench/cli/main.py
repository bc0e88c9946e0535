"""The entry point: commands, and how failures end."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import rass_bench
from rass_bench.cli import (
    annotate,
    bundle,
    compare,
    data,
    degrade,
    demo,
    doctor,
    leaderboard,
    listing,
    release,
    report,
    run,
    score,
    train,
    verify,
    weights,
)
from rass_bench.errors import UserError, from_os_error
from rass_bench.leaderboard.safe_text import terminal_text

app = typer.Typer(
    name="rass-bench",
    help="How well do segmentation and restoration models hold up on low-quality photos?",
    epilog="Start here: [bold]rass-bench demo[/bold], then [bold]rass-bench run --help[/bold].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog=run.EXAMPLES)(run.run_command)
app.command("score", epilog=score.EXAMPLES)(score.score_command)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare_command)
app.command("verify", epilog=verify.EXAMPLES)(verify.verify_command)
app.command("bundle", epilog=bundle.EXAMPLES)(bundle.bundle_command)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo_command)
app.command("report", epilog=report.EXAMPLES)(report.report_command)
app.command("list", epilog=listing.EXAMPLES)(listing.list_command)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor_command)
app.add_typer(degrade.app, name="degrade")
app.add_typer(data.app, name="data")
app.command("train", epilog=train.EXAMPLES)(train.train_command)
app.add_typer(weights.app, name="weights")
app.add_typer(annotate.app, name="annotate")
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(release.app, name="release")


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """How well do segmentation and restoration models hold up on low-quality photos?"""
    if version:
        typer.echo(f"rass-bench {rass_bench.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line: 0 done, 1 a check did not hold, 2 a mistake, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack letters of a path
    console = Console(stderr=True)
    try:
        app()
    except UserError as error:
        message = escape(terminal_text(str(error)))
        console.print(f"[bold red]Error:[/] {message}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            console.print(
                "Interrupted. What is finished is kept: repeat the command, with --resume where "
                "it has that."
            )
        raise
    except OSError as error:
        if error.errno not in _ENVIRONMENT_ERRORS:
            raise
        message = escape(terminal_text(str(from_os_error(error, "file system"))))
        console.print(f"[bold red]Error:[/] {message}", highlight=False, soft_wrap=True)
        sys.exit(2)


_ENVIRONMENT_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EIO,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}


if __name__ == "__main__":
    main()
