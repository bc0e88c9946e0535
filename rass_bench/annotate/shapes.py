"""Polygons, rotated rectangles and ellipses as the pixels whose centres lie inside them.

Coordinates are in pixels, x to the right and y down, with the centre of the first pixel at
(0.5, 0.5). Shapes that share a border share no pixel and leave none out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_POINTS = 10_000
"""Polygons of more points are refused: no hand draws them."""

_THINNEST = 1e-6
"""Ellipses with a smaller radius, in pixels, hold no pixel; its square still has an inverse."""


@dataclass(frozen=True)
class Patch:
    """A mask cropped to its bounding box; without any pixel, of no rows and no columns.

    Attributes:
        top: row of the mask's first row in the photo.
        left: column of the mask's first column.
        mask: bool (h, w).
    """

    top: int
    left: int
    mask: NDArray[np.bool_]


def crop(mask: NDArray[np.bool_], top: int = 0, left: int = 0) -> Patch:
    """Crop a mask, bool (H, W), whose first pixel is (top, left) of the photo."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return Patch(0, 0, np.zeros((0, 0), dtype=np.bool_))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return Patch(top + int(rows[0]), left + int(columns[0]), mask[box].copy())


def paint(
    canvas: NDArray[Any], top: int, left: int, mask: NDArray[np.bool_], value: int | bool
) -> None:
    """Set the pixels of ``canvas``, (H, W), that a cropped mask at (top, left) holds.

    Raises:
        ValueError: the mask leans out of the canvas.
    """
    rows, columns = mask.shape
    view = canvas[top : top + rows, left : left + columns]
    if view.shape != mask.shape:
        raise ValueError(f"a mask of {mask.shape} at ({top}, {left}) leans out of {canvas.shape}")
    _set_where(view, mask, canvas.dtype.type(value))


@njit(cache=True, nogil=True)
def _set_where(canvas, mask, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """``canvas[mask] = value``, several times faster: numpy lists the pixels first."""
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if mask[y, x]:
                canvas[y, x] = value


def fill_polygon(points: NDArray[np.float64], height: int, width: int) -> Patch:
    """The pixels of a photo whose centres a polygon winds around.

    The non-zero winding rule fills it, as browsers' canvases and so Label Studio's page do: a
    part that the outline covers twice in one direction is inside.

    Args:
        points: corners (x, y) in order, float64 (N, 2); the last is joined to the first.
        height: rows of the photo; what leans out of it is cut off.
        width: columns of the photo.

    Raises:
        ValueError: fewer than 3 points, or more than ``MAX_POINTS``.
    """
    if not 3 <= len(points) <= MAX_POINTS:
        raise ValueError(f"a polygon of {len(points)} points, not 3 to {MAX_POINTS:,}")
    left, top = _first_centres(points.min(axis=0), width, height)
    right, bottom = _first_centres(points.max(axis=0), width, height)
    turns = np.zeros((bottom - top, right - left + 1), dtype=np.int16)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        # From the upper end to the lower, so that neighbours compute one border alike.
        sign, upper, lower = (1, start, end) if start[1] < end[1] else (-1, end, start)
        rows = np.arange(
            _first_centres(upper, width, height)[1], _first_centres(lower, width, height)[1]
        )
        if rows.size:
            slope = (lower[0] - upper[0]) / (lower[1] - upper[1])
            crossings = np.ceil(upper[0] + (rows + 0.5 - upper[1]) * slope - 0.5)
            turns[rows - top, np.clip(crossings, left, right).astype(np.int64) - left] += sign
    winding = np.cumsum(turns, axis=1, dtype=np.int16)[:, :-1]
    return crop(winding != 0, top, left)


def rectangle_corners(
    x: float, y: float, width: float, height: float, degrees: float
) -> NDArray[np.float64]:
    """Corners, float64 (4, 2), of a rectangle turned clockwise about its corner (x, y)."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, down = np.array([cosine, sine]) * width, np.array([-sine, cosine]) * height
    corner = np.array([x, y])
    return np.stack([corner, corner + along, corner + along + down, corner + down])


def fill_ellipse(
    centre: tuple[float, float],
    radii: tuple[float, float],
    degrees: float,
    height: int,
    width: int,
) -> Patch:
    """The pixels of a photo whose centres lie in an ellipse or on its border.

    Args:
        centre: (x, y).
        radii: along x and along y before it is turned.
        degrees: how far it is turned clockwise about its centre.
        height: rows of the photo; what leans out of it is cut off.
        width: columns of the photo.
    """
    if min(radii) < _THINNEST:
        return crop(np.zeros((0, 0), dtype=np.bool_))
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, along = 1 / radii[0] ** 2, 1 / radii[1] ** 2
    # The ellipse is a dx^2 + 2 b dx dy + c dy^2 <= 1; each row solves it for dx. Turning leaves
    # a c - b^2 as it is: across * along.
    a = across * cosine**2 + along * sine**2
    b = (across - along) * cosine * sine
    reach = math.hypot(radii[0] * sine, radii[1] * cosine)
    _, top = _first_centres(np.array([0.0, centre[1] - reach]), width, height)
    _, bottom = _first_centres(np.array([0.0, centre[1] + reach]), width, height)
    dy = np.arange(top, bottom) + 0.5 - centre[1]
    root = np.sqrt(np.maximum(a - across * along * dy**2, 0))
    dx = np.arange(width) + 0.5 - centre[0]
    low, high = (-b * dy - root) / a, (-b * dy + root) / a
    return crop((dx >= low[:, None]) & (dx <= high[:, None]), top)


def _first_centres(point: NDArray[np.float64], width: int, height: int) -> tuple[int, int]:
    """The first column and row whose centres are not before (x, y), within the photo."""
    x, y = np.clip(np.ceil(point - 0.5), 0, (width, height))
    return int(x), int(y)
