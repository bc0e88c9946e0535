"""How far annotators agree on one photo: overlap, boundaries, and agreement beyond chance.

Overlap and chance-corrected agreement come from one table of counts, the joint counts of two
label maps, which may be added up over photos first. A pixel that an annotator gave no class (255)
is a missing value: it counts in the table's last row or column and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.labels import IGNORE
from rass_bench.metrics.confusion import joint_histogram
from rass_bench.metrics.registry import ClassCounts
from rass_bench.metrics.segmentation import iou_per_class

BOUNDARY_TOLERANCE = 0.0075
"""Distance, as a share of the image diagonal, at which two boundaries still match.

The value of Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic
segmentation?", BMVC 2013, section 3; DAVIS takes 0.008 (Perazzi et al., CVPR 2016, section 4).
"""


@dataclass(frozen=True)
class BoundaryCounts:
    """Boundary pixels of two label maps by class; every array is int64 (K,).

    Attributes:
        first: boundary pixels of the first map that can be judged.
        first_matched: those that have a boundary pixel of the same class in the second map nearby.
        second: boundary pixels of the second map that can be judged.
        second_matched: those with one in the first map nearby.
    """

    first: NDArray[np.int64]
    first_matched: NDArray[np.int64]
    second: NDArray[np.int64]
    second_matched: NDArray[np.int64]


@dataclass(frozen=True)
class ClassTable:
    """A square table of counts by class, without the rows and columns of zeros.

    One photo holds a few of the classes; the tables of thousands of photos fit in memory so.

    Attributes:
        ids: the classes in use, ascending, int64 (n,).
        counts: (n, n).
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.int64 | np.float64]

    def add_to(self, table: NDArray[np.int64 | np.float64]) -> None:
        """Add the counts to a table of all classes, (size, size)."""
        np.add.at(table, np.ix_(self.ids, self.ids), self.counts)


def compact(table: NDArray[np.int64 | np.float64]) -> ClassTable:
    """Leave out the classes whose row and column are zero."""
    ids = np.flatnonzero(table.any(axis=0) | table.any(axis=1))
    return ClassTable(ids, table[np.ix_(ids, ids)])


@dataclass(frozen=True)
class PairAgreement:
    """How far two annotators agree on one photo; None and NaN where a measure is undefined.

    Attributes:
        joint: joint counts, see :func:`joint_counts`, to be added up over photos.
        boundary: boundary counts, to be added up over photos.
        both_labelled: share of the pixels that both gave a class.
        one_labelled: share of the pixels that only one of them gave a class.
        pixel_agreement: share of the pixels labelled by both where the classes are equal.
        kappa: Cohen's kappa.
        mean_iou: mean IoU over the classes that either of them used.
        boundary_f1: mean boundary F1 over the classes that have a boundary in either map.
        class_iou: IoU by class, float64 (K,).
        class_boundary_f1: boundary F1 by class, float64 (K,).
    """

    joint: ClassTable
    boundary: BoundaryCounts
    both_labelled: float
    one_labelled: float
    pixel_agreement: float | None
    kappa: float | None
    mean_iou: float | None
    boundary_f1: float | None
    class_iou: NDArray[np.float64]
    class_boundary_f1: NDArray[np.float64]


def compare(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    classes: int,
    tolerance: float = BOUNDARY_TOLERANCE,
) -> PairAgreement:
    """All measures of agreement between two label maps of one photo.

    Args:
        first: label map, uint8 (H, W), ids 0..classes-1 and 255 = no class.
        second: the other annotator's.
        classes: K, at most 255.
        tolerance: see :func:`boundary_counts`.

    Raises:
        UserError: the sizes differ, or an id is no class.
    """
    joint = joint_counts(first, second, classes)
    boundary = boundary_counts(first, second, classes, tolerance)
    both = joint[:classes, :classes]
    one = joint[classes, :classes].sum() + joint[:classes, classes].sum()
    class_iou, class_boundary_f1 = iou_by_class(joint), boundary_f1(boundary)
    return PairAgreement(
        joint=compact(joint),
        boundary=boundary,
        both_labelled=float(both.sum() / max(1, first.size)),
        one_labelled=float(one / max(1, first.size)),
        pixel_agreement=float(np.trace(both) / both.sum()) if both.any() else None,
        kappa=cohen_kappa(joint),
        mean_iou=_mean(class_iou),
        boundary_f1=_mean(class_boundary_f1),
        class_iou=class_iou,
        class_boundary_f1=class_boundary_f1,
    )


def joint_counts(
    first: NDArray[np.uint8], second: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Count the pixels of each pair of classes that two annotators gave.

    Args:
        first: label map, uint8 (H, W), ids 0..classes-1 and 255 = no class.
        second: the other annotator's.
        classes: K, at most 255.

    Returns:
        int64 (K + 1, K + 1); rows are the first annotator's classes, columns the second's, and
        the last of each stands for no class.

    Raises:
        UserError: the sizes differ, or an id is no class.
    """
    check_maps((first, second), classes)
    kept = [*range(classes), IGNORE]
    return joint_histogram(first, second)[np.ix_(kept, kept)].astype(np.int64)


def check_maps(maps: Sequence[NDArray[np.uint8]], classes: int) -> None:
    """Refuse label maps of one photo that cannot be compared.

    Raises:
        UserError: the sizes differ, a map is not 8-bit, or an id is neither a class nor 255.
    """
    sizes = sorted({_size(labels) for labels in maps})
    if len(sizes) > 1:
        raise UserError(
            f"label maps of one photo have different sizes: {' and '.join(sizes)}",
            "agreement",
            "Every mask must have the size of its photo; annotate those that have not again.",
        )
    for labels in maps:
        if labels.dtype != np.uint8:
            raise UserError(
                f"a label map holds {labels.dtype} values", "agreement", "Use uint8 class ids."
            )
        outside = labels[(labels >= classes) & (labels != IGNORE)]
        if outside.size:
            raise UserError(
                f"a label map holds class id {outside[0]}; ids are 0..{classes - 1} and {IGNORE}",
                "agreement",
                "Check that its label space is the data set's and that ids were shifted once.",
            )


def iou_by_class(joint: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class among the pixels that both annotators labelled.

    Args:
        joint: int64 (K + 1, K + 1), see :func:`joint_counts`; sums over photos pool them.

    Returns:
        float64 (K,) in 0..1; NaN for classes that neither used there.
    """
    both = joint[:-1, :-1]
    counts = ClassCounts(
        truth=both.sum(axis=1), predicted=both.sum(axis=0), correct=np.diagonal(both)
    )
    return iou_per_class(counts)


def cohen_kappa(joint: NDArray[np.int64]) -> float | None:
    """Cohen's kappa: agreement beyond what the annotators' own class frequencies give by chance.

    (p_o - p_e) / (1 - p_e) with p_o the share of agreeing pixels and p_e the sum over classes of
    the product of both annotators' shares (Cohen, Educational and Psychological Measurement 20(1),
    1960, equation 1). Only pixels that both labelled count.

    Args:
        joint: int64 (K + 1, K + 1), see :func:`joint_counts`; sums over photos pool them.

    Returns:
        At most 1; None where chance alone gives full agreement (both used one and the same class)
        or no pixel was labelled by both.
    """
    both = joint[:-1, :-1].astype(np.float64)
    total = float(both.sum())
    if total == 0:
        return None
    expected = float(both.sum(axis=0) @ both.sum(axis=1)) / total**2
    if expected == 1:
        return None
    return (float(np.trace(both)) / total - expected) / (1 - expected)


def coincidences(maps: Sequence[NDArray[np.uint8]], classes: int) -> NDArray[np.float64]:
    """Krippendorff's coincidence matrix of any number of annotators, with missing values.

    Cell (c, k) adds up, over the pixels that m >= 2 annotators labelled, the number of ordered
    pairs of them that gave c and k, divided by m - 1 (Krippendorff, "Computing Krippendorff's
    Alpha-Reliability", 2011, section C).

    Args:
        maps: the annotators' label maps, uint8 (H, W), ids 0..classes-1 and 255 = missing.
        classes: K, at most 255.

    Returns:
        float64 (K, K), symmetric; sums over photos pool them.

    Raises:
        UserError: the sizes differ, or an id is no class.
    """
    check_maps(maps, classes)
    if len(maps) == 2:
        pairs = joint_histogram(maps[0], maps[1])[:classes, :classes].astype(np.float64)
        return pairs + pairs.T
    table = _coincidences(np.stack([labels.reshape(-1) for labels in maps]))
    return np.asarray(table[:classes, :classes], dtype=np.float64)


def krippendorff_alpha(coincidence: NDArray[np.float64]) -> float | None:
    """Krippendorff's alpha for nominal values: 1 - observed over expected disagreement.

    1 - (n - 1) * sum of o_ck over c != k / sum of n_c n_k over c != k, with o the coincidences,
    n_c their row sums and n their total (Krippendorff 2011, section C).

    Args:
        coincidence: float64 (K, K), see :func:`coincidences`.

    Returns:
        At most 1; None where only one class was used, so that nothing can be told.
    """
    frequency = coincidence.sum(axis=1)
    total = frequency.sum()
    expected = total**2 - frequency @ frequency
    if np.count_nonzero(frequency) < 2:
        return None
    observed = total - np.trace(coincidence)
    return float(1 - (total - 1) * observed / expected)


def boundary_counts(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    classes: int,
    tolerance: float = BOUNDARY_TOLERANCE,
) -> BoundaryCounts:
    """Count the boundary pixels of two label maps that lie near one of the same class.

    A boundary pixel is one with a 4-neighbour of another id, 255 included; the frame of the photo
    is no boundary. Each map's boundary pixels are looked up in the other's, within a Euclidean
    distance of ``tolerance`` times the image diagonal (Csurka et al. 2013, section 3). Pixels
    that the other annotator gave no class cannot be judged and are left out.

    Args:
        first: label map, uint8 (H, W), ids 0..classes-1 and 255 = no class.
        second: the other annotator's, of the same size.
        classes: K, at most 255.
        tolerance: share of the diagonal; the distance is at least one pixel.
    """
    radius = max(1.0, tolerance * math.hypot(*first.shape))
    offsets = _disk(radius)
    edges = _boundary_ids(first), _boundary_ids(second)
    judged_first, matched_first = _match(edges[0], edges[1], second, offsets)
    judged_second, matched_second = _match(edges[1], edges[0], first, offsets)
    return BoundaryCounts(
        judged_first[:classes],
        matched_first[:classes],
        judged_second[:classes],
        matched_second[:classes],
    )


def boundary_f1(counts: BoundaryCounts) -> NDArray[np.float64]:
    """F1 of boundary precision and recall by class (Csurka et al. 2013, section 3).

    Which annotator is taken for the truth changes nothing: precision and recall swap.

    Returns:
        float64 (K,) in 0..1; 0 where one map alone has a boundary of the class, NaN where none.
    """
    found = counts.first_matched * counts.second_matched
    # F1 = 2PR / (P + R) with P = a / A and R = b / B is 2ab / (aB + bA).
    below = counts.first_matched * counts.second + counts.second_matched * counts.first
    f1 = np.where((counts.first > 0) | (counts.second > 0), 0.0, np.nan)
    np.divide(2 * found, below, out=f1, where=below > 0)
    return f1


def _mean(values: NDArray[np.float64]) -> float | None:
    """Mean of the values that are defined."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else None


def _disk(radius: float) -> NDArray[np.int64]:
    """Offsets (row, column) within the radius, the nearest first, int64 (n, 2)."""
    reach = int(radius)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = (rows**2 + columns**2).ravel()
    order = np.argsort(squared, kind="stable")
    order = order[squared[order] <= radius**2]
    return np.stack([rows.ravel()[order], columns.ravel()[order]], axis=1).astype(np.int64)


def _boundary_ids(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The label map with 255 wherever no boundary runs."""
    edge = np.zeros(labels.shape, dtype=np.bool_)
    vertical, horizontal = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= vertical
    edge[:-1] |= vertical
    edge[:, 1:] |= horizontal
    edge[:, :-1] |= horizontal
    return np.where(edge, labels, np.uint8(IGNORE))


@njit(cache=True, nogil=True)
def _match(edges, others, other_labels, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """By id: boundary pixels whose place the other map labels, and those it has one near."""
    height, width = edges.shape
    judged = np.zeros(256, dtype=np.int64)
    matched = np.zeros(256, dtype=np.int64)
    for y in range(height):
        for x in range(width):
            own = edges[y, x]
            if own == IGNORE or other_labels[y, x] == IGNORE:
                continue
            judged[own] += 1
            for i in range(offsets.shape[0]):
                row, column = y + offsets[i, 0], x + offsets[i, 1]
                inside = 0 <= row < height and 0 <= column < width
                if inside and others[row, column] == own:
                    matched[own] += 1
                    break
    return judged, matched


@njit(cache=True, nogil=True)
def _coincidences(values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The coincidence matrix (256, 256) of values (annotators, pixels)."""
    table = np.zeros((256, 256), dtype=np.float64)
    given = np.empty(values.shape[0], dtype=np.uint8)
    for pixel in range(values.shape[1]):
        count = 0
        for annotator in range(values.shape[0]):
            if values[annotator, pixel] != IGNORE:
                given[count] = values[annotator, pixel]
                count += 1
        for i in range(count):
            for j in range(count):
                if i != j:
                    table[given[i], given[j]] += 1.0 / (count - 1)
    return table


def _size(labels: NDArray[np.uint8]) -> str:
    return " x ".join(str(side) for side in reversed(labels.shape))
