"""Segmentation metrics: class counts pooled over the data set, then reduced to one number.

Every metric pools pixels over all images before it divides; none averages per-image scores. NaN
says that a metric is undefined (no labelled pixel), never that it is zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rass_bench.metrics.registry import (
    METRICS,
    ClassCounts,
    Family,
    MetricInfo,
    SegmentationFunction,
    SegmentationMetric,
)

_DETECTRON2 = "detectron2 02b5c4e, detectron2/evaluation/sem_seg_evaluation.py"
_MMSEG = "mmsegmentation v1.2.2, mmseg/evaluation/metrics/iou_metric.py"


def iou_per_class(counts: ClassCounts) -> NDArray[np.float64]:
    """Intersection over union of each class.

    Args:
        counts: arrays (..., K), pooled over the images that are to be scored together.

    Returns:
        float64 (..., K) in 0..1; NaN where a class is neither in the truth nor in the prediction.
    """
    return _divide(counts.correct, counts.truth + counts.predicted - counts.correct)


def miou_gt_present(counts: ClassCounts) -> NDArray[np.float64]:
    """Mean IoU over the classes present in the ground truth (detectron2, so RASS and Mask2Former).

    A class that is predicted but nowhere true costs only the classes whose pixels it took.
    """
    return _mean_where(iou_per_class(counts), counts.truth > 0)


def miou_union(counts: ClassCounts) -> NDArray[np.float64]:
    """Mean IoU over the classes in the ground truth or the prediction (mmsegmentation).

    A class that is predicted but nowhere true counts as 0. With G the classes of the truth and P
    those of the prediction this is ``miou/gt-present`` x |G| / |G u P|.
    """
    return _mean_where(iou_per_class(counts), counts.truth + counts.predicted > 0)


def mean_accuracy(counts: ClassCounts) -> NDArray[np.float64]:
    """Mean over the classes present in the ground truth of the share of pixels found (recall)."""
    return _mean_where(_divide(counts.correct, counts.truth), counts.truth > 0)


def pixel_accuracy(counts: ClassCounts) -> NDArray[np.float64]:
    """Share of the labelled pixels whose class is right."""
    return _divide(counts.correct.sum(axis=-1), counts.truth.sum(axis=-1))


def frequency_weighted_iou(counts: ClassCounts) -> NDArray[np.float64]:
    """IoU of the classes present in the ground truth, weighted by their share of its pixels."""
    weighted = np.where(counts.truth > 0, counts.truth * iou_per_class(counts), 0.0)
    return _divide(weighted.sum(axis=-1), counts.truth.sum(axis=-1))


def _divide(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """The quotient, NaN where the denominator is zero."""
    below = np.asarray(denominator, dtype=np.float64)
    quotient = np.full(below.shape, np.nan)
    np.divide(numerator, below, out=quotient, where=below > 0)
    return quotient


def _mean_where(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the last axis of the chosen entries, NaN where none is chosen."""
    return _divide(np.where(chosen, values, 0.0).sum(axis=-1), chosen.sum(axis=-1))


def _register(metric: str, title: str, source: str, function: SegmentationFunction) -> None:
    info = MetricInfo(
        id=metric,
        version="1",
        family=Family.SEGMENTATION,
        higher_is_better=True,
        title=title,
        source=source,
    )
    METRICS.add(metric, SegmentationMetric(info, function))


_register(
    "miou/gt-present",
    "mean IoU over the classes present in the ground truth, pooled over the data set, 0..1",
    _DETECTRON2,
    miou_gt_present,
)
_register(
    "miou/union",
    "mean IoU over the classes in ground truth or prediction, pooled over the data set, 0..1",
    _MMSEG,
    miou_union,
)
_register(
    "macc",
    "mean class accuracy (recall) over the classes present in the ground truth, 0..1",
    _DETECTRON2,
    mean_accuracy,
)
_register("aacc", "pixel accuracy over all labelled pixels, 0..1", _DETECTRON2, pixel_accuracy)
_register(
    "fwiou",
    "IoU weighted by each class's share of the ground truth's pixels, 0..1",
    _DETECTRON2,
    frequency_weighted_iou,
)
