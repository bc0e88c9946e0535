"""The Label Studio server on disk: a virtual environment of its own and a database ready to copy.

The server pins versions of packages that this program needs newer, so the two never share an
environment.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rass_bench.errors import UserError, from_os_error, require_package
from rass_bench.files import cache_dir, write_bytes

LABEL_STUDIO = "1.23.2"
"""The version of the server."""

INSTALLED_BYTES = 1_500_000_000
"""Free space asked for before installing: 850 MB installed, the rest while it is unpacked."""

LOG_LINES = 15
"""How many of a failed command's last lines a message shows."""


@dataclass(frozen=True)
class Installation:
    """Where one version of the server is, or will be, installed.

    Attributes:
        folder: holds the virtual environment and the empty database.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter of the server's virtual environment."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def command(self) -> Path:
        """The server's command."""
        return self.folder / "venv" / "bin" / "label-studio"

    @property
    def empty_database(self) -> Path:
        """A database with every migration applied and nothing in it, no user and no key either."""
        return self.folder / "empty.sqlite3"


def default_installation() -> Installation:
    """In the user's cache."""
    return Installation(cache_dir() / "label-studio" / LABEL_STUDIO)


def install(installation: Installation, say: Callable[[str], None]) -> None:
    """Make what is missing of an installation; two processes at once make it once.

    Args:
        installation: where.
        say: told in a sentence what takes long.

    Raises:
        UserError: no space, no network, or a failed command, with its last lines.
    """
    if installation.empty_database.is_file():
        return
    try:
        installation.folder.mkdir(parents=True, exist_ok=True)
        with _locked(installation.folder / "lock"):
            if not _mark(installation).is_file():
                say(f"installing Label Studio {LABEL_STUDIO} (850 MB) into {installation.folder}")
                _make_environment(installation)
            if not installation.empty_database.is_file():
                say("preparing an empty database, once for all projects (about a minute)")
                _make_empty_database(installation)
    except OSError as error:
        raise from_os_error(error, str(installation.folder)) from None


def server_environment(data: Path) -> dict[str, str]:
    """The whole environment that the server runs with; nothing of the user's is passed on.

    The server reads bare names such as HOST, DEBUG or PASSWORD, too. What is set here turns off
    sign-up, the version check, telemetry and error reports (settings/base.py of Label Studio
    1.23.2), and keeps web pages that point a name of theirs at this machine from talking to it.

    Args:
        data: the server's folder of data.
    """
    return {
        "PATH": os.defpath,
        "HOME": str(data),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # the log must hold the last words of a server that dies
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_LOG_LEVEL": "WARNING",
    }


def last_lines(text: str, secrets: Sequence[str] = ()) -> str:
    """The end of a log for a message, without secrets.

    Args:
        text: the log.
        secrets: what must not be shown; passwords in addresses never are.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = re.sub(r"//[^/\s@]+@", "//***@", text)
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-LOG_LINES:])


def _mark(installation: Installation) -> Path:
    """A file that is there exactly when the virtual environment is complete."""
    return installation.folder / "venv-is-complete"


def _make_environment(installation: Installation) -> None:
    require_package("uv", "annotate")
    from uv import find_uv_bin

    free = shutil.disk_usage(installation.folder).free
    if free < INSTALLED_BYTES:
        raise UserError(
            f"{free / 1e9:.1f} GB are free, the server needs {INSTALLED_BYTES / 1e9:.1f}",
            str(installation.folder),
            "Free some space, or set RASS_BENCH_CACHE to a folder on another disk.",
        )
    uv = find_uv_bin()
    venv = str(installation.folder / "venv")
    constraints = resources.files("rass_bench.annotate") / "label_studio_constraints.txt"
    with resources.as_file(constraints) as path:
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv], None)
        package = f"label-studio=={LABEL_STUDIO}"
        into = ["--quiet", "--python", str(installation.python), "--constraint", str(path)]
        _run([uv, "pip", "install", *into, package], None)
    write_bytes(_mark(installation), b"")


def _make_empty_database(installation: Installation) -> None:
    """Let the server migrate a database; without a name of a user, `init` does nothing else."""
    with tempfile.TemporaryDirectory(dir=installation.folder) as data:
        _run([str(installation.command), "init", "-q"], server_environment(Path(data)))
        Path(data, "label_studio.sqlite3").replace(installation.empty_database)


def _run(command: list[str], environment: dict[str, str] | None) -> None:
    """Run a command to its end.

    Raises:
        UserError: it failed; the message holds its last lines.
    """
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace")
        raise UserError(
            f"{Path(command[0]).name} {command[1]} ended with code {done.returncode}",
            "installing Label Studio",
            f"Correct what it says and try again:\n{last_lines(output)}",
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process holds the file, and hold it."""
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
