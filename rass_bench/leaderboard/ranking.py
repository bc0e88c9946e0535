"""Ranks as ranges: of what is not told apart, neither is said to be ahead.

Of n rows, a row's range goes from 1 + (rows that are surely better) to n - (rows that are surely
worse). So Mogstad, Romano, Shaikh and Wilhelm build confidence sets for ranks from intervals of
differences (Inference for Ranks, Review of Economic Studies 91, 2024; reviewed in arXiv
2401.15205). Their intervals hold for all pairs together; ours are 95 % intervals of each pair on
its own, so that of twenty pairs that are truly alike one is told apart by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Rank:
    """Where a row stands in its ranking, 1 being best.

    Attributes:
        point: by the value alone; equal values share the lower number.
        first: the best place that it may have.
        last: the worst one.
        of: rows of the ranking.
    """

    point: int
    first: int
    last: int
    of: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def rank_ranges(
    rows: Sequence[T],
    score: Callable[[T], float],
    told_apart: Callable[[T, T], bool],
) -> list[Rank]:
    """The rank of each row.

    Args:
        rows: what is ranked.
        score: higher is better.
        told_apart: whether two rows of different scores surely differ; asked once a pair, in the
            order of ``rows``.

    Returns:
        One rank a row, with first <= point <= last.
    """
    scores = [score(row) for row in rows]
    better = [sum(other > own for other in scores) for own in scores]
    surely_better, surely_worse = [0] * len(rows), [0] * len(rows)
    for one in range(len(rows)):
        for other in range(one + 1, len(rows)):
            if scores[one] == scores[other] or not told_apart(rows[one], rows[other]):
                continue
            winner, loser = (one, other) if scores[one] > scores[other] else (other, one)
            surely_better[loser] += 1
            surely_worse[winner] += 1
    return [
        Rank(point=ahead + 1, first=sure + 1, last=len(rows) - behind, of=len(rows))
        for ahead, sure, behind in zip(better, surely_better, surely_worse, strict=True)
    ]
