"""A whole set of judged photos in a few numbers: pooled agreement, classes, annotators, reasons."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.qa.agreement import (
    BoundaryCounts,
    boundary_f1,
    cohen_kappa,
    iou_by_class,
    krippendorff_alpha,
)
from rass_bench.annotate.qa.findings import Decision, Severity, Verdict
from rass_bench.annotate.qa.measures import Measures
from rass_bench.labels import LabelSpace

_CONFUSIONS = 12
"""Pairs of classes that are listed."""


@dataclass(frozen=True)
class ClassRow:
    """One class over all photos; None where a measure is undefined.

    Attributes:
        class_id: the class.
        share: of all the pixels that annotators gave a class.
        iou: pooled over all pairs of annotations.
        boundary_f1: pooled likewise.
    """

    class_id: int
    share: float
    iou: float | None
    boundary_f1: float | None


@dataclass(frozen=True)
class Confusion:
    """Two classes that annotators gave the same pixels.

    Attributes:
        first: a class id.
        second: another one.
        share: of all pixels on which two annotators differ.
    """

    first: int
    second: int
    share: float


@dataclass(frozen=True)
class AnnotatorRow:
    """One annotator over all photos; None where nothing is known.

    Attributes:
        name: name or pseudonym.
        images: photos annotated.
        seconds: median time spent on one.
        untouched: photos whose pre-annotation was handed in as it was.
        unlabelled: mean share of a photo that nothing was drawn on.
        kappa: mean Cohen's kappa with the other annotators.
    """

    name: str
    images: int
    seconds: float | None
    untouched: int
    unlabelled: float
    kappa: float | None


@dataclass(frozen=True)
class Overview:
    """A set of judged photos; pooled measures are None where they are undefined.

    Attributes:
        decisions: photos by decision.
        checks: photos by check that found something in them and by what it asks for, the most
            frequent first.
        pixel_agreement: share of equal pixels, pooled over all pairs of annotations.
        kappa: Cohen's kappa, pooled likewise.
        alpha: Krippendorff's alpha, pooled over all photos.
        mean_iou: mean of the pooled IoU over classes.
        boundary_f1: mean of the pooled boundary F1 over classes.
        classes: the classes in use, the largest first.
        confusions: the pairs of classes that are confused most.
        annotators: by name.
    """

    decisions: dict[Decision, int]
    checks: tuple[tuple[str, Severity, int], ...]
    pixel_agreement: float | None
    kappa: float | None
    alpha: float | None
    mean_iou: float | None
    boundary_f1: float | None
    classes: tuple[ClassRow, ...]
    confusions: tuple[Confusion, ...]
    annotators: tuple[AnnotatorRow, ...]


def summarise(
    measures: Sequence[Measures], verdicts: Sequence[Verdict], space: LabelSpace
) -> Overview:
    """Pool what was measured of all photos; pixels are added up before anything is divided."""
    joint = np.zeros((space.size + 1, space.size + 1), dtype=np.int64)
    coincidence = np.zeros((space.size, space.size))
    boundary = BoundaryCounts(*(np.zeros(space.size, dtype=np.int64) for _ in range(4)))
    for one in measures:
        one.coincidence.add_to(coincidence)
        for pair in one.pairs:
            pair.agreement.joint.add_to(joint)
            boundary = _add(boundary, pair.agreement.boundary)
    both = joint[:-1, :-1]
    iou, f1 = iou_by_class(joint), boundary_f1(boundary)
    return Overview(
        decisions={kind: sum(one.decision is kind for one in verdicts) for kind in Decision},
        checks=_count_checks(verdicts),
        pixel_agreement=float(np.trace(both) / both.sum()) if both.any() else None,
        kappa=cohen_kappa(joint),
        alpha=krippendorff_alpha(coincidence),
        mean_iou=_mean(iou.tolist()),
        boundary_f1=_mean(f1.tolist()),
        classes=_class_rows(measures, iou, f1),
        confusions=_confusions(both),
        annotators=_annotator_rows(measures),
    )


def _add(one: BoundaryCounts, other: BoundaryCounts) -> BoundaryCounts:
    return BoundaryCounts(
        one.first + other.first,
        one.first_matched + other.first_matched,
        one.second + other.second,
        one.second_matched + other.second_matched,
    )


def _count_checks(verdicts: Sequence[Verdict]) -> tuple[tuple[str, Severity, int], ...]:
    """Photos by check; all classes of ``class-iou/...`` count as one check."""
    counts: Counter[tuple[str, Severity]] = Counter()
    for verdict in verdicts:
        counts.update({(one.check.split("/")[0], one.severity) for one in verdict.findings})
    return tuple((check, severity, count) for (check, severity), count in counts.most_common())


def _class_rows(
    measures: Sequence[Measures], iou: NDArray[np.float64], f1: NDArray[np.float64]
) -> tuple[ClassRow, ...]:
    pixels: Counter[int] = Counter()
    for one in measures:
        for single in one.singles:
            pixels.update({shape.class_id: shape.pixels for shape in single.shape.classes})
    total = pixels.total()
    return tuple(
        ClassRow(k, count / total, _defined(iou[k]), _defined(f1[k]))
        for k, count in pixels.most_common()
    )


def _confusions(both: NDArray[np.int64]) -> tuple[Confusion, ...]:
    """The most frequent pairs of different classes, in either order."""
    apart = np.triu(both + both.T, k=1)
    total = apart.sum()
    largest = np.argsort(-apart, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [divmod(int(place), len(both)) for place in largest if apart.flat[place]]
    return tuple(Confusion(k, other, float(apart[k, other] / total)) for k, other in pairs)


def _annotator_rows(measures: Sequence[Measures]) -> tuple[AnnotatorRow, ...]:
    names = sorted({single.annotator for one in measures for single in one.singles})
    rows = []
    for name in names:
        own = [one for photo in measures for one in photo.singles if one.annotator == name]
        pairs = [pair for photo in measures for pair in photo.pairs]
        kappas = [pair.agreement.kappa for pair in pairs if name in (pair.first, pair.second)]
        seconds = [one.seconds for one in own if one.seconds is not None]
        rows.append(
            AnnotatorRow(
                name=name,
                images=len(own),
                seconds=median(seconds) if seconds else None,
                untouched=sum(one.untouched for one in own),
                unlabelled=fmean(one.shape.unlabelled for one in own),
                kappa=_mean(kappas),
            )
        )
    return tuple(rows)


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None and not math.isnan(value)]
    return fmean(defined) if defined else None


def _defined(value: np.float64) -> float | None:
    return None if math.isnan(value) else float(value)
