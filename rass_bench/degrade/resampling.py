"""Resizing as ``torch.nn.functional.interpolate`` does it, without torch.

OpenCV's area mode differs from torch's at scales that are no whole number by up to a third of
the range, and its other modes cannot take a scale that is not the ratio of the two sizes.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.degrade.preset import ResizeMode

_CUBIC_A = -0.75
"""Slope parameter of the cubic kernel: the one of torch and OpenCV."""


def resize(
    image: NDArray[np.float32],
    height: int,
    width: int,
    mode: ResizeMode,
    scale: float | None = None,
) -> NDArray[np.float32]:
    """Resize to ``height`` x ``width`` pixels; corners are not aligned, nothing is clipped.

    Args:
        image: float32 (H, W, 3), any range.
        height: rows of the result.
        width: columns of the result.
        mode: area, bilinear or bicubic (a = -0.75); the latter two without antialiasing.
        scale: the factor that source positions are computed with, when it is not the ratio of
            the sizes: torch's ``scale_factor``. Area ignores it.

    Returns:
        float32 (height, width, 3).
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width) and scale in (None, 1.0):
        return image  # each mode is the identity here
    out = np.ascontiguousarray(image)
    # The cheaper order: the pass along rows is the slow one, so it sees the fewer rows.
    if height <= rows:
        out = _resize_rows(out, *_windows(rows, height, mode, scale))
        return _resize_columns(out, *_windows(columns, width, mode, scale))
    out = _resize_columns(out, *_windows(columns, width, mode, scale))
    return _resize_rows(out, *_windows(rows, height, mode, scale))


def _windows(
    length: int, target: int, mode: ResizeMode, scale: float | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which source pixels make each target pixel.

    Returns:
        The first pixel of each target's window, int64 (target,), and the window's weights,
        float32 (target, taps). Windows never leave the source: a weight outside is added to the
        border pixel's.
    """
    if mode is ResizeMode.AREA:
        return _area_windows(length, target)
    step = length / target if scale is None else 1.0 / scale
    centre = (np.arange(target) + 0.5) * step - 0.5
    if mode is ResizeMode.BILINEAR:
        centre = np.clip(centre, 0, length - 1)
    base = np.floor(centre).astype(np.int64)
    part = centre - base
    if mode is ResizeMode.BILINEAR:
        wanted, weights = base[:, None] + np.arange(2), np.stack([1 - part, part], axis=1)
    else:
        wanted = base[:, None] + np.arange(-1, 3)
        weights = np.stack([_cubic(1 + part), _cubic(part), _cubic(1 - part), _cubic(2 - part)], 1)
    return _fold(np.clip(wanted, 0, length - 1), weights, length)


def _area_windows(length: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Plain means over pixels [floor(i r), ceil((i + 1) r)), r = length / target.

    That is torch's adaptive average pooling, which ``mode="area"`` stands for.
    """
    index = np.arange(target)
    first = index * length // target
    count = -((-(index + 1) * length) // target) - first
    taps = int(count.max())
    start = np.minimum(first, length - taps)
    place = start[:, None] + np.arange(taps)
    inside = (place >= first[:, None]) & (place < (first + count)[:, None])
    return start, (inside / count[:, None]).astype(np.float32)


def _fold(
    wanted: NDArray[np.int64], weights: NDArray[np.float64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Add up the weights of one target that fall on the same source pixel."""
    taps = min(wanted.shape[1], length)
    start = np.minimum(wanted.min(axis=1), length - taps)
    folded = np.zeros((len(start), taps))
    targets = np.arange(len(start))
    for tap in range(wanted.shape[1]):
        np.add.at(folded, (targets, wanted[:, tap] - start), weights[:, tap])
    return start, folded.astype(np.float32)


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel (IEEE TASSP 1981, eq. 15 with a free) for 0 <= d <= 2."""
    d, a = distance, _CUBIC_A
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * a * d - 4 * a
    return np.asarray(np.where(d <= 1, near, far))


def _resize_rows(
    image: NDArray[np.float32], start: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Combine whole rows: (H, W, 3) to (len(start), W, 3)."""
    rows, columns = image.shape[:2]
    out = np.empty((len(start), columns * 3), dtype=np.float32)
    _combine_rows(image.reshape(rows, columns * 3), start, weights, out)
    return out.reshape(len(start), columns, 3)


def _resize_columns(
    image: NDArray[np.float32], start: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Combine pixels within rows: (H, W, 3) to (H, len(start), 3)."""
    out = np.empty((image.shape[0], len(start), 3), dtype=np.float32)
    _combine_columns(image, start, weights, out)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _combine_rows(
    image: NDArray[np.float32],
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for y in range(out.shape[0]):
        row = out[y]
        source = image[start[y]]
        weight = weights[y, 0]
        for i in range(row.size):
            row[i] = weight * source[i]
        for tap in range(1, weights.shape[1]):
            source = image[start[y] + tap]
            weight = weights[y, tap]
            if weight != 0:
                for i in range(row.size):
                    row[i] += weight * source[i]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _combine_columns(
    image: NDArray[np.float32],
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    height, width = out.shape[:2]
    for y in range(height):
        for x in range(width):
            red = green = blue = np.float32(0)
            for tap in range(weights.shape[1]):
                weight = weights[x, tap]
                pixel = image[y, start[x] + tap]
                red += weight * pixel[0]
                green += weight * pixel[1]
                blue += weight * pixel[2]
            out[y, x, 0] = red
            out[y, x, 1] = green
            out[y, x, 2] = blue
