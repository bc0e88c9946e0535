"""What one label map looks like by itself: coverage, specks, holes, rough boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
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
    present = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)[:classes])
    measured = [_measure_class(labels, int(class_id), limit) for class_id in present]
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
    labels: NDArray[np.uint8], class_id: int, limit: float
) -> tuple[ClassShape, tuple[float, float]]:
    """One class, and the lengths of its outlines as they are and smoothed."""
    import cv2

    whole = cv2.compare(labels, class_id, cv2.CMP_EQ)
    left, top, width, height = cv2.boundingRect(whole)
    mask = whole[top : top + height, left : left + width]
    count, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    specks = areas[areas < limit]
    outline, smooth = _outline_lengths(mask, (top, left), labels.shape)
    shape = ClassShape(
        class_id=class_id,
        pixels=int(areas.sum()),
        components=count - 1,
        specks=specks.size,
        speck_pixels=int(specks.sum()),
        roughness=outline / smooth - 1 if smooth else None,
    )
    return shape, (outline, smooth)


def _outline_lengths(
    mask: NDArray[np.uint8], corner: tuple[int, int], size: tuple[int, ...]
) -> tuple[float, float]:
    """Length of a mask's outlines as they are and smoothed, both over the same points.

    Args:
        mask: uint8 (h, w), a part of the photo.
        corner: where it lies in the photo, row and column.
        size: height and width of the photo.
    """
    import cv2

    contours, _ = cv2.findContours(
        mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(corner[1], corner[0])
    )
    last = np.array([size[1] - 1, size[0] - 1])
    outline = smooth = 0.0
    for contour in contours:
        # Shorter outlines shrink under the average; they are specks.
        if len(contour) < 4 * SMOOTHING:
            continue
        points = contour[:, 0].astype(np.float64)
        averaged = _circular_mean(points)
        at_frame = ((points == 0) | (points == last)).any(axis=1).astype(np.float64)[:, None]
        # A step counts where no point that its average is taken of lies on the frame.
        away = _circular_mean(at_frame)[:, 0] < 0.5 / SMOOTHING
        counts = away & np.roll(away, -1)
        outline += _step_lengths(points)[counts].sum()
        smooth += _step_lengths(averaged)[counts].sum()
    return outline, smooth


def _circular_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moving average (n, d) of SMOOTHING neighbours on a closed curve."""
    half = SMOOTHING // 2
    wrapped = np.concatenate([values[-half - 1 :], values, values[:half]])
    total = wrapped.cumsum(axis=0)
    mean: NDArray[np.float64] = (total[SMOOTHING:] - total[:-SMOOTHING]) / SMOOTHING
    return mean


def _step_lengths(points: NDArray[np.float64]) -> Any:
    """Distance of each point (n, 2) of a closed curve to the next."""
    return np.hypot(*(np.roll(points, -1, axis=0) - points).T)


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
