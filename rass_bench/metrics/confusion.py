"""Counting pixels per class: one pass over a label map and a prediction."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.labels import IGNORE
from rass_bench.metrics.registry import ClassCounts


def count_classes(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int
) -> ClassCounts:
    """Count the pixels of each class in one image, leaving out those whose truth is 255.

    Args:
        truth: label map, uint8 (H, W), ids 0..classes-1 and 255 = ignore.
        predicted: predicted label map, uint8 (H, W), ids 0..classes-1 everywhere.
        classes: K, at most 255.

    Returns:
        int64 arrays (K,).

    Raises:
        UserError: the sizes differ, the prediction is not 8-bit, or either map holds an id that is
            no class. A prediction is checked where the truth is ignored too: an id out of range
            is never a class.
    """
    matrix = confusion_matrix(truth, predicted, classes)
    return ClassCounts(
        truth=matrix.sum(axis=1), predicted=matrix.sum(axis=0), correct=np.diagonal(matrix).copy()
    )


def confusion_matrix(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Count the pixels of each pair (true class, predicted class) of one image.

    Args:
        truth: label map, uint8 (H, W), ids 0..classes-1 and 255 = ignore.
        predicted: predicted label map, uint8 (H, W), ids 0..classes-1 everywhere.
        classes: K, at most 255.

    Returns:
        int64 (K, K); rows are the truth, columns the prediction; ignored pixels are in no cell.

    Raises:
        UserError: see :func:`count_classes`.
    """
    if truth.shape != predicted.shape:
        raise UserError(
            f"the prediction is {_size(predicted)} and the label map {_size(truth)} pixels",
            "scoring",
            "Bring the prediction to the size of the label map before it is stored.",
        )
    if predicted.dtype != np.uint8:
        raise UserError(
            f"the prediction holds {predicted.dtype} values",
            "scoring",
            "Store class ids as an 8-bit grey PNG.",
        )
    joint = joint_histogram(truth, predicted)
    _check_ids(joint[:, classes:].sum(axis=0), classes, "prediction")
    _check_ids(joint[classes:IGNORE].sum(axis=1), classes, "label map")
    return np.asarray(joint[:classes, :classes], dtype=np.int64)


def joint_histogram(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Count the pixels of each pair of ids of two maps of one size, whatever the ids stand for.

    Args:
        first: uint8 (H, W).
        second: uint8 (H, W).

    Returns:
        uint32 (256, 256); rows are the ids of ``first``, columns those of ``second``.
    """
    counts: NDArray[np.uint32] = _joint_histogram(first.reshape(-1), second.reshape(-1))
    return counts


@njit(cache=True, nogil=True)
def _joint_histogram(truth, predicted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # All 256 x 256 pairs are counted, so that the loop needs no check of ranges. 32 bits hold
    # every image that is decoded (images.MAX_PIXELS) and keep the table within a core's cache.
    joint = np.zeros((256, 256), dtype=np.uint32)
    for index in range(truth.size):
        joint[truth[index], predicted[index]] += 1
    return joint


def _check_ids(counts: NDArray[np.uint64], classes: int, kind: str) -> None:
    """Refuse ids that were met outside 0..classes-1; ``counts[i]`` is of id ``classes + i``."""
    met = np.flatnonzero(counts)
    if met.size:
        first = classes + int(met[0])
        raise UserError(
            f"the {kind} holds class id {first} in {int(counts[met[0]])} pixels; "
            f"ids are 0..{classes - 1}",
            "scoring",
            "Check that the model's label space is the data set's and that ids were shifted once.",
        )


def _size(labels: NDArray[np.uint8]) -> str:
    return " x ".join(str(side) for side in reversed(labels.shape))
