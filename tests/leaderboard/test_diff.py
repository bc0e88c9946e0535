"""What two versions of a table are said to differ in."""

import dataclasses

import pytest

from rass_bench.leaderboard.diff import diff_tables
from rass_bench.leaderboard.ranking import Rank
from rass_bench.leaderboard.table import Kind
from tests.leaderboard.test_formats import a_row, a_table

BEFORE = a_table(a_row("a@1"), a_row("b@1"))


def test_equal_tables_are_alike():
    assert diff_tables(BEFORE, BEFORE).is_empty


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 0.31}, "value: 30.00 → 31.00"),
        ({"value": 0.3000001}, "value: 0.30000000000000004 → 0.3000001"),
        ({"ci95": (0.26, 0.34)}, "interval: 25.0–33.3 → 26.0–34.0"),
        ({"rank": Rank(1, 1, 1, 3)}, "rank: 1–3 of 3 → 1 of 3"),
        ({"kind": Kind.VERIFIED}, "kind: measured → verified"),
        ({"record": "records/two"}, "record: records/one → records/two"),
    ],
)
def test_a_changed_row_is_named_with_what_changed(change, words):
    found = diff_tables(BEFORE, a_table(a_row("a@1", **change), a_row("b@1")))
    (only,) = found.changed
    assert (only.row.key.model, only.what) == ("a@1", (words,))
    assert not found.added and not found.removed and not found.is_empty


def test_rows_that_come_and_go_are_told():
    found = diff_tables(BEFORE, a_table(a_row("b@1"), a_row("c@1")))
    assert [row.key.model for row in found.added] == ["c@1"]
    assert [row.key.model for row in found.removed] == ["a@1"]


def test_a_row_of_another_key_is_another_row():
    """A metric's new version does not change a number: it is another number."""
    old = a_row("a@1")
    new = dataclasses.replace(old, key=dataclasses.replace(old.key, metric_version="2"))
    found = diff_tables(a_table(old), a_table(new))
    assert (found.added, found.removed, found.changed) == ((new,), (old,), ())


def test_what_changed_of_the_whole_is_told():
    images = dataclasses.replace(BEFORE.images, manifest_sha256="cd" * 32)
    later = dataclasses.replace(BEFORE, version="2.0.0", board="tiny@1.0+v2", images=images)
    assert diff_tables(BEFORE, later).table == (
        "board: tiny@1.0 → tiny@1.0+v2",
        "version: 1.2.3 → 2.0.0",
        "manifest: abababababab → cdcdcdcdcdcd",
    )


def test_partial_runs_of_one_key_are_told_apart_by_their_records():
    parts = [
        a_row("a@1", rank=None, value=None, record=f"records/{name}", not_ranked="partial")
        for name in ("one", "two")
    ]
    found = diff_tables(a_table(*parts), a_table(parts[0]))
    assert found.removed == (parts[1],) and not found.changed
