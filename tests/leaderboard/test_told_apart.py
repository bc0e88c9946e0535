"""When two measurements surely differ: real runs on the same photos."""

import dataclasses

import pytest

from rass_bench.leaderboard.board import load_board
from rass_bench.leaderboard.told_apart import surely_differ
from rass_bench.record import load_record
from tests.leaderboard.runs import MIOU, make_board, make_runs, metrics, put


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), "Perfect", "Good", "Alike", "Fair", "Poor")


@pytest.fixture
def compare(tmp_path, runs):
    """Put two runs on a board, each with changes, and ask."""

    def compare(first, second, *, without_images=False):
        board = make_board(tmp_path)
        for name, (model, changes) in {"a": first, "b": second}.items():
            folder = put(board, runs[model], name, **changes)
            if without_images:
                (folder / "per_image.parquet").unlink()
        one, other = load_board(board).measurements
        assert surely_differ(one, other, MIOU) == surely_differ(other, one, MIOU)
        return surely_differ(one, other, MIOU)

    return compare


def overlap(one, other):
    (low, high), (other_low, other_high) = (
        load_record(folder).metrics[MIOU].ci95 for folder in (one, other)
    )
    return low <= other_high and other_low <= high


def test_intervals_that_keep_clear_of_each_other_tell_apart(compare, runs):
    assert not overlap(runs["Perfect"], runs["Poor"])
    assert compare(("Perfect", {}), ("Poor", {}), without_images=True)


def test_where_intervals_overlap_the_paired_difference_decides(compare, runs):
    """Fair errs on each photo a little more than Good: sure in pairs, hidden between photos."""
    wide = {
        "Good": {"metrics": metrics(runs["Good"], ci95=(0.0, 1.0))},
        "Fair": {"metrics": metrics(runs["Fair"], ci95=(0.0, 1.0))},
    }
    assert compare(("Good", wide["Good"]), ("Fair", wide["Fair"]))


def test_without_the_images_results_overlapping_intervals_leave_it_open(compare, runs):
    wide = {"metrics": metrics(runs["Good"], ci95=(0.0, 1.0))}
    assert not compare(("Good", wide), ("Fair", {}), without_images=True)


def test_equal_answers_are_not_told_apart(compare):
    assert not compare(("Good", {}), ("Alike", {}))


def test_without_an_interval_nothing_is_sure(compare, runs):
    assert not compare(("Perfect", {"metrics": metrics(runs["Perfect"], ci95=None)}), ("Poor", {}))


def test_of_a_metric_that_is_no_longer_known_the_intervals_decide(tmp_path, runs):
    board = make_board(tmp_path)
    for name, interval in {"a": (0.1, 0.3), "b": (0.2, 0.4), "c": (0.35, 0.5)}.items():
        found = load_record(runs["Good"]).metrics[MIOU]
        old = dataclasses.replace(found, ci95=interval, version="0")
        put(board, runs["Good"], name, metrics={MIOU: old, "gone/metric": old})
    one, middle, other = load_board(board).measurements
    for metric in (MIOU, "gone/metric"):
        assert surely_differ(one, other, metric)
        assert not surely_differ(one, middle, metric)
