"""Gaussian and Poisson noise by table look-up of Philox bits.

A table turns uniform bits into a sample with one look-up, 10 times faster than rejection
sampling, and the same bits give the same noise on every machine.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_WINDOW = 256
"""Poisson counts a table can tell apart: 8 standard deviations either way at the mean of 256."""


def add_gaussian_noise(
    image: NDArray[np.float32], sigma: float, grey: bool, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add white Gaussian noise and clip to 0..255.

    Args:
        image: float32 (H, W, 3), 0..255.
        sigma: standard deviation in grey levels.
        grey: whether the three channels of a pixel share one draw.
        rng: source of random bits; 16 are used for each draw.

    Returns:
        float32 (H, W, 3), 0..255.
    """
    pixels = np.ascontiguousarray(image).reshape(-1, 3)
    draws = _bits(rng, len(pixels) if grey else pixels.size, np.dtype("<u2"))
    out = np.empty(pixels.shape, dtype=np.float32)
    if grey:
        _add_table_grey(pixels, draws, normal_table() * np.float32(sigma), out)
    else:
        _add_table(pixels.reshape(-1), draws, normal_table() * np.float32(sigma), out.reshape(-1))
    return out.reshape(image.shape)


def add_poisson_noise(
    image: NDArray[np.float32], scale: float, grey: bool, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add the noise of a sensor that counts photons and clip to 0..255.

    After BasicSR, ``generate_poisson_noise_pt`` in ``basicsr/data/degradations.py`` at 8d56e3a:
    the image is rounded to its grey levels; v, the number of different levels rounded up to a
    power of two, is the count that white stands for; the noise is (Poisson(level / 255 * v) / v -
    level / 255) * scale of the full range. Grey noise is that of the luma, put on all channels.

    Args:
        image: float32 (H, W, 3), 0..255.
        scale: factor on the noise.
        grey: whether the three channels of a pixel share one draw.
        rng: source of random bits; 32 are used for each draw.

    Returns:
        float32 (H, W, 3), 0..255.
    """
    pixels = np.ascontiguousarray(image).reshape(-1, 3)
    levels = _luma_levels(pixels) if grey else _levels(pixels.reshape(-1))
    white = _photons_of_white(levels)
    table, first = poisson_table(white)
    draws = _bits(rng, levels.size, np.dtype("<u4"))
    step = 255 / white  # grey levels that one photon stands for
    base = scale * (first * step - np.arange(256))
    noise = _poisson_noise(levels, draws, table, base.astype(np.float32), np.float32(scale * step))
    out = np.empty(pixels.shape, dtype=np.float32)
    if grey:
        _add_grey(pixels, noise, out)
    else:
        _add(pixels.reshape(-1), noise, out.reshape(-1))
    return out.reshape(image.shape)


@cache
def normal_table() -> NDArray[np.float32]:
    """A standard normal distribution cut into 65,536 equally likely parts, float32 (65536,).

    Entry i is the mean of part i; that of the outermost part is 4.3. Mean 0, variance 1.
    """
    borders = [NormalDist().inv_cdf(i / 65536) for i in range(1, 32768)]
    density = np.array([0.0, *(NormalDist().pdf(z) for z in borders), NormalDist().pdf(0.0)])
    # The mean of a normal variable between a and b is (pdf(a) - pdf(b)) / probability.
    lower = (density[:-1] - density[1:]) * 65536
    table = np.concatenate([lower, -lower[::-1]])
    return np.asarray(table / table.std(), dtype=np.float32)


@cache
def poisson_table(white: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Alias tables of the Poisson distributions with means level / 255 * ``white``.

    Walker's alias method (Electronics Letters 10, 1974; set-up after Vose, IEEE TSE 17, 1991)
    over a window of 256 counts around the mean: a column is drawn, and either stands or gives
    way to its alias.

    Args:
        white: mean count at level 255, at most 256.

    Returns:
        table, uint32 (256, 256): for each level and column, the probability to stand in units of
        2**-24 above the column's alias in the low 8 bits; first, float32 (256,): the count of
        column 0.
    """
    table = np.empty((256, _WINDOW), dtype=np.uint32)
    first = np.empty(256, dtype=np.float32)
    for level in range(256):
        mean = level / 255 * white
        lowest = max(0, int(mean) - _WINDOW // 2)
        first[level] = lowest
        _fill_alias_row(_poisson_probabilities(mean, lowest), table[level])
    return table, first


def _poisson_probabilities(mean: float, lowest: int) -> NDArray[np.float64]:
    """Probabilities of the counts lowest..lowest + 255, scaled to sum 1, float64 (256,).

    From the most likely count outwards by p(k + 1) / p(k) = mean / (k + 1): only products, so
    that no mathematics library can make a difference.
    """
    weights = np.zeros(_WINDOW)
    peak = int(mean) - lowest
    weights[peak] = 1.0
    for k in range(peak + 1, _WINDOW):
        weights[k] = weights[k - 1] * (mean / (lowest + k))
    for k in range(peak - 1, -1, -1):
        weights[k] = weights[k + 1] * ((lowest + k + 1) / mean)
    return np.asarray(weights / weights.sum())


def _bits(rng: np.random.Generator, count: int, dtype: Any) -> NDArray[Any]:
    words = -(-count * dtype.itemsize // 8)
    raw: NDArray[np.uint64] = np.asarray(rng.bit_generator.random_raw(words), dtype="<u8")
    return np.frombuffer(raw, dtype)[:count]


def _photons_of_white(levels: NDArray[np.uint8]) -> int:
    """The number of different levels, rounded up to a power of two."""
    different = int(_count_levels(levels))
    return 1 << (different - 1).bit_length()


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill_alias_row(probabilities: NDArray[np.float64], row: NDArray[np.uint32]) -> None:
    size = probabilities.size
    share = probabilities * size
    small = np.empty(size, np.int64)
    large = np.empty(size, np.int64)
    smalls = larges = 0
    for k in range(size):
        row[k] = k  # stands whatever is drawn, unless given another alias below
        if share[k] < 1:
            small[smalls] = k
            smalls += 1
        else:
            large[larges] = k
            larges += 1
    while smalls > 0 and larges > 0:
        smalls -= 1
        poor, rich = small[smalls], large[larges - 1]
        row[poor] = (np.uint32(share[poor] * 16777216) << np.uint32(8)) | np.uint32(rich)
        share[rich] -= 1 - share[poor]
        if share[rich] < 1:
            larges -= 1
            small[smalls] = rich
            smalls += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _clip(value: np.float32) -> np.float32:
    return min(max(value, np.float32(0)), np.float32(255))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _levels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    out = np.empty(values.size, np.uint8)
    for i in range(values.size):
        out[i] = np.uint8(np.rint(_clip(values[i])))
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _luma_levels(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Rounded luma with torchvision's weights for ``rgb_to_grayscale``."""
    out = np.empty(len(pixels), np.uint8)
    for i in range(len(pixels)):
        luma = (
            np.float32(0.2989) * pixels[i, 0]
            + np.float32(0.587) * pixels[i, 1]
            + np.float32(0.114) * pixels[i, 2]
        )
        out[i] = np.uint8(np.rint(_clip(luma)))
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_levels(levels: NDArray[np.uint8]) -> int:
    seen = np.zeros(256, np.uint8)
    for level in levels:
        seen[level] = 1
    return int(seen.sum())


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _poisson_noise(
    levels: NDArray[np.uint8],
    draws: NDArray[np.uint32],
    table: NDArray[np.uint32],
    base: NDArray[np.float32],
    step: np.float32,
) -> NDArray[np.float32]:
    """The noise base[level] + step * column, with a column drawn for each level."""
    low, byte = np.uint32(255), np.uint32(8)
    out = np.empty(levels.size, np.float32)
    for i in range(levels.size):
        level, draw = levels[i], draws[i]
        column = draw & low
        entry = table[level, column]
        stands = (draw >> byte) < (entry >> byte)
        out[i] = base[level] + step * np.float32(column if stands else entry & low)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_table(
    values: NDArray[np.float32],
    draws: NDArray[np.uint16],
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for i in range(values.size):
        out[i] = _clip(values[i] + table[draws[i]])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_table_grey(
    pixels: NDArray[np.float32],
    draws: NDArray[np.uint16],
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for i in range(len(pixels)):
        noise = table[draws[i]]
        for c in range(3):
            out[i, c] = _clip(pixels[i, c] + noise)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(values: NDArray[np.float32], noise: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for i in range(values.size):
        out[i] = _clip(values[i] + noise[i])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_grey(
    pixels: NDArray[np.float32], noise: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    for i in range(len(pixels)):
        for c in range(3):
            out[i, c] = _clip(pixels[i, c] + noise[i])
