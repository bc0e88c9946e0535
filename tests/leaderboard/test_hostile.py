"""Boards and runs from strangers: refused in words, or shown as harmless text."""

import dataclasses
import io
import json

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from rass_bench.cli.leaderboard_tables import print_diff, print_table
from rass_bench.cli.main import app, main
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.leaderboard.add import add_run
from rass_bench.leaderboard.board import load_board
from rass_bench.leaderboard.build import build_table
from rass_bench.leaderboard.diff import diff_tables
from rass_bench.leaderboard.write import generated, write_board
from rass_bench.record import load_record
from tests.leaderboard.runs import MIOU, make_board, make_runs, metrics, model_facts, put, rows

HOSTILE = "\x1b[2J[/red]`<b>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), "Perfect", "Good")


@pytest.fixture
def board(tmp_path, runs):
    folder = make_board(tmp_path / "boards")
    put(folder, runs["Good"], "good")
    return folder


def dataset(run, **changes):
    return dataclasses.replace(load_record(run).dataset, **changes)


def under_new_hash(record_folder, content):
    """Replace a record's per-image results, and their hash in the record."""
    (record_folder / "per_image.parquet").write_bytes(content)
    record = load_record(record_folder)
    digest = sha256_file(record_folder / "per_image.parquet")
    dataclasses.replace(record, files=record.files | {"per_image.parquet": digest}).save(
        record_folder
    )


def edited(run, change):
    stream = io.BytesIO()
    change(pd.read_parquet(run / "per_image.parquet")).to_parquet(stream, index=False)
    return stream.getvalue()


def numbers_as_text(table):
    return table.assign(correct_pixels=[["many"] * len(row) for row in table["correct_pixels"]])


def rows_of_other_lengths(table):
    lengths = zip(range(1, len(table) + 1), table["correct_pixels"], strict=True)
    return table.assign(correct_pixels=[row[:length] for length, row in lengths])


TABLES = {
    "no parquet file": lambda run: b"PAR1 and more PAR1",
    "no counts": lambda run: edited(run, lambda table: table.drop(columns="correct_pixels")),
    "no ids": lambda run: edited(run, lambda table: table.drop(columns="id")),
    "text for numbers": lambda run: edited(run, numbers_as_text),
    "other lengths": lambda run: edited(run, rows_of_other_lengths),
}


@pytest.mark.parametrize("kind", TABLES)
def test_per_image_results_that_no_run_writes_are_refused(board, runs, tmp_path, kind):
    wide = metrics(runs["Perfect"], ci95=(0.0, 1.0))
    record = put(board, runs["Perfect"], "perfect", metrics=wide)
    under_new_hash(record, TABLES[kind](runs["Perfect"]))
    with pytest.raises(UserError, match=r"^per_image\.parquet: "):
        build_table(load_board(board))
    with pytest.raises(UserError, match=r"per_image\.parquet: "):
        add_run(record, tmp_path / "others")


def test_a_seed_that_is_none_is_refused(board, runs):
    for name, seed in (("a", "1"), ("b", [2])):
        put(
            board,
            runs["Perfect"],
            name,
            model=model_facts(runs["Perfect"], revision=name),
            metrics=metrics(runs["Perfect"], ci95=(0.0, 1.0), value=0.5 if name == "a" else 0.6),
            arguments_resolved={"seed": seed},
        )
    with pytest.raises(UserError, match="the record's seed is '1'"):
        build_table(load_board(board))


@pytest.mark.parametrize("protocol", ["", "rts", HOSTILE])
def test_a_protocol_that_is_none_is_refused(board, runs, tmp_path, protocol):
    record = put(board, runs["Perfect"], "perfect", protocol=protocol)
    with pytest.raises(UserError, match=r"unknown protocol .*perfect/record\.json"):
        load_board(board)
    with pytest.raises(UserError, match="unknown protocol"):
        add_run(record, tmp_path / "others")
    assert not (tmp_path / "others").exists()


def test_a_record_does_not_turn_its_metric_round(board, runs):
    """Of a metric where less is better, who said that more is would stand ahead of all."""
    for name, turned in (("honest", False), ("liar", True)):
        numbers = metrics(runs["Perfect"])
        niqe = dataclasses.replace(
            numbers[MIOU], value=5.0, ci95=None, version="1", higher_is_better=turned
        )
        put(
            board,
            runs["Perfect"],
            name,
            model=model_facts(runs["Perfect"], revision=name),
            metrics={"niqe": niqe},
            finished=f"2099-01-01T00:00:0{int(turned)}+00:00",
        )
    found = rows(board, "niqe")
    assert found["honest"].rank is not None
    assert found["liar"].not_ranked == "niqe in the other direction than the board's"


def test_a_number_that_no_float_holds_is_refused(board):
    path = board / "records/good/record.json"
    document = json.loads(path.read_text())
    document["metrics"][MIOU]["value"] = 10**400
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="malformed record: value is 1000"):
        load_board(board)


def test_what_a_record_says_stays_text(tmp_path, runs):
    """On a terminal and in a page, whichever of its words is shown."""
    board = make_board(tmp_path / "boards")
    put(
        board,
        runs["Good"],
        "good",
        dataset=dataset(runs["Good"], manifest_sha256=HOSTILE, split=HOSTILE),
        metrics=metrics(runs["Good"], version=HOSTILE) | {HOSTILE: metrics(runs["Good"])[MIOU]},
    )
    table, files = generated(board)
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    print_table(console, table)
    printed = dataclasses.replace(table.rows[0], printed=HOSTILE)
    print_diff(console, diff_tables(table, dataclasses.replace(table, rows=(printed,))))
    written = console.file.getvalue()
    assert r"\x1b[2J[/red]" in written
    assert all(letter.isprintable() or letter == "\n" for letter in written)
    page = files["table.md"].decode()
    assert "\x1b" not in page and "`<b>" not in page.replace("'<b>", "")


def test_a_message_stays_text(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["rass-bench", "leaderboard", "check", HOSTILE])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert r"(\x1b[2J[/red]`<b>)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["[bold]x@1.0", "\x1b[2J@1.0"])
def test_a_boards_name_stays_text(tmp_path, runs, name):
    board = make_board(tmp_path / "boards", name)
    put(board, runs["Good"], "good")
    write_board(board)
    for command in ("check", "build", "history"):
        done = CliRunner().invoke(app, ["leaderboard", command, "--root", str(board.parent)])
        assert done.exit_code == 0, done.exception
        assert name.replace("\x1b", r"\x1b") in done.stdout
