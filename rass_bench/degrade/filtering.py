"""Convolution with small symmetric kernels, equal to the last bit on every machine.

OpenCV's ``filter2D`` picks another algorithm, and so another rounding, by kernel size and
processor. Here each output is one sum in one order; numba may vectorise it but not reorder it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

_DROPPED_WEIGHT = 2e-5
"""Share of a kernel's absolute weight that may be left out: 0.005 grey levels at most."""

_GROUP = 4
"""Taps that one pass over a row adds up, so that the row is loaded and stored less often."""


def blur(image: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Convolve each channel with a kernel, reflecting the image at its border.

    The border pixel itself is not repeated, as in torch's ``reflect`` padding and OpenCV's
    ``BORDER_REFLECT_101``; an image smaller than the kernel is reflected as often as needed.

    Args:
        image: float32 (H, W, 3), any range.
        kernel: float64 (k, k), k odd, equal to itself turned by 180 degrees.

    Returns:
        float32 (H, W, 3).

    Raises:
        ValueError: the kernel is not symmetric.
    """
    if not np.allclose(kernel, kernel[::-1, ::-1], rtol=0, atol=1e-9):
        raise ValueError("the kernel is not symmetric about its centre")
    radius = kernel.shape[0] // 2
    columns, rows = kernel.sum(axis=0), kernel.sum(axis=1)
    if np.abs(np.outer(rows, columns) - kernel * kernel.sum()).max() < 1e-9:
        padded = _pad(image, radius)
        across = _convolve(padded, columns[None, :], skip_rows=0, skip_columns=radius)
        return _convolve(across, rows[:, None], skip_rows=radius, skip_columns=0)
    return _convolve(_pad(image, radius), kernel, skip_rows=radius, skip_columns=radius)


def _pad(image: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    sides = (radius, radius, radius, radius)
    contiguous = np.ascontiguousarray(image)
    return np.asarray(cv2.copyMakeBorder(contiguous, *sides, cv2.BORDER_REFLECT_101))


def _convolve(
    padded: NDArray[np.float32], kernel: NDArray[np.float64], *, skip_rows: int, skip_columns: int
) -> NDArray[np.float32]:
    """Convolve the inside of a padded image, ``skip`` pixels away from its border."""
    height = padded.shape[0] - 2 * skip_rows
    width = padded.shape[1] - 2 * skip_columns
    row_length = padded.shape[1] * 3
    offsets, weights = _opposite_taps(kernel, row_length)
    out = np.empty((height, width * 3), dtype=np.float32)
    first = skip_rows * row_length + skip_columns * 3
    _add_taps(padded.reshape(-1), row_length, first + offsets, weights, out)
    return out.reshape(height, width, 3)


def _opposite_taps(
    kernel: NDArray[np.float64], row_length: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs of opposite cells of a symmetric kernel, the centre being its own opposite.

    The smallest weights are left out and the others scaled so that the sum stays the same.

    Args:
        kernel: float64 (k, l), both odd.
        row_length: values in a row of the flat RGB image that offsets refer to.

    Returns:
        Offsets of both cells of each pair from the centre, int64 (n, 2), and the weight of each
        cell, float32 (n,); n is filled up to a multiple of ``_GROUP`` with weights of 0.
    """
    height, width = kernel.shape
    down, across = np.mgrid[-(height // 2) : height // 2 + 1, -(width // 2) : width // 2 + 1]
    offsets = (down * row_length + across * 3).reshape(-1)
    flat = kernel.reshape(-1)
    order = np.argsort(np.abs(flat), kind="stable")
    negligible = np.cumsum(np.abs(flat[order])) <= _DROPPED_WEIGHT * np.abs(flat).sum()
    kept = np.ones(flat.size, dtype=bool)
    kept[order[negligible]] = False
    kept |= kept[::-1]  # the limit may have fallen between two opposite cells
    weights = flat * (flat.sum() / flat[kept].sum())
    weights[flat.size // 2] /= 2  # added twice, as its own opposite
    half = kept & (np.arange(flat.size) >= flat.size // 2)
    fill = -int(half.sum()) % _GROUP
    chosen = np.concatenate([offsets[half], np.zeros(fill, dtype=np.int64)])
    return (
        np.stack([chosen, -chosen], axis=1),
        np.concatenate([weights[half], np.zeros(fill)]).astype(np.float32),
    )


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _window(source: NDArray[np.float32], start: int, length: int) -> NDArray[np.float32]:
    return source[start : start + length]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_taps(
    source: NDArray[np.float32],
    row_length: int,
    places: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Sum up weight * (source at one place + source at the opposite one) for each output."""
    height, length = out.shape
    for y in range(height):
        row = out[y]
        row[:] = 0
        start = y * row_length
        for t in range(0, len(weights), _GROUP):
            w0, w1, w2, w3 = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            a0 = _window(source, start + places[t, 0], length)
            b0 = _window(source, start + places[t, 1], length)
            a1 = _window(source, start + places[t + 1, 0], length)
            b1 = _window(source, start + places[t + 1, 1], length)
            a2 = _window(source, start + places[t + 2, 0], length)
            b2 = _window(source, start + places[t + 2, 1], length)
            a3 = _window(source, start + places[t + 3, 0], length)
            b3 = _window(source, start + places[t + 3, 1], length)
            for i in range(length):
                row[i] += (
                    w0 * (a0[i] + b0[i])
                    + w1 * (a1[i] + b1[i])
                    + w2 * (a2[i] + b2[i])
                    + w3 * (a3[i] + b3[i])
                )
