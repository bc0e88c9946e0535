"""What a board's table says of records, verdicts and reported numbers."""

import dataclasses
import shutil

import pytest

from rass_bench.errors import UserError
from rass_bench.leaderboard.board import load_board
from rass_bench.leaderboard.build import build_table
from rass_bench.leaderboard.table import Kind
from rass_bench.leaderboard.write import check_board, generated, write_board
from rass_bench.record import load_record
from tests.leaderboard.runs import (
    MIOU,
    make_board,
    make_runs,
    measure,
    metrics,
    model_facts,
    put,
    put_reported,
    put_verdict,
    rows,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(root):
    return make_runs(root, "Perfect", "Good", "Alike", "Poor")


@pytest.fixture
def board(tmp_path, runs):
    """Four measurements: one is best, two are alike, one is worst."""
    folder = make_board(tmp_path)
    for model, run in runs.items():
        put(folder, run, model.lower())
    return folder


def ranks(found):
    return {name: str(row.rank) for name, row in found.items() if row.rank is not None}


# Measured rows


def test_rows_that_are_alike_share_their_places(board):
    assert ranks(rows(board)) == {"perfect": "1", "good": "2–3", "alike": "2–3", "poor": "4"}


def test_a_row_carries_the_records_numbers_in_full(board, runs):
    record = load_record(runs["Good"])
    row = rows(board)["good"]
    assert (row.value, row.ci95) == (record.metrics[MIOU].value, record.metrics[MIOU].ci95)
    assert (row.images, row.fps) == (record.scored, record.timing.fps)
    assert (row.parameters, row.trainable_parameters, row.licence) == (7, 3, "CC0-1.0")
    assert row.key.model == record.model.key


def test_a_partial_run_has_neither_value_nor_rank(board, root):
    part = measure(root, "Perfect", board.parent / "part", limit=2)
    put(board, part, "part")
    row = rows(board)["part"]
    assert (row.value, row.ci95, row.rank) == (None, None, None)
    assert row.not_ranked == "partial: --limit 2 of 6 images"
    assert ranks(rows(board))["perfect"] == "1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "9.9"}, "other photos: tiny@9.9"),
        ({"split": "train"}, "the split train, not test"),
        ({"label_space": "camvid-11"}, "labelled in camvid-11, not in ade20k-150"),
        ({"manifest_sha256": "0" * 64}, "other files (manifest 000000000000, the board's is "),
    ],
)
def test_a_measurement_on_other_images_stands_apart_with_its_value(board, runs, changes, reason):
    record = load_record(runs["Perfect"])
    data = dataclasses.replace(record.dataset, **changes)
    put(board, runs["Perfect"], "z-other", dataset=data, finished="2099-01-01T00:00:00+00:00")
    row = rows(board)["z-other"]
    assert row.value == record.metrics[MIOU].value and row.rank is None
    assert row.not_ranked.startswith(reason)
    assert ranks(rows(board))["perfect"] == "1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "2"}, "miou/gt-present in version 2, the board's is 1"),
        (
            {"provenance": {"pyiqa": "0.1.9"}},
            "miou/gt-present computed with pyiqa 0.1.9, the board's with none",
        ),
        ({"value": None}, "undefined on these images"),
    ],
)
def test_a_number_of_another_metric_stands_apart_and_the_others_do_not(
    board, runs, changes, reason
):
    put(
        board,
        runs["Perfect"],
        "z-other",
        metrics=metrics(runs["Perfect"], **changes),
        model=model_facts(runs["Perfect"], revision="2"),
        finished="2099-01-01T00:00:00+00:00",
    )
    assert rows(board)["z-other"].not_ranked == reason
    assert rows(board, "aacc")["z-other"].rank is not None


def test_who_is_told_the_truths_classes_stands_apart(board, runs):
    told = model_facts(runs["Perfect"], name="rass", revision="mini-1+tagger=labels")
    put(board, runs["Perfect"], "told", model=told)
    assert rows(board)["told"].not_ranked == (
        "told the classes of the ground truth: an upper bound"
    )


def test_protocols_are_ranked_apart(board, runs):
    put(board, runs["Perfect"], "fine-tuned", protocol="ft")
    found = rows(board)
    assert found["fine-tuned"].rank.of == 1 and found["perfect"].rank.of == 4


def test_one_measurement_told_twice_is_refused(board, runs):
    put(board, runs["Good"], "again")
    with pytest.raises(UserError, match=r"have one key \(records/again and records/good\)"):
        build_table(load_board(board))


# Verdicts


def kind(board):
    row = rows(board)["good"]
    return row.kind, row.verdict


@pytest.mark.parametrize("level", ["rescore", "sample", "full"])
def test_a_record_whose_numbers_were_computed_again_is_verified(board, level):
    assert kind(board) == (Kind.MEASURED, None)
    put_verdict(board / "records/good", level=level)
    assert kind(board) == (Kind.VERIFIED, level)


def test_intact_hashes_alone_verify_no_number(board):
    put_verdict(board / "records/good", level="integrity")
    assert kind(board) == (Kind.MEASURED, "integrity")


def test_a_record_whose_check_failed_stands_apart(board):
    put_verdict(board / "records/good", holds=False)
    row = rows(board)["good"]
    assert row.kind is Kind.MEASURED and row.not_ranked == "its check (rescore) did not hold"


def test_a_verdict_on_an_earlier_record_stands_behind_nothing(board):
    put_verdict(board / "records/good", sha256="0" * 64)
    assert kind(board) == (Kind.MEASURED, None)
    assert "its check was of an earlier record" in rows(board)["good"].note


def test_a_verdict_that_was_edited_is_refused(board):
    record = board / "records/good"
    put_verdict(record, holds=False)
    path = board / "verdicts/good.json"
    path.write_text(path.read_text().replace('"holds": false', '"holds": true', 1))
    with pytest.raises(UserError, match=r"its checks say otherwise .*good\.json"):
        load_board(board)


def test_a_verdict_on_no_record_is_a_mistake(board):
    put_verdict(board / "records/good")
    (board / "verdicts/good.json").rename(board / "verdicts/best.json")
    with pytest.raises(UserError, match="a verdict on best, which is no record"):
        load_board(board)


# Reported numbers


def test_reported_numbers_are_ranked_within_their_source_as_they_are_printed(board):
    put_reported(
        board,
        {"method": "A", "printed": "40.10"},
        {"method": "B", "printed": "40.1"},
        {"method": "C", "printed": "39.9"},
        {"method": "D", "printed": "99.0", "source": "Another paper"},
        {"method": "E", "printed": "98.0", "not_ranked": "variant unknown"},
    )
    found = rows(board)
    assert ranks({name: found[name] for name in "ABCD"}) == {
        "A": "1–2",
        "B": "1–2",
        "C": "3",
        "D": "1",
    }
    assert found["E"].rank is None and found["E"].not_ranked == "variant unknown"
    assert (found["A"].kind, found["A"].value, found["A"].printed) == ("reported", 0.401, "40.10")
    assert ranks(found)["perfect"] == "1"


def test_what_a_source_does_not_give_is_nothing_and_never_zero(board):
    put_reported(
        board, {"method": "A"}, {"method": "B", "fps": "3.4", "parameters_millions": "1788.7"}
    )
    found = rows(board)
    assert (found["A"].fps, found["A"].parameters, found["A"].trainable_parameters) == (None,) * 3
    assert (found["B"].fps, found["B"].parameters) == (3.4, 1_788_700_000)


@pytest.mark.parametrize(("off", "within"), [(0.0, True), (0.5, True), (-0.5, True), (0.6, False)])
def test_a_reported_number_stands_beside_the_measured_one_with_their_difference(
    board, runs, off, within
):
    value = load_record(runs["Good"]).metrics[MIOU].value
    printed = f"{value * 100 - off:.10f}"
    put_reported(board, {"method": "G", "printed": printed, "measured_as": "good@"})
    (found,) = build_table(load_board(board)).confirmations
    assert (found.reported.model, found.measured.model) == ("G", rows(board)["good"].key.model)
    assert found.difference == pytest.approx(off / 100)
    assert (found.tolerance, found.within) == (0.005, within)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"protocol": "ft"},
        {"metric": "miou/union"},
        {"measured_as": "good@2"},
        {"measured_as": ""},
        {"restorer_measured_as": "scr@"},
    ],
)
def test_numbers_of_something_else_are_not_set_side_by_side(board, elsewhere):
    number = {"method": "G", "measured_as": "good@1", "protocol": "dt", "metric": MIOU}
    put_reported(board, number | elsewhere)
    found = build_table(load_board(board)).confirmations
    assert all(one.measured.metric == "miou/union" for one in found)
    assert len(found) == (elsewhere.get("metric") == "miou/union")


def test_a_number_of_unknown_variant_neither_confirms_nor_refutes(board):
    put_reported(board, {"measured_as": "good@", "not_ranked": "variant unknown"})
    (found,) = build_table(load_board(board)).confirmations
    assert (found.tolerance, found.within) == (None, None) and found.difference != 0


# A pure function


def test_equal_boards_give_equal_bytes_wherever_they_lie_and_whenever_they_were_filled(
    board, runs, tmp_path
):
    put_verdict(board / "records/good")
    put_reported(board, {"method": "A", "measured_as": "good@"})
    copy = make_board(tmp_path / "elsewhere")
    for part in ("reported.csv", "CHANGELOG.md"):
        shutil.copy(board / part, copy / part)
    shutil.copytree(board / "verdicts", copy / "verdicts")
    for model, run in reversed(runs.items()):
        put(copy, run, model.lower())
    assert generated(board)[1] == generated(copy)[1]


def test_a_written_board_holds_until_anything_of_it_is_changed(board):
    put_reported(board, {"method": "A"})
    _, changed = write_board(board)
    assert changed == ("table.csv", "table.json", "table.md", "SHA256SUMS")
    assert check_board(board) == () and write_board(board)[1] == ()
    table = board / "table.csv"
    table.write_text(table.read_text().replace("50.0", "60.0"))
    assert check_board(board) == ("table.csv",)
    write_board(board)
    path = board / "records/good/record.json"
    path.write_text(path.read_text().replace('"licence": "CC0-1.0"', '"licence": "MIT"'))
    assert check_board(board) == ("table.csv", "table.json", "SHA256SUMS")
