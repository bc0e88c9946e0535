"""Large photos in overlapping tiles, so that memory stays bounded and no seam shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.float32]


def restore_in_tiles(
    restore: Callable[[Pixels], Pixels], photo: Pixels, scale: int, tile: int, overlap: int
) -> Pixels:
    """Apply a restorer to overlapping tiles and blend them.

    Neighbouring tiles share ``overlap`` pixels. The outer quarter of the shared strip, where a
    tile lacks context, is dropped; over its middle half the tiles fade linearly into each other.
    The result is that of the whole photo for networks that look at most ``overlap // 4`` pixels
    far, and close to it for those whose far context matters little.

    Args:
        restore: float32 (h, w, 3) to float32 (h * scale, w * scale, 3).
        photo: float32 (H, W, 3).
        scale: side of the output over side of the input.
        tile: side of a tile at the input; a photo that fits in one is restored whole.
        overlap: pixels that neighbouring tiles share, a multiple of 4, at most half of ``tile``,
            so that weights sum to one and no pixel lies in three tiles of a row.

    Returns:
        float32 (H * scale, W * scale, 3).
    """
    height, width = photo.shape[:2]
    if height <= tile and width <= tile:
        return restore(photo)
    total = np.zeros((height * scale, width * scale, 3), dtype=np.float32)
    for top, bottom in _spans(height, tile, overlap):
        for left, right in _spans(width, tile, overlap):
            weight = np.outer(
                _fade(top, bottom, height, overlap, scale),
                _fade(left, right, width, overlap, scale),
            )[:, :, None]
            place = (
                slice(top * scale, bottom * scale),
                slice(left * scale, right * scale),
            )
            total[place] += weight * restore(photo[top:bottom, left:right])
    return total


def _spans(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Start and end of tiles of one side; the last one is shorter rather than shifted.

    Shifting it would let three tiles share pixels. What is left is longer than the overlap.
    """
    step = tile - overlap
    starts = range(0, max(length - overlap, 1), step)
    return [(start, min(start + tile, length)) for start in starts]


def _fade(start: int, end: int, length: int, overlap: int, scale: int) -> NDArray[np.float32]:
    """Weights of one side of a tile, float32 ((end - start) * scale,): 0, a ramp, 1, a ramp, 0."""
    size, quarter = (end - start) * scale, overlap // 4 * scale
    # Distance of each output pixel's centre from the border of the part with enough context.
    position = np.arange(size, dtype=np.float32) + np.float32(0.5) - quarter
    rising = np.clip(position / (2 * quarter), 0, 1)
    weight: NDArray[np.float32] = np.ones(size, dtype=np.float32)
    if start > 0:
        weight *= rising
    if end < length:
        weight *= rising[::-1]
    return weight
