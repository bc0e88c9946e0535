"""From class scores at a network's stride to a label map at photo size, in one fused pass.

Interpolating K score planes to photo size and taking the argmax moves K x H x W numbers to keep
H x W of them. Here no score is interpolated that cannot win. Between four neighbouring scores,
bilinear interpolation is a weighted mean: a class that leads at all four corners leads between
them, and a class whose highest corner lies below another's lowest corner never does.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.errors import UserError

MARGIN = np.float32(1e-6)
"""Relative lead below which rounding (4 roundings of 2^-24 for each class) could turn a winner."""


def argmax_upsampled(
    logits: NDArray[np.float32], height: int, width: int, valid: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.uint8]:
    """Interpolate class scores bilinearly to (height, width) and take each pixel's best class.

    The labels equal ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``
    followed by ``argmax(dim=0)``, ties included: the arithmetic is that of torch's general CPU
    kernel (v2.15, aten/src/ATen/native/cpu/UpSampleKernel.cpp, on a CPU with fused multiply-add),
    in float32 and in its order, and of equal scores the lowest class wins. Torch itself rounds in
    another order on GPUs, for channels-last tensors, for outputs with height + width <= 128, and
    for three classes on one thread; there, scores one rounding apart may fall either way.

    Args:
        logits: class scores, float32 (K, h, w), K at most 255.
        height: rows of the label map.
        width: columns of the label map.
        valid: the fraction (vertical, horizontal) of the scores' field of view that the photo
            covers, from the top left corner; the rest is padding. The label map covers the photo
            alone: output row y samples the scores at ``(y + 0.5) * valid[0] * h / height - 0.5``.

    Returns:
        Class ids, uint8 (height, width).

    Raises:
        UserError: more than 255 classes, or scores that are NaN or infinite.
    """
    classes, rows, columns = logits.shape
    if classes > 255:
        raise UserError(
            f"{classes} classes do not fit an 8-bit label map, where 255 stands for ignore",
            "class scores",
            "Use a model with at most 255 classes.",
        )
    logits = np.ascontiguousarray(logits, dtype=np.float32)
    leader, is_clear, finite = _leaders(logits.reshape(classes, rows * columns))
    if not finite:
        raise UserError(
            "the model returned NaN or infinite class scores",
            "class scores",
            "Run it in float32, and check its weights and its input range.",
        )
    labels = np.empty((height, width), dtype=np.uint8)
    axis_y = _sample_positions(rows, valid[0], height)
    axis_x = _sample_positions(columns, valid[1], width)
    leaders = leader.reshape(rows, columns), is_clear.reshape(rows, columns)
    _paint(logits, leaders, axis_y, axis_x, labels)
    return labels


def _sample_positions(
    inputs: int, valid: float, outputs: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Where output samples lie among the inputs along one axis, as torch computes it in float32.

    Returns:
        The lower neighbour of each output, int64 (outputs,); the weight of the upper one, float32
        (outputs,); and the bounds of the runs of outputs that share a lower neighbour.
    """
    ratio = np.float32(inputs * valid) / np.float32(outputs)
    position = ratio * (np.arange(outputs, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5)
    position = np.maximum(position, np.float32(0))
    lower = np.minimum(position.astype(np.int64), inputs - 1)
    weight = np.clip(position - lower.astype(np.float32), 0, 1).astype(np.float32)
    bounds = np.concatenate(([0], np.flatnonzero(np.diff(lower)) + 1, [outputs]))
    return lower, weight, bounds


@njit(cache=True, nogil=True)
def _leaders(scores):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The best class of each position of (K, positions), whether its lead is beyond rounding."""
    classes, positions = scores.shape
    leader = np.zeros(positions, dtype=np.int32)
    best = scores[0].copy()
    second = np.full(positions, -np.inf, dtype=np.float32)
    not_finite = 0
    for k in range(classes):
        for i in range(positions):
            # Zero for every number, NaN for NaN and the infinities.
            not_finite += scores[k, i] - scores[k, i] != 0
    for k in range(1, classes):
        for i in range(positions):
            score = scores[k, i]
            second[i] = max(second[i], min(best[i], score))
            leader[i] = k if score > best[i] else leader[i]
            best[i] = max(best[i], score)
    is_clear = best - second > MARGIN * np.abs(best)
    return leader.astype(np.uint8), is_clear, not_finite == 0


@njit(cache=True, nogil=True)
def _paint(logits, leaders, axis_y, axis_x, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill ``labels`` cell by cell; a cell is the outputs between the same four scores."""
    classes, rows, columns = logits.shape
    leader, is_clear = leaders
    lower_y, weight_y, bounds_y = axis_y
    lower_x, weight_x, bounds_x = axis_x
    rivals = np.empty(classes, dtype=np.int64)
    corners = np.empty((4, classes), dtype=np.float32)
    scores = np.empty(classes, dtype=np.float32)
    for cell_y in range(bounds_y.size - 1):
        top, bottom = bounds_y[cell_y], bounds_y[cell_y + 1]
        y0 = lower_y[top]
        y1 = min(y0 + 1, rows - 1)
        for cell_x in range(bounds_x.size - 1):
            left, right = bounds_x[cell_x], bounds_x[cell_x + 1]
            x0 = lower_x[left]
            x1 = min(x0 + 1, columns - 1)
            first = leader[y0, x0]
            agreed = first == leader[y0, x1] == leader[y1, x0] == leader[y1, x1]
            clear = is_clear[y0, x0] & is_clear[y0, x1] & is_clear[y1, x0] & is_clear[y1, x1]
            if agreed and clear:
                labels[top:bottom, left:right] = first
                continue
            count = _find_rivals(logits, (y0, y1), (x0, x1), rivals, corners)
            for y in range(top, bottom):
                for x in range(left, right):
                    _interpolate(corners, count, weight_y[y], weight_x[x], scores)
                    labels[y, x] = rivals[_first_maximum(scores, count)]


@njit(cache=True, nogil=True)
def _find_rivals(logits, cell_rows, cell_columns, rivals, corners):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """List the classes that can win within a cell, in ascending order, and their corner scores."""
    classes = logits.shape[0]
    y0, y1 = cell_rows
    x0, x1 = cell_columns
    floor = np.float32(-np.inf)
    for k in range(classes):
        a, b, c, d = logits[k, y0, x0], logits[k, y0, x1], logits[k, y1, x0], logits[k, y1, x1]
        floor = max(floor, min(a, b, c, d))
        corners[0, k], corners[1, k], corners[2, k], corners[3, k] = a, b, c, d
    count = 0
    for k in range(classes):
        a, b, c, d = corners[0, k], corners[1, k], corners[2, k], corners[3, k]
        highest = max(a, b, c, d)
        if highest + MARGIN * (abs(highest) + abs(floor)) >= floor:
            rivals[count] = k
            corners[0, count], corners[1, count] = a, b
            corners[2, count], corners[3, count] = c, d
            count += 1
    return count


@njit(cache=True, nogil=True)
def _interpolate(corners, count, weight_y, weight_x, scores):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the scores between four corners, float32 (4, classes), for the first ``count``."""
    other_y, other_x = np.float32(1) - weight_y, np.float32(1) - weight_x
    for index in range(count):
        upper = _mix(corners[0, index], other_x, corners[1, index], weight_x)
        lower = _mix(corners[2, index], other_x, corners[3, index], weight_x)
        scores[index] = _mix(upper, other_y, lower, weight_y)


@njit(cache=True, nogil=True)
def _first_maximum(scores, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    winner = 0
    for index in range(1, count):
        if scores[index] > scores[winner]:
            winner = index
    return winner


@njit(cache=True, nogil=True, inline="always")
def _mix(a, weight_a, b, weight_b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # fma(a, weight_a, b * weight_b), as torch's build contracts it. The product of two float32 is
    # exact in float64, so that only the sum is rounded.
    return np.float32(np.float64(a) * np.float64(weight_a) + np.float64(b * weight_b))
