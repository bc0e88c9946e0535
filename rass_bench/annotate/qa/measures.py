"""Everything that is measured of one photo and the opinions on it, before any judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.qa.agreement import (
    ClassTable,
    PairAgreement,
    coincidences,
    compact,
    compare,
    krippendorff_alpha,
)
from rass_bench.annotate.qa.quality import score_confidence, self_confidence
from rass_bench.annotate.qa.shape import Shape, measure_shape
from rass_bench.labels import LabelSpace


@dataclass(frozen=True)
class Opinion:
    """One annotator's work on one photo.

    Attributes:
        annotator: name or pseudonym.
        labels: label map, uint8 (H, W), class ids and 255 = no class.
        covered: bool (H, W), where anything was drawn, ignore included.
        seconds: time spent, or None where it is unknown.
        untouched: whether a model's pre-annotation was handed in as it was.
    """

    annotator: str
    labels: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    seconds: float | None = None
    untouched: bool = False


@dataclass(frozen=True)
class Single:
    """What is measured of one opinion.

    Attributes:
        annotator: whose it is.
        shape: the label map by itself.
        seconds: time spent, or None.
        untouched: whether a model's pre-annotation was handed in as it was.
        quality: label quality against a model, 0..1; None without a model or a label.
    """

    annotator: str
    shape: Shape
    seconds: float | None
    untouched: bool
    quality: float | None


@dataclass(frozen=True)
class Pair:
    """What is measured of two opinions."""

    first: str
    second: str
    agreement: PairAgreement


@dataclass(frozen=True)
class Measures:
    """What is measured of one photo.

    Attributes:
        sample: the photo's id.
        singles: each opinion by itself.
        pairs: every two opinions.
        coincidence: Krippendorff's coincidences of all opinions, to be added up over photos.
        alpha: Krippendorff's alpha of all opinions; None where it is undefined.
    """

    sample: str
    singles: tuple[Single, ...]
    pairs: tuple[Pair, ...]
    coincidence: ClassTable
    alpha: float | None

    @property
    def quality(self) -> float | None:
        """The lowest label quality of any opinion."""
        return min((one.quality for one in self.singles if one.quality is not None), default=None)

    def worst(self, measure: str) -> float | None:
        """The lowest value of a measure of :class:`PairAgreement` over all pairs."""
        values = [getattr(pair.agreement, measure) for pair in self.pairs]
        return min((value for value in values if value is not None), default=None)


def measure(
    sample: str,
    opinions: Sequence[Opinion],
    space: LabelSpace,
    *,
    speck_share: float,
    boundary_tolerance: float,
    probabilities: NDArray[np.float32] | None = None,
    valid: tuple[float, float] = (1.0, 1.0),
) -> Measures:
    """Measure one photo's opinions by themselves, against each other and against a model.

    Args:
        sample: the photo's id.
        opinions: all of one size.
        space: the classes.
        speck_share: see :func:`~rass_bench.annotate.qa.shape.measure_shape`.
        boundary_tolerance: see :func:`~rass_bench.annotate.qa.agreement.boundary_counts`.
        probabilities: a model's, float32 (K, h, w) at any stride; None without a model.
        valid: see :func:`~rass_bench.annotate.qa.quality.self_confidence`.

    Raises:
        UserError: sizes that differ, or an id that is no class.
    """
    singles = []
    for one in opinions:
        quality = None
        if probabilities is not None:
            quality = score_confidence(self_confidence(one.labels, probabilities, valid))
        shape = measure_shape(one.labels, one.covered, space.size, speck_share)
        singles.append(Single(one.annotator, shape, one.seconds, one.untouched, quality))
    pairs = tuple(
        Pair(
            first.annotator,
            second.annotator,
            compare(first.labels, second.labels, space.size, boundary_tolerance),
        )
        for first, second in combinations(opinions, 2)
    )
    table = np.zeros((space.size, space.size))
    if len(opinions) > 1:
        table = coincidences([one.labels for one in opinions], space.size)
    return Measures(sample, tuple(singles), pairs, compact(table), krippendorff_alpha(table))
