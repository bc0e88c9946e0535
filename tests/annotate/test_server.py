"""Starting a server: what goes wrong is told in a user's words, and no secret with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rass_bench.annotate.credentials import load_credentials
from rass_bench.annotate.server import connect, running_server
from rass_bench.errors import UserError
from tests.annotate.standin import LISTENING, standin

CHECKOUT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(tmp_path, script, port=None):
    """Enter and leave `running_server` with a script in the server's place."""
    with running_server(
        tmp_path / "project", port or free_port(), standin(tmp_path / "installed", script)
    ) as server:
        return server


def test_while_it_runs_its_address_is_known_and_afterwards_it_is_gone(tmp_path):
    project, port = tmp_path / "project", free_port()
    with running_server(project, port, standin(tmp_path / "installed", LISTENING)) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        with connect(project) as client:
            assert client.get("/health")["status"] == "UP"
        process = psutil.Process(server.process_id)
    assert not process.is_running()
    with pytest.raises(UserError, match="no server runs on this folder"):
        connect(project)


def test_an_error_in_the_block_stops_the_server_and_is_passed_on(tmp_path):
    installed = standin(tmp_path / "installed", LISTENING)
    with (
        pytest.raises(FileNotFoundError, match="mine"),
        running_server(tmp_path / "project", free_port(), installed) as server,
    ):
        raise FileNotFoundError("mine")
    assert not psutil.pid_exists(server.process_id)


def test_a_server_that_dies_leaves_its_last_words_and_no_secret(tmp_path):
    script = """
import os, sys
for number in range(40): print("line", number)
print("login", os.environ["LABEL_STUDIO_PASSWORD"], os.environ["LABEL_STUDIO_USER_TOKEN"])
print("fetching https://user:hunter2@example.org/simple")
sys.exit("ModuleNotFoundError: no module named 'django'")
"""
    with pytest.raises(UserError, match="ended with code 1 while it started") as caught:
        start(tmp_path, script)
    text = str(caught.value)
    assert "no module named 'django'" in text
    assert "line 39" in text
    assert "line 5\n" not in text
    assert "login *** ***" in text
    assert "hunter2" not in text
    for secret in load_credentials(tmp_path / "project").secrets:
        assert secret not in text


@pytest.mark.parametrize(
    "words",
    ["OSError: [Errno 28] No space left on device", "OperationalError: database or disk is full"],
)
def test_a_full_disk_is_called_by_its_name(tmp_path, words):
    with pytest.raises(UserError, match="the disk is full"):
        start(tmp_path, f"raise SystemExit({words!r})")


def test_a_taken_port_is_told_before_anything_is_done(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"another program listens.*port {port}"):
            start(tmp_path, LISTENING, port)
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(tmp_path, port):
    with pytest.raises(UserError, match="is no port"):
        start(tmp_path, LISTENING, port)


def test_a_stranger_on_the_port_gets_no_request(tmp_path):
    asked = tmp_path / "asked"
    script = f"""
import subprocess, sys, time
stranger = "import socket; s = socket.create_server(('127.0.0.1', int(__import__('sys').argv[1])))"
stranger += "; s.accept(); open({str(asked)!r}, 'w')"
child = subprocess.Popen([sys.executable, "-c", stranger, sys.argv[-1]])
time.sleep(1.5)
child.kill()
sys.exit("gone")
"""
    with pytest.raises(UserError, match="gone"):
        start(tmp_path, script)
    assert not asked.exists()


OTHER_PORT = LISTENING.replace('int(sys.argv[sys.argv.index("--port") + 1])', "0")
"""A server that finds its port taken and silently takes another one, as Label Studio does."""


def test_a_server_that_took_another_port_is_found_there(tmp_path):
    with running_server(
        tmp_path / "project", None, standin(tmp_path / "installed", OTHER_PORT)
    ) as server:
        (listening,) = psutil.Process(server.process_id).net_connections("tcp")
        assert server.url == f"http://127.0.0.1:{listening.laddr.port}"


def test_a_port_that_was_taken_while_the_server_started_is_told(tmp_path):
    with pytest.raises(UserError, match="took the port while the server started"):
        start(tmp_path, OTHER_PORT, free_port())


LATE = """
import pathlib, sys
first = pathlib.Path("was-here")
if not first.exists():
    first.touch()
    print("Error: That port is already in use.", file=sys.stderr)
    sys.exit(1)
"""
"""A server that sees its port free and taken a moment later, the first time."""


def test_a_server_that_came_late_to_its_port_is_started_once_more(tmp_path):
    installed = standin(tmp_path / "installed", LATE + LISTENING)
    with running_server(tmp_path / "project", None, installed) as server:
        assert psutil.pid_exists(server.process_id)
        with connect(tmp_path / "project") as client:
            assert client.get("/health")["status"] == "UP"


def test_with_a_port_of_the_users_it_is_not_started_elsewhere(tmp_path):
    with pytest.raises(UserError, match="took the port while the server started"):
        start(tmp_path, LATE + LISTENING, free_port())


def test_one_folder_has_one_server(tmp_path):
    project, installed = tmp_path / "project", standin(tmp_path / "installed", LISTENING)
    with running_server(project, free_port(), installed) as first:
        with (
            pytest.raises(UserError, match="another server runs on this folder") as caught,
            running_server(project, free_port(), installed),
        ):
            pass
        assert first.url in str(caught.value)
        assert psutil.pid_exists(first.process_id)


def test_nothing_of_the_users_environment_reaches_the_server(tmp_path, monkeypatch):
    for name in ("HOST", "DEBUG", "PASSWORD", "SENTRY_DSN", "HTTPS_PROXY", "LABEL_STUDIO_HOST"):
        monkeypatch.setenv(name, "from-outside")
    seen = tmp_path / "seen"
    script = f"import os; open({str(seen)!r}, 'w').write(repr(dict(os.environ)))"
    with pytest.raises(UserError, match="ended with code 0"):
        start(tmp_path, script)
    assert "from-outside" not in seen.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_killed_program_takes_its_server_along(tmp_path):
    standin(tmp_path / "installed", LISTENING)
    script = f"""
import time
from pathlib import Path
from rass_bench.annotate.installation import Installation
from rass_bench.annotate.server import running_server
with running_server(Path({str(tmp_path / "project")!r}), {free_port()},
                    Installation(Path({str(tmp_path / "installed")!r}))) as server:
    print(server.process_id, flush=True)
    time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    process = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    process.wait(30)
    assert not process.is_running()
    time.sleep(0.1)
    with running_server(
        tmp_path / "project", free_port(), standin(tmp_path / "installed2", LISTENING)
    ):
        pass  # the folder is free again


def test_the_log_and_the_accounts_are_the_owners_alone(tmp_path):
    start(tmp_path, LISTENING)
    for name in ("credentials.json", "server.log"):
        assert (tmp_path / "project" / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "project/server").stat().st_mode & 0o077 == 0


def test_an_address_that_a_killed_server_left_gives_nobody_the_token(tmp_path):
    project = tmp_path / "project"
    start(tmp_path, LISTENING)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address = {"url": f"http://127.0.0.1:{stranger.getsockname()[1]}", "process_id": 2**22 - 1}
        (project / "address.json").write_text(json.dumps(address))
        with pytest.raises(UserError, match="no server runs on this folder"):
            connect(project)
        (project / "address.json").write_text(json.dumps(address | {"url": "http://\x00"}))
        with pytest.raises(UserError, match="no server runs on this folder"):
            connect(project)
