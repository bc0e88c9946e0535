"""Rank ranges, checked against every order that what is sure allows."""

from itertools import permutations

import hypothesis.strategies as st
from hypothesis import given

from rass_bench.leaderboard.ranking import Rank, rank_ranges

ENDS = st.integers(0, 12)
INTERVALS = st.tuples(ENDS, ENDS).map(lambda ends: (min(ends), max(ends)))


def middle(interval):
    return interval[0] + interval[1]


def disjoint(one, other):
    return one[1] < other[0] or other[1] < one[0]


def ranges(intervals, *, told_apart=disjoint, score=middle):
    return rank_ranges(intervals, score, told_apart)


@given(st.lists(INTERVALS, min_size=1, max_size=5))
def test_a_range_holds_exactly_the_places_that_some_order_gives(intervals):
    """An oracle of its own: all orders in which what is surely better stands before the rest."""
    places = [set() for _ in intervals]
    for order in permutations(range(len(intervals))):
        allowed = all(
            not (
                disjoint(intervals[a], intervals[b]) and middle(intervals[b]) > middle(intervals[a])
            )
            for position, a in enumerate(order)
            for b in order[position + 1 :]
        )
        for position, row in enumerate(order, start=1):
            if allowed:
                places[row].add(position)
    for rank, possible in zip(ranges(intervals), places, strict=True):
        assert set(range(rank.first, rank.last + 1)) == possible


RELATED = st.integers(1, 8).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 5), min_size=size, max_size=size),
        st.lists(st.booleans(), min_size=size * size, max_size=size * size),
    )
)
"""Scores, and for each pair whether it is told apart: any relation, not only that of intervals."""


def related(drawn):
    scores, apart = drawn
    rows = range(len(scores))
    return rows, scores, lambda a, b: apart[min(a, b) * len(scores) + max(a, b)]


@given(RELATED)
def test_a_range_holds_the_rank_by_value(drawn):
    rows, scores, told_apart = related(drawn)
    for row, rank in zip(rows, rank_ranges(rows, scores.__getitem__, told_apart), strict=True):
        assert 1 <= rank.first <= rank.point <= rank.last <= rank.of == len(scores)
        assert rank.point == 1 + sum(other > scores[row] for other in scores)


@given(RELATED)
def test_the_order_of_the_rows_does_not_matter(drawn):
    rows, scores, told_apart = related(drawn)
    forward = rank_ranges(rows, scores.__getitem__, told_apart)
    backward = rank_ranges(rows[::-1], scores.__getitem__, told_apart)
    assert forward == backward[::-1]


@given(RELATED)
def test_turning_the_scores_round_turns_the_ranges_round(drawn):
    rows, scores, told_apart = related(drawn)
    best = rank_ranges(rows, scores.__getitem__, told_apart)
    worst = rank_ranges(rows, lambda row: -scores[row], told_apart)
    mirrored = [(len(scores) + 1 - rank.last, len(scores) + 1 - rank.first) for rank in worst]
    assert [(rank.first, rank.last) for rank in best] == mirrored


@given(RELATED, st.randoms(use_true_random=False))
def test_telling_fewer_pairs_apart_never_narrows_a_range(drawn, random):
    rows, scores, told_apart = related(drawn)
    kept = {(a, b) for a in rows for b in rows if random.random() < 0.5}
    fewer = rank_ranges(
        rows,
        scores.__getitem__,
        lambda a, b: told_apart(a, b) and (min(a, b), max(a, b)) in kept,
    )
    for wide, narrow in zip(fewer, rank_ranges(rows, scores.__getitem__, told_apart), strict=True):
        assert wide.first <= narrow.first and narrow.last <= wide.last


@given(st.lists(INTERVALS, max_size=8))
def test_a_newcomer_behind_all_moves_nobody(intervals):
    before = ranges(intervals)
    after = ranges([*intervals, (-2, -1)])
    assert [(rank.first, rank.last) for rank in before] == [
        (rank.first, rank.last) for rank in after[:-1]
    ]
    assert after[-1].first == after[-1].last == len(intervals) + 1


def test_alike_rows_share_all_places_and_sure_ones_have_one():
    assert ranges([(1, 9), (2, 8), (3, 7)]) == [Rank(1, 1, 3, 3)] * 3
    assert [str(rank) for rank in ranges([(0, 1), (6, 7), (2, 4)])] == ["3", "1", "2"]
    assert str(Rank(point=3, first=2, last=4, of=7)) == "2–4"


def test_rows_of_one_score_are_not_told_apart():
    assert ranges([(1, 1), (1, 1)], told_apart=lambda one, other: True) == [Rank(1, 1, 2, 2)] * 2
