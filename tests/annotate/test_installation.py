"""Installing the server: done once, told when it fails, and nothing half made is used."""

import shutil
from importlib import resources

import pytest

from rass_bench.annotate.installation import (
    LABEL_STUDIO,
    LOG_LINES,
    Installation,
    default_installation,
    install,
    last_lines,
    server_environment,
)
from rass_bench.errors import UserError
from tests.annotate.standin import standin


def silent(_):
    """Nobody listens."""


def half_made(folder, script):
    """An installation whose virtual environment is complete and whose database is missing."""
    made = standin(folder, script)
    made.empty_database.unlink()
    (folder / "venv-is-complete").touch()
    return made


WRITES_DATABASE = """
import os, pathlib, sys
assert sys.argv[1:] == ["init", "-q"]
data = pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
(data / ".env").write_text("SECRET_KEY=shared-by-none")
(data / "label_studio.sqlite3").write_bytes(b"migrated")
"""


def test_the_empty_database_is_made_once_and_no_key_with_it(tmp_path):
    made = half_made(tmp_path, WRITES_DATABASE)
    said = []
    install(made, said.append)
    assert made.empty_database.read_bytes() == b"migrated"
    assert len(said) == 1
    assert not list(tmp_path.rglob(".env"))
    made.command.write_text("not run again")
    install(made, said.append)
    assert len(said) == 1


def test_a_failed_command_leaves_its_last_words_and_no_database(tmp_path):
    made = half_made(tmp_path, "raise SystemExit('migration 0042 failed')")
    with pytest.raises(UserError, match="label-studio init ended with code 1") as caught:
        install(made, silent)
    assert "migration 0042 failed" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "venv", "venv-is-complete"]


def test_too_little_space_is_told_before_anything_is_installed(tmp_path, monkeypatch):
    pytest.importorskip("uv")
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"1\.0 GB are free, the server needs 1\.5"):
        install(Installation(tmp_path / "made"), silent)
    assert not (tmp_path / "made/venv").exists()


def test_the_installation_follows_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("RASS_BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = default_installation().folder
    assert folder == tmp_path / "rass-bench" / "label-studio" / LABEL_STUDIO


def test_every_version_of_the_server_is_pinned():
    constraints = resources.files("rass_bench.annotate") / "label_studio_constraints.txt"
    lines = [line for line in constraints.read_text().splitlines() if not line.startswith("#")]
    assert f"label-studio=={LABEL_STUDIO}" in lines
    assert all(line.count("==") == 1 and " " not in line for line in lines)


def test_last_lines_are_the_last_and_hold_no_secret():
    text = "\n".join([*(f"line {n}" for n in range(99)), "a s3cret b", "http://me:pw@host/x", ""])
    shown = last_lines(text, ["s3cret", ""])
    assert len(shown.splitlines()) == LOG_LINES
    assert shown.endswith("a *** b\nhttp://***@host/x")


def test_the_server_is_told_to_keep_to_itself(tmp_path):
    told = server_environment(tmp_path)
    assert told["LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"] == "true"
    assert told["LABEL_STUDIO_COLLECT_ANALYTICS"] == "false"
    assert told["LABEL_STUDIO_LATEST_VERSION_CHECK"] == "false"
    assert told["LABEL_STUDIO_SENTRY_DSN"] == told["LABEL_STUDIO_FRONTEND_SENTRY_DSN"] == ""
