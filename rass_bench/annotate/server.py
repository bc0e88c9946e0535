"""A Label Studio server of our own: started hardened, proved to be ours, stopped cleanly.

A project's folder holds everything: ``server/`` (the server's data), ``files/`` (the photos it
serves), ``credentials.json``, ``server.log`` and, while the server runs, ``address.json``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rass_bench.annotate.client import Client, ServerError
from rass_bench.annotate.credentials import (
    Credentials,
    load_credentials,
    load_or_create_credentials,
)
from rass_bench.annotate.installation import (
    Installation,
    default_installation,
    install,
    last_lines,
    server_environment,
)
from rass_bench.errors import UserError, from_os_error, require_package
from rass_bench.files import read_json, write_json
from rass_bench.structure import build

FIRST_PORT = 8080
"""Without a wish of the user, the first free port from here on is taken."""

PORTS_TRIED = 100

START_SECONDS = 900
"""How long a server may take to answer: 5 seconds on an idle machine, minutes on a busy one."""

STOP_SECONDS = 20

_FULL = ("No space left on device", "database or disk is full", "File too large")

_LAUNCH = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG: SIGTERM when the parent dies
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Run by the server's interpreter in front of the server, which shall not outlive its parent."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: its address, on this machine alone.
        process_id: its process.
    """

    url: str
    process_id: int


@contextmanager
def running_server(
    folder: Path,
    port: int | None = None,
    installation: Installation | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Server]:
    """Run a project's server as long as the block runs.

    Args:
        folder: the project's folder; made when it is missing.
        port: on which it listens; None takes the first free one from ``FIRST_PORT`` on.
        installation: the server's program; None takes the one in the user's cache. Made when it
            is missing.
        say: told in a sentence what takes long.

    Raises:
        UserError: the port is taken, another server runs on the folder, the disk is full, or the
            server ended while it started; then the message holds its last lines.
    """
    require_package("psutil", "annotate")
    with ExitStack() as stack:
        try:
            server = _start_checked(
                stack, folder, port, installation or default_installation(), say
            )
        except OSError as error:
            raise from_os_error(error, str(folder)) from None
        yield server


def _start_checked(
    stack: ExitStack,
    folder: Path,
    wish: int | None,
    installation: Installation,
    say: Callable[[str], None],
) -> Server:
    """Start the server; the stack stops it."""
    _choose_port(wish)  # a wish that cannot be is told before minutes are spent
    install(installation, say)
    folder.mkdir(parents=True, exist_ok=True)
    lock = stack.enter_context(_sole_use(folder))
    credentials = load_or_create_credentials(folder)
    _prepare(folder, installation)
    say("starting the server")

    def start() -> Server:
        process = _start(folder, installation, credentials, _choose_port(wish), lock)
        stack.callback(_stop, process)
        port = _wait_until_it_listens(process, folder, credentials)
        if wish not in (None, port):
            raise _lost_port(folder)
        return Server(f"http://127.0.0.1:{port}", process.pid)

    try:
        server = start()
    except _PortLostError:
        if wish is not None:
            raise
        server = start()  # whoever was faster listens now, and the next free port is chosen
    _check_identity(server, folder, credentials)
    stack.callback(_address_path(folder).unlink, missing_ok=True)
    write_json(_address_path(folder), asdict(server))
    return server


def wait_for_end(server: Server, folder: Path) -> None:
    """Wait until a server ends by itself, which it should not.

    Raises:
        UserError: it ended; the message holds its last lines.
    """
    import psutil

    psutil.Process(server.process_id).wait()
    raise _ended_badly("the server ended by itself", folder, load_credentials(folder))


def connect(folder: Path) -> Client:
    """A client of the server that runs on a project's folder, in the name of its admin.

    Raises:
        UserError: none runs there.
    """
    path = _address_path(folder)
    if not path.is_file():
        raise _no_server(folder)
    try:
        server = build(Server, read_json(path), "the file")
    except ValueError as error:
        raise UserError(f"malformed address: {error}", str(path), "Remove the file.") from None
    require_package("psutil", "annotate")
    # A killed server leaves its address behind, and the token is for nobody else who listens there.
    if server.url != f"http://127.0.0.1:{_port_of(server.process_id)}":
        raise _no_server(folder)
    return Client(server.url, load_credentials(folder).admin.token)


def _no_server(folder: Path) -> UserError:
    return UserError(
        "no server runs on this folder",
        str(folder),
        "Start one in another terminal: rass-bench annotate serve --dir "
        + shlex.quote(str(folder)),
    )


def files_root(folder: Path) -> Path:
    """The folder whose subfolders the server may show."""
    return folder / "files"


def _address_path(folder: Path) -> Path:
    return folder / "address.json"


def _choose_port(wish: int | None) -> int:
    """A port that nobody listens on.

    Label Studio itself would silently take another one than the one it was asked for.
    """
    if wish is not None:
        if not 1 <= wish <= 65535:
            raise UserError(f"{wish} is no port", "--port", "Give a number from 1 to 65535.")
        _check_port(wish)
        return wish
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        with contextlib.suppress(UserError):
            _check_port(port)
            return port
    raise UserError(
        f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} is free",
        "this machine",
        "Choose one with --port.",
    )


def _check_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the server sets it: a port of a server that just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UserError(
                    "another program listens on the port",
                    f"port {port}",
                    "Choose another with --port, or leave it out to take a free one.",
                ) from None
            raise UserError(
                f"the port cannot be used: {error.strerror}", f"port {port}", "Choose another."
            ) from None


@contextmanager
def _sole_use(folder: Path) -> Iterator[int]:
    """Hold the folder's lock, which the server inherits: it is held until both have ended.

    Raises:
        UserError: another server runs on the folder.
    """
    with (folder / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another server runs on this folder" + _whose(folder),
                str(folder),
                "Use or stop that one.",
            ) from None
        yield stream.fileno()


def _whose(folder: Path) -> str:
    try:
        server = build(Server, read_json(_address_path(folder)), "the file")
    except (UserError, ValueError):
        return ""
    return f": process {server.process_id} at {server.url}"


def _prepare(folder: Path, installation: Installation) -> None:
    """Give a new project the empty database and the folder of files."""
    data = folder / "server"
    data.mkdir(mode=0o700, exist_ok=True)
    files_root(folder).mkdir(exist_ok=True)
    database = data / "label_studio.sqlite3"
    if not database.exists():
        temporary = database.with_suffix(".tmp")
        shutil.copyfile(installation.empty_database, temporary)
        temporary.replace(database)


def _start(
    folder: Path, installation: Installation, credentials: Credentials, port: int, lock: int
) -> subprocess.Popen[bytes]:
    """Start the server with a clean environment, its output in the project's log."""
    data = (folder / "server").resolve()
    environment = {
        **server_environment(data),
        "LABEL_STUDIO_USERNAME": credentials.admin.email,
        "LABEL_STUDIO_PASSWORD": credentials.admin.password,
        "LABEL_STUDIO_USER_TOKEN": credentials.admin.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(files_root(folder).resolve()),
    }
    options = ["--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    log = os.open(_log_path(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            [installation.python, "-c", _LAUNCH, installation.command, "start", *options],
            env=environment,
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            process_group=0,  # Ctrl-C is this process's to answer; it stops the server itself
        )
    finally:
        os.close(log)


def _log_path(folder: Path) -> Path:
    return folder / "server.log"


def _wait_until_it_listens(
    process: subprocess.Popen[bytes], folder: Path, credentials: Credentials
) -> int:
    """Wait until our own process listens; the port, which need not be the one it was asked for.

    Label Studio takes the next one when another program was faster.
    """
    deadline = time.monotonic() + START_SECONDS
    while (port := _port_of(process.pid)) is None:
        if process.poll() is not None:
            raise _died(process, folder, credentials)
        if time.monotonic() > deadline:
            raise _ended_badly(
                f"the server did not answer within {START_SECONDS} seconds", folder, credentials
            )
        time.sleep(0.2)
    return port


def _port_of(process_id: int) -> int | None:
    """The port of this machine alone on which a process listens; None while it does not.

    Asking a port itself would hand the token to whoever listens there.
    """
    import psutil

    try:
        connections = psutil.Process(process_id).net_connections("tcp")
    except psutil.Error:
        return None
    ports = [
        one.laddr.port
        for one in connections
        if one.status == psutil.CONN_LISTEN and one.laddr.ip == "127.0.0.1"
    ]
    return ports[0] if ports else None


def _check_identity(server: Server, folder: Path, credentials: Credentials) -> None:
    """Check that the server is up and knows our token."""
    with Client(server.url, credentials.admin.token) as client:
        try:
            health = client.get("/health")
            name = client.get("/api/current-user/whoami")["email"]
        except ServerError as error:
            raise _ended_badly(str(error), folder, credentials) from None
    if health.get("status") != "UP" or name != credentials.admin.email:
        raise _ended_badly("the server answers, but not as our own would", folder, credentials)


class _PortLostError(UserError):
    """Another program took the port between the look at it and the server's start."""


def _lost_port(folder: Path) -> _PortLostError:
    return _PortLostError(
        "another program took the port while the server started",
        str(folder),
        "Start it again, or choose another port with --port.",
    )


def _died(process: subprocess.Popen[bytes], folder: Path, credentials: Credentials) -> UserError:
    log = _log_path(folder).read_text("utf-8", errors="replace")
    if "That port is already in use" in log:
        return _lost_port(folder)
    if any(words in log for words in _FULL):
        return UserError(
            "the disk is full or a file-size limit was reached, so the server ended",
            str(folder),
            "Free some space and start it again; what was labelled is kept.",
        )
    return _ended_badly(
        f"the server ended with code {process.returncode} while it started", folder, credentials
    )


def _ended_badly(what: str, folder: Path, credentials: Credentials) -> UserError:
    log = _log_path(folder)
    text = last_lines(log.read_text("utf-8", errors="replace"), credentials.secrets)
    return UserError(what, str(log), f"Its last lines:\n{text}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
