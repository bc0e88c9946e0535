"""`rass-bench leaderboard` as users meet it: what it prints, writes and ends with."""

import re
import shutil
import subprocess

import pytest

from rass_bench.leaderboard.write import write_board
from tests.cli.command import rass_bench
from tests.leaderboard.runs import make_board, make_runs, put, put_reported, put_verdict


def leaderboard(*arguments, cwd):
    """Run a command at a terminal of 80 columns."""
    return rass_bench("leaderboard", *arguments, cwd=cwd, COLUMNS="80")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    runs = make_runs(folder, "Perfect", "Good", "Alike")
    board = make_board(folder / "leaderboards")
    for name in ("Perfect", "Good"):
        put(board, runs[name], name.lower())
    put_verdict(board / "records/good")
    put_reported(
        board,
        {"method": "G", "measured_as": "good@", "printed": "12.3"},
        {"method": "H", "not_ranked": "variant unknown"},
    )
    write_board(board)
    write_board(make_board(folder / "leaderboards", "other@2.0"))
    return folder


@pytest.fixture
def place(made, tmp_path):
    return shutil.copytree(made, tmp_path / "place")


@pytest.mark.parametrize("command", ["build", "add", "diff"])
def test_help_has_a_worked_example(command):
    done = rass_bench("leaderboard", command, "--help")
    assert f"rass-bench leaderboard {command}" in done.stdout.split("Example", 1)[1]


def test_build_writes_every_board_and_check_holds(place):
    for table in (place / "leaderboards").glob("*/table.*"):
        table.unlink()
    done = leaderboard("build", cwd=place)
    assert done.returncode == 0, done.stderr
    assert (
        "2 records, 2 reported numbers, 5 without rank" in done.stdout or "tiny@1.0" in done.stdout
    )
    checked = leaderboard("check", cwd=place)
    assert checked.returncode == 0
    assert checked.stdout.split() == ["other@2.0", "holds", "tiny@1.0", "holds"]


def test_the_sums_are_those_that_sha256sum_checks(place):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=place / "leaderboards/tiny@1.0",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    covered = {line.split(":")[0] for line in done.stdout.splitlines()}
    assert covered >= {"table.csv", "table.json", "table.md", "reported.csv", "CHANGELOG.md"}
    assert covered >= {"records/good/record.json", "verdicts/good.json"}


def test_a_changed_number_is_found_and_named(place):
    table = place / "leaderboards/tiny@1.0/table.md"
    table.write_text(table.read_text().replace("12.3", "99.9"))
    done = leaderboard("check", cwd=place)
    assert done.returncode == 1
    assert "tiny@1.0  differs: table.md" in done.stdout and "leaderboard build" in done.stdout


def test_one_board_is_shown_in_80_columns(place):
    shown = leaderboard("build", "tiny@1.0", cwd=place).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "DT, measured" in shown and "DT, reported" in shown and "verified" in shown
    assert re.search(r"#1 \d+\.\d\d", shown) and "side by side" in shown
    assert "variant unknown" in shown


def test_add_puts_a_run_on_its_board(place):
    done = leaderboard("add", "alike", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "alike stands on leaderboards/tiny@1.0, now version 1.1.0." in done.stdout
    assert leaderboard("check", "tiny@1.0", cwd=place).returncode == 0
    shown = leaderboard("build", "tiny@1.0", cwd=place).stdout
    assert "#2–3" in shown
    again = leaderboard("add", "alike", cwd=place)
    assert again.returncode == 2 and "Choose another --name" in again.stderr


def test_history_tells_the_versions_newest_first(place):
    leaderboard("add", "alike", cwd=place)
    shown = leaderboard("history", "tiny@1.0", cwd=place).stdout
    assert shown.index("1.1.0") < shown.index("1.0.0") and "Begun." in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_diff_tells_what_a_run_changed(place):
    shutil.copy(place / "leaderboards/tiny@1.0/table.json", place / "before.json")
    leaderboard("add", "alike", cwd=place)
    done = leaderboard("diff", "before.json", "tiny@1.0", cwd=place)
    assert done.returncode == 1
    assert "version: 1.0.0 → 1.1.0" in done.stdout and "+ alike@1" in done.stdout
    assert "rank: 2 of 2 → 2–3 of 3" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    same = leaderboard("diff", "tiny@1.0", "tiny@1.0", cwd=place)
    assert (same.returncode, same.stdout) == (0, "The tables are alike.\n")


@pytest.mark.parametrize(
    "arguments", [("check", "nowhere@1.0"), ("build", "--root", "empty"), ("diff", "a", "b")]
)
def test_what_is_not_there_is_a_mistake_without_traceback(place, arguments):
    done = leaderboard(*arguments, cwd=place)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("Error:")
