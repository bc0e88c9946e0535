"""The command line as a user's shell calls it, in this process or in one of its own.

A process costs a second of imports, and several where it needs torch: most tests look at what a
command prints, writes and ends with, which is the same in this one. Each command starts in a
process of its own where the README first shows it.
"""

import contextlib
import io
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from rass_bench.cli.main import main

ROOT = Path(__file__).resolve().parents[2]

ALWAYS_ALONE = ("release", "check")
"""It takes the Hub's packages off the network for as long as its process lives."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def rass_bench(*arguments, cwd=None, **environment):
    """Call the command line in this process; a crash ends as an interpreter would end it."""
    folder = cwd or Path.cwd()
    if arguments[:2] == ALWAYS_ALONE:
        return in_a_process(*arguments, cwd=folder, **environment)
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, {"COLUMNS": "100", **environment}),
        patch.object(sys, "argv", ["rass-bench", *map(str, arguments)]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        except Exception:
            traceback.print_exc()
            code = 1
    return Ended(code, stdout.getvalue(), stderr.getvalue())


def in_a_process(*arguments, before=(), cwd=ROOT, **environment):
    """Run the command line in a process of its own, from the repository's root unless told."""
    return subprocess.run(
        [*before, sys.executable, "-m", "rass_bench.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT), **environment},
    )
