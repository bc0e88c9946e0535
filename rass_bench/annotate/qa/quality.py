"""How plausible a model finds an annotator's labels, to look at suspicious photos first."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.labels import IGNORE

TEMPERATURE = 0.1
"""Of the softmin: the lower, the more the least plausible pixels decide (cleanlab's default)."""


def label_quality(labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> float | None:
    """One number for how well a model's probabilities support a label map.

    The softmin-weighted mean of the self-confidences c_i of the labelled pixels,
    sum c_i exp((1 - c_i) / T) / sum exp((1 - c_i) / T) with T = ``TEMPERATURE`` (Lad and Mueller,
    "Estimating label quality and errors in semantic segmentation data via any model", 2023,
    section 3; cleanlab 2.9.0, cleanlab/segmentation/rank.py). Equal to cleanlab's where no pixel
    is ignored; ignored pixels have no weight.

    Args:
        labels: label map, uint8 (H, W), ids 0..K-1 and 255 = ignore.
        probabilities: see :func:`self_confidence`.

    Returns:
        0..1, low where labels are suspicious; None where no pixel is labelled.

    Raises:
        UserError: see :func:`self_confidence`.
    """
    return score_confidence(self_confidence(labels, probabilities))


def score_confidence(confidence: NDArray[np.float32]) -> float | None:
    """The score of :func:`label_quality` from self-confidences (H, W); NaN stands for ignore."""
    values = confidence[~np.isnan(confidence)].astype(np.float64)
    if not values.size:
        return None
    # Confidences lie in 0..1, so that the exponent is at most 1 / T and nothing overflows.
    weights = np.exp((1 - values) / TEMPERATURE)
    return float(weights @ values / weights.sum())


def self_confidence(
    labels: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    valid: tuple[float, float] = (1.0, 1.0),
) -> NDArray[np.float32]:
    """The probability that a model gives each pixel's label.

    Probabilities at a network's stride are interpolated bilinearly (align_corners=False), and
    only those of the label: nothing of size K x H x W is made.

    Args:
        labels: label map, uint8 (H, W), ids 0..K-1 and 255 = ignore.
        probabilities: class probabilities, float32 (K, h, w), at the photo's size or any stride.
        valid: the fraction (vertical, horizontal) of their field of view that the photo covers,
            from the top left corner; the rest is padding.

    Returns:
        float32 (H, W) in 0..1, NaN where the label is ignore.

    Raises:
        UserError: a label that is no class of the model, or values outside 0..1.
    """
    classes = len(probabilities)
    highest = int(labels.max(initial=0, where=labels != IGNORE))
    if highest >= classes:
        raise UserError(
            f"a label map holds class id {highest} and the model knows {classes} classes",
            "label quality",
            "Use a model of the data set's label space.",
        )
    found = _interpolate_labels(
        np.ascontiguousarray(labels),
        np.asarray(probabilities, dtype=np.float32),
        _positions(probabilities.shape[1], valid[0], labels.shape[0]),
        _positions(probabilities.shape[2], valid[1], labels.shape[1]),
    )
    kept = found[labels != IGNORE]
    if not ((kept >= 0) & (kept <= 1 + 1e-4)).all():
        raise UserError(
            "the model's values are no probabilities: some lie outside 0..1",
            "label quality",
            "Turn class scores into probabilities first.",
        )
    return np.asarray(np.minimum(found, 1), dtype=np.float32)


def class_probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over classes of class scores, float32 (K, h, w), at the network's own stride."""
    shifted: NDArray[np.float32] = logits - logits.max(axis=0)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=0)
    return shifted


def _positions(
    inputs: int, valid: float, outputs: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Both neighbours of each output along one axis, and the upper one's weight."""
    position = inputs * valid / outputs * (np.arange(outputs) + 0.5) - 0.5
    position = np.clip(position, 0, inputs - 1)
    lower = position.astype(np.int64)
    return lower, np.minimum(lower + 1, inputs - 1), (position - lower).astype(np.float32)


@njit(cache=True, nogil=True)
def _interpolate_labels(labels, probabilities, axis_y, axis_x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    above, below, weight_y = axis_y
    left, right, weight_x = axis_x
    found = np.full(labels.shape, np.nan, dtype=np.float32)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] == IGNORE:
                continue
            plane = probabilities[labels[y, x]]
            upper, lower = plane[above[y]], plane[below[y]]
            to_right = weight_x[x]
            top = upper[left[x]] + to_right * (upper[right[x]] - upper[left[x]])
            bottom = lower[left[x]] + to_right * (lower[right[x]] - lower[left[x]])
            found[y, x] = top + weight_y[y] * (bottom - top)
    return found
