"""Multi-octave noise on a periodic tile, and hashes of integer cells."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rass_bench.randomness import generator

Array = NDArray[np.float64]

TILE = 512
"""Side of the noise tile in texels; a power of two, so that wrapping is one bit operation."""


def fbm(u: ArrayLike, v: ArrayLike, salt: int = 0) -> Array:
    """Fractal value noise, about -1..1 with mean 0, of period 1 in both coordinates.

    Seven octaves from 4 to 256 cells a period lie summed in one tile, so that a look-up costs
    four gathers instead of four for every octave.

    Args:
        u: first coordinate, any shape.
        v: second coordinate, broadcast against ``u``.
        salt: which of the independent tiles.
    """
    return _look_up(_tile(salt, 4), u, v)


def grain(u: ArrayLike, v: ArrayLike) -> Array:
    """Fine noise, about -1..1 with mean 0: four octaves from 32 to 256 cells a period.

    Without coarse octaves its period may be long, so that near ground does not look tiled.
    """
    u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
    return _look_up(_tile(3, 32), 0.8 * u + 0.6 * v, 0.8 * v - 0.6 * u)


def _look_up(tile: Array, u: ArrayLike, v: ArrayLike) -> Array:
    """Bilinear look-up in a periodic tile."""
    x, y = np.asarray(u, dtype=np.float64) * TILE, np.asarray(v, dtype=np.float64) * TILE
    column, row = np.floor(x), np.floor(y)
    x, y = x - column, y - row
    left, top = column.astype(np.int64) & (TILE - 1), (row.astype(np.int64) & (TILE - 1)) * TILE
    right, bottom = (left + 1) & (TILE - 1), (top + TILE) & (TILE * TILE - 1)
    upper = tile[top + left] * (1 - x) + tile[top + right] * x
    lower = tile[bottom + left] * (1 - x) + tile[bottom + right] * x
    result: Array = upper * (1 - y) + lower * y
    return result


def hash01(i: ArrayLike, j: ArrayLike, salt: int) -> Array:
    """A number in [0, 1) for each integer cell (i, j): the same cell gives the same number."""
    mixed = np.asarray(i).astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed ^ (
        np.asarray(j).astype(np.int64).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    )
    mixed = mixed ^ np.uint64((salt * 0x165667B19E3779F9) & 0xFFFFFFFFFFFFFFFF)
    for shift, factor in ((31, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def smoothstep(low: float, high: float, value: ArrayLike) -> Array:
    """0 below ``low``, 1 above ``high``, a cubic without kinks between."""
    x = np.clip((np.asarray(value, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


@cache
def _tile(salt: int, coarsest: int) -> Array:
    rng = generator(0, f"tile-{salt}", "scenes/noise")
    total = np.zeros((TILE, TILE))
    for octave, cells in enumerate(c for c in (4, 8, 16, 32, 64, 128, 256) if c >= coarsest):
        total += 0.5**octave * _stretch(_stretch(rng.uniform(-1, 1, (cells, cells))).T).T
    total -= total.mean()
    flat: Array = np.clip(total * (0.42 / total.std()), -1.3, 1.3).ravel()
    return flat


def _stretch(lattice: Array) -> Array:
    """Stretch the rows of a periodic lattice to the tile's height with a smooth blend."""
    cells = len(lattice)
    position = np.arange(TILE) * (cells / TILE)
    index = position.astype(np.int64)
    blend = smoothstep(0, 1, position - index)[:, None]
    stretched: Array = lattice[index] * (1 - blend) + lattice[(index + 1) % cells] * blend
    return stretched
