"""What one label map looks like by itself: coverage, specks, holes, rough boundaries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.annotate.qa.agreement import check_maps
from rass_bench.errors import UserError
from rass_bench.labels import IGNORE

SMOOTHING = 9
"""Boundary points that are averaged for the smooth outline that roughness compares with."""


@dataclass(frozen=True)
class ClassShape:
    """The regions of one class in a label map.

    Attributes:
        class_id: the class.
        pixels: pixels of the class.
        components: 8-connected regions.
        specks: regions smaller than the limit.
        speck_pixels: pixels in them.
        roughness: see :func:`measure_shape`; None where no outline is long enough.
    """

    class_id: int
    pixels: int
    components: int
    specks: int
    speck_pixels: int
    roughness: float | None


@dataclass(frozen=True)
class Shape:
    """One annotator's label map of one photo by itself.

    Attributes:
        labelled: share of the pixels that have a class.
        ignored: share of the pixels that were marked as ignore.
        unlabelled: share of the pixels that nothing was drawn on.
        holes: small gaps that nothing was drawn on, enclosed by what was.
        hole_pixels: pixels in them.
        specks: regions of a class that are smaller than the limit.
        speck_pixels: pixels in them.
        roughness: of all outlines together, see :func:`measure_shape`; None without outlines.
        classes: the classes present, by id.
    """

    labelled: float
    ignored: float
    unlabelled: float
    holes: int
    hole_pixels: int
    specks: int
    speck_pixels: int
    roughness: float | None
    classes: tuple[ClassShape, ...]


def measure_shape(
    labels: NDArray[np.uint8], covered: NDArray[np.bool_], classes: int, speck_share: float
) -> Shape:
    """Measure a label map without knowing the photo or any other opinion.

    Roughness is the length of the outlines over their length after a moving average of
    ``SMOOTHING`` points, minus 1: below 0.1 for a digital straight line at any angle, about 1 for
    one that zigzags from pixel to pixel. Outline points near the frame do not count.

    Args:
        labels: label map, uint8 (H, W), ids 0..classes-1 and 255 = no class.
        covered: bool (H, W), where anything was drawn, ignore included.
        classes: K, at most 255.
        speck_share: regions and gaps of less than this share of the photo's pixels are specks and
            holes.

    Raises:
        UserError: an id is no class, or the sizes differ.
    """
    check_maps((labels,), classes)
    if covered.shape != labels.shape:
        raise UserError(
            "a label map and its coverage differ in size", "QA", "Compose the annotation again."
        )
    limit = speck_share * labels.size
    ids, areas = _regions(labels)
    measured = [
        _measure_class(labels, int(one), areas[ids == one], limit) for one in np.unique(ids)
    ]
    shapes = tuple(shape for shape, _ in measured)
    outline, smooth = np.sum([lengths for _, lengths in measured], axis=0) if measured else (0, 0)
    holes, hole_pixels = _find_holes(covered, limit)
    return Shape(
        labelled=float(np.mean(labels != IGNORE)),
        ignored=float(np.mean(covered & (labels == IGNORE))),
        unlabelled=float(np.mean(~covered)),
        holes=holes,
        hole_pixels=hole_pixels,
        specks=sum(one.specks for one in shapes),
        speck_pixels=sum(one.speck_pixels for one in shapes),
        roughness=float(outline / smooth - 1) if smooth else None,
        classes=shapes,
    )


def _measure_class(
    labels: NDArray[np.uint8], class_id: int, areas: NDArray[np.int64], limit: float
) -> tuple[ClassShape, tuple[float, float]]:
    """One class, and the lengths of its outlines as they are and smoothed.

    Args:
        labels: the label map.
        class_id: the class.
        areas: pixels of each of its regions.
        limit: regions below it are specks.
    """
    specks = areas[areas < limit]
    outline, smooth = _outline_lengths(labels, class_id)
    shape = ClassShape(
        class_id=class_id,
        pixels=int(areas.sum()),
        components=areas.size,
        specks=specks.size,
        speck_pixels=int(specks.sum()),
        roughness=outline / smooth - 1 if smooth else None,
    )
    return shape, (outline, smooth)


def _outline_lengths(labels: NDArray[np.uint8], class_id: int) -> tuple[float, float]:
    """Length of a class's outlines as they are and smoothed, both over the same points."""
    import cv2

    whole = (labels == class_id).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(whole)
    mask = whole[top : top + height, left : left + width]
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    last = np.array([labels.shape[1] - 1, labels.shape[0] - 1])
    # Shorter outlines shrink under the average; they are specks.
    long = [one[:, 0] for one in contours if len(one) >= 4 * SMOOTHING]
    lengths = np.array([_contour_lengths(points, last) for points in long])
    outline, smooth = lengths.sum(axis=0) if long else (0.0, 0.0)
    return float(outline), float(smooth)


@njit(cache=True, nogil=True)
def _contour_lengths(points, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Length of one closed outline (n, 2), x and y, as it is and smoothed.

    A step counts where no point that the averages at its ends are taken of lies on the frame.
    """
    half, count = SMOOTHING // 2, len(points)
    total_x, total_y, at_frame = 0, 0, 0
    averaged = np.empty((count, 2))
    away = np.empty(count, dtype=np.bool_)
    for i in range(-half - 1, count + half):
        x, y = points[i % count]
        total_x, total_y = total_x + x, total_y + y
        at_frame += x == 0 or y == 0 or x == last[0] or y == last[1]
        if i - SMOOTHING >= -half - 1:
            x, y = points[(i - SMOOTHING) % count]
            total_x, total_y = total_x - x, total_y - y
            at_frame -= x == 0 or y == 0 or x == last[0] or y == last[1]
        if i >= half:
            averaged[i - half] = total_x / SMOOTHING, total_y / SMOOTHING
            away[i - half] = at_frame == 0
    outline, smooth = 0.0, 0.0
    for i in range(count):
        after = (i + 1) % count
        if away[i] and away[after]:
            outline += _distance(points, i, after)
            smooth += _distance(averaged, i, after)
    return outline, smooth


@njit(cache=True, nogil=True)
def _distance(points, i, j):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return math.hypot(points[j, 0] - points[i, 0], points[j, 1] - points[i, 1])


@njit(cache=True, nogil=True)
def _regions(labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Class and pixels of each 8-connected region of one class, both int64 (n,).

    In one pass, every pixel joins the regions of its class that touch it from the left and from
    above (union-find); the last two rows are all that is kept of the map.
    """
    height, width = labels.shape
    parent = np.empty(labels.size, dtype=np.int32)
    pixels = np.empty(labels.size, dtype=np.int64)
    ids = np.empty(labels.size, dtype=np.int64)
    above, here = np.zeros(width, dtype=np.int32), np.zeros(width, dtype=np.int32)
    count = 0
    for y in range(height):
        above, here = here, above
        for x in range(width):
            own = labels[y, x]
            if own == IGNORE:
                continue
            region = -1
            if x and labels[y, x - 1] == own:
                region = _join(parent, region, here[x - 1])
            if y:
                for neighbour in range(max(0, x - 1), min(width, x + 2)):
                    if labels[y - 1, neighbour] == own:
                        region = _join(parent, region, above[neighbour])
            if region < 0:
                region = count
                parent[count], pixels[count], ids[count] = count, 0, own
                count += 1
            here[x] = region
            pixels[region] += 1
    # A region joins one that began earlier: from the last to the first, each has all its pixels.
    for region in range(count - 1, -1, -1):
        if parent[region] != region:
            pixels[parent[region]] += pixels[region]
    first = np.flatnonzero(parent[:count] == np.arange(count))
    return ids[first], pixels[first]


@njit(cache=True, nogil=True)
def _join(parent, region, other):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Make one region of the root ``region`` (-1 for none) and the one that holds ``other``."""
    while parent[other] != other:
        parent[other] = parent[parent[other]]
        other = parent[other]
    if region < 0:
        return other
    parent[max(region, other)] = min(region, other)
    return min(region, other)


def _find_holes(covered: NDArray[np.bool_], limit: float) -> tuple[int, int]:
    """Number and pixels of the 4-connected gaps below the limit that do not reach the frame."""
    import cv2

    gaps = (~covered).astype(np.uint8)
    if not gaps.any():
        return 0, 0
    _, _, statistics, _ = cv2.connectedComponentsWithStats(gaps, connectivity=4)
    left, top, width, height, areas = statistics[1:].T
    enclosed = (left > 0) & (top > 0)
    enclosed &= (left + width < covered.shape[1]) & (top + height < covered.shape[0])
    holes = areas[enclosed & (areas < limit)]
    return holes.size, int(holes.sum())
