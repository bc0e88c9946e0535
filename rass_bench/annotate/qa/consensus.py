"""One label map out of several opinions: by majority, and by STAPLE.

Marking a pixel as ignore is an opinion like naming a class. A pixel that an annotator drew
nothing on is a missing opinion and moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.qa.agreement import check_maps
from rass_bench.errors import UserError
from rass_bench.labels import IGNORE

_MISSING = 256
"""Stands, in this module, for no opinion: ignore is one."""

_START = 0.99
"""Share of right answers that STAPLE starts from for every annotator and class."""

_TIE = 1e-6
"""Two classes whose probabilities differ by less are tied."""


@dataclass(frozen=True)
class StapleResult:
    """What STAPLE estimates from several opinions on one photo.

    Attributes:
        labels: the most probable class of each pixel, uint8 (H, W); 255 where ignore is, where two
            are tied and where nobody has an opinion.
        probability: of that class (of ignore, where ignore is most probable), float32 (H, W); 0
            where nobody has an opinion.
        ids: the S ids that anybody used, ascending, int64 (S,); 255 stands for ignore.
        performance: share of the pixels of truth ``ids[t]`` that annotator r gives ``ids[s]``, at
            (r, s, t), float64 (R, S, S); columns sum to 1. The diagonals are sensitivities.
        iterations: rounds of expectation and maximisation.
        converged: whether the last round moved no probability by more than the tolerance.
    """

    labels: NDArray[np.uint8]
    probability: NDArray[np.float32]
    ids: NDArray[np.int64]
    performance: NDArray[np.float64]
    iterations: int
    converged: bool


@dataclass(frozen=True)
class _Patterns:
    """The distinct combinations of opinions on a pixel: there are few, and EM needs no pixels.

    Attributes:
        ids: ids used by anybody, int64 (S,).
        opinions: index into ``ids`` by pattern and annotator, S = missing, int64 (P, R).
        count: pixels of each pattern, float64 (P,).
        of_pixel: pattern of each pixel, int64 (H, W).
    """

    ids: NDArray[np.int64]
    opinions: NDArray[np.int64]
    count: NDArray[np.float64]
    of_pixel: NDArray[np.int64]

    def votes(self) -> NDArray[np.int64]:
        """Annotators of each pattern that gave each id, int64 (P, S)."""
        numbers = np.arange(len(self.ids))
        return np.asarray((self.opinions[:, :, None] == numbers).sum(axis=1))


def majority(
    maps: Sequence[NDArray[np.uint8]], covered: Sequence[NDArray[np.bool_]], classes: int
) -> NDArray[np.uint8]:
    """The class that most annotators gave each pixel; ties become ignore.

    Args:
        maps: label maps, uint8 (H, W), ids 0..classes-1 and 255 = ignore.
        covered: bool (H, W) each, where the annotator has an opinion.
        classes: K, at most 255.

    Returns:
        uint8 (H, W); 255 where ignore won, where there is a tie, and where nobody has an opinion.

    Raises:
        UserError: no map, sizes that differ, or an id that is no class.
    """
    patterns = _find_patterns(maps, covered, classes)
    votes = patterns.votes()
    if not votes.size:
        return np.full(maps[0].shape, IGNORE, dtype=np.uint8)
    winner, tied = _first_and_tied(votes.astype(np.float64), margin=0.5)
    clear = votes.any(axis=1) & ~tied
    chosen = np.where(clear, patterns.ids[winner], IGNORE).astype(np.uint8)
    return chosen[patterns.of_pixel]


def staple(
    maps: Sequence[NDArray[np.uint8]],
    covered: Sequence[NDArray[np.bool_]],
    classes: int,
    *,
    prior: NDArray[np.float64] | None = None,
    tolerance: float = 1e-7,
    max_iterations: int = 500,
) -> StapleResult:
    """Estimate truth and annotators together: STAPLE for several classes.

    Expectation: P(truth = t) of a pixel is proportional to prior(t) times, over the annotators r
    that gave it s, performance(r, s, t). Maximisation: performance(r, s, t) is the share of truth
    t, among the pixels annotator r has an opinion on, where it gave s (Warfield, Zou and Wells,
    IEEE TMI 23(7), 2004, equations 14 and 18 in their multi-category form, section II-E). Missing
    opinions drop out of both, as in Landman et al., IEEE TMI 31(2), 2012 (STAPLER). Everybody
    starts with ``0.99`` of right answers, the other classes sharing the rest.

    Two annotators who differ leave it to the prior and to how they do elsewhere whom to believe;
    from three on the estimate means something.

    Args:
        maps: label maps, uint8 (H, W), ids 0..classes-1 and 255 = ignore.
        covered: bool (H, W) each, where the annotator has an opinion.
        classes: K, at most 255.
        prior: probability of each class before any opinion, float64 (K + 1,), the last that of
            ignore; None takes the share of all opinions together, as Warfield et al. do.
        tolerance: the largest change of a probability at which to stop.
        max_iterations: the most rounds.

    Raises:
        UserError: no map, sizes that differ, an id that is no class, or a prior that rules out a
            class that somebody used.
    """
    patterns = _find_patterns(maps, covered, classes)
    size = len(patterns.ids)
    if not size:
        return _no_opinion(maps)
    weights = _prior_of(patterns, prior, classes)
    performance = np.full((len(maps), size, size), (1 - _START) / max(1, size - 1))
    performance[:, np.arange(size), np.arange(size)] = _START if size > 1 else 1.0
    posterior = _expect(patterns, performance, weights)
    iterations, change = 0, np.inf
    while change > tolerance and iterations < max_iterations:
        performance = _maximise(patterns, posterior, performance)
        updated = _expect(patterns, performance, weights)
        change = float(np.abs(updated - posterior).max())
        posterior, iterations = updated, iterations + 1
    winner, tied = _first_and_tied(posterior, _TIE)
    nobody = (patterns.opinions == size).all(axis=1)
    labels = np.where(tied | nobody, IGNORE, patterns.ids[winner]).astype(np.uint8)
    best = np.where(nobody, 0, posterior.max(axis=1)).astype(np.float32)
    return StapleResult(
        labels=labels[patterns.of_pixel],
        probability=best[patterns.of_pixel],
        ids=patterns.ids,
        performance=performance,
        iterations=iterations,
        converged=change <= tolerance,
    )


def _find_patterns(
    maps: Sequence[NDArray[np.uint8]], covered: Sequence[NDArray[np.bool_]], classes: int
) -> _Patterns:
    """Group the pixels by what all annotators say of them.

    Raises:
        UserError: see :func:`majority`.
    """
    # Imported here: grouping by hash is several times faster than numpy's by sorting.
    import pandas as pd

    if not maps:
        raise UserError("no opinion to find a consensus of", "consensus", "Annotate the photo.")
    check_maps(maps, classes)
    if any(drawn.shape != maps[0].shape for drawn in covered) or len(covered) != len(maps):
        raise UserError(
            "label maps and coverages differ in size or number",
            "consensus",
            "Compose the annotations again.",
        )
    values = [
        np.where(drawn, labels.astype(np.int16), _MISSING).reshape(-1)
        for labels, drawn in zip(maps, covered, strict=True)
    ]
    counts = np.sum([np.bincount(one, minlength=_MISSING + 1) for one in values], axis=0)
    used = np.flatnonzero(counts)
    ids = used[used != _MISSING]
    number = np.full(_MISSING + 1, len(ids))
    number[ids] = np.arange(len(ids))
    of_pixel = np.zeros(values[0].size, dtype=np.int64)
    for one in values:
        # Renumbered after every annotator, so that no number of annotators overflows.
        of_pixel, _ = pd.factorize(of_pixel * (len(ids) + 1) + number[one])
    count = np.bincount(of_pixel).astype(np.float64)
    any_pixel = np.empty(len(count), dtype=np.int64)
    any_pixel[of_pixel] = np.arange(of_pixel.size)
    opinions = np.stack([number[one[any_pixel]] for one in values], axis=1)
    return _Patterns(ids, opinions, count, of_pixel.reshape(maps[0].shape))


def _prior_of(
    patterns: _Patterns, prior: NDArray[np.float64] | None, classes: int
) -> NDArray[np.float64]:
    """The prior over the ids in use, float64 (S,)."""
    if prior is None:
        shares = patterns.count @ patterns.votes()
    else:
        place = np.where(patterns.ids == IGNORE, classes, patterns.ids)
        shares = np.asarray(prior, dtype=np.float64)[place]
    if not (shares > 0).all():
        raise UserError(
            f"the prior rules out id {patterns.ids[~(shares > 0)][0]}, which an annotator used",
            "consensus",
            "Give every class a positive prior.",
        )
    normalised: NDArray[np.float64] = shares / shares.sum()
    return normalised


def _expect(
    patterns: _Patterns, performance: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability of each truth by pattern, float64 (P, S)."""
    size = len(prior)
    likely = np.tile(prior, (len(patterns.count), 1))
    for annotator in range(len(performance)):
        # A missing opinion, index S, is as likely under every truth.
        table = np.concatenate([performance[annotator], np.ones((1, size))])
        likely *= table[patterns.opinions[:, annotator]]
    total = likely.sum(axis=1, keepdims=True)
    # Where more than a hundred opinions underflow under every truth, the prior is all there is.
    return np.where(total > 0, likely / np.where(total > 0, total, 1), prior)


def _maximise(
    patterns: _Patterns, posterior: NDArray[np.float64], previous: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each annotator's performance given the truth, float64 (R, S, S)."""
    size = len(patterns.ids)
    weighted = patterns.count[:, None] * posterior
    updated = previous.copy()
    for annotator, table in enumerate(updated):
        given = np.zeros((size + 1, size))
        np.add.at(given, patterns.opinions[:, annotator], weighted)
        total = given[:size].sum(axis=0)
        # Where an annotator has no opinion on any pixel of a truth, nothing is learnt.
        np.divide(given[:size], total, out=table, where=total > 0)
    return updated


def _first_and_tied(
    scores: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The best column of each row, and whether another lies within the margin of it."""
    winner = scores.argmax(axis=1)
    best = scores.max(axis=1, keepdims=True)
    tied: NDArray[np.bool_] = (scores > best - margin).sum(axis=1) > 1
    return winner, tied


def _no_opinion(maps: Sequence[NDArray[np.uint8]]) -> StapleResult:
    shape = maps[0].shape
    return StapleResult(
        labels=np.full(shape, IGNORE, dtype=np.uint8),
        probability=np.zeros(shape, dtype=np.float32),
        ids=np.zeros(0, dtype=np.int64),
        performance=np.zeros((len(maps), 0, 0)),
        iterations=0,
        converged=True,
    )
