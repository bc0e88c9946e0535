"""Scoring stored predictions: the only way a metric value comes about, in `run` and in `score`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.dataset import Dataset
from rass_bench.data.manifest import Sample
from rass_bench.data.reading import read_reference, read_truth
from rass_bench.errors import UserError
from rass_bench.evaluate.folder import RunFolder, reason
from rass_bench.images import open_image
from rass_bench.metrics.bootstrap import interval
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.confusion import count_classes
from rass_bench.metrics.registry import (
    ClassCounts,
    Family,
    ImageMetric,
    LoadedImageMetric,
    SegmentationMetric,
)
from rass_bench.metrics.segmentation import iou_per_class
from rass_bench.record import MetricValue, NotScored


@dataclass(frozen=True)
class ImageScore:
    """What one image contributes.

    Attributes:
        id: the sample.
        counts: pixels per class, (K,) each; None without segmentation metrics.
        values: image-metric values by id.
    """

    id: str
    counts: ClassCounts | None
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """Everything that stored predictions say.

    Attributes:
        images: one entry a scored image, in the order given.
        metrics: values by metric id.
        per_class: IoU by class under ``iou``, in id order, None where the union is empty.
        not_scored: images left out, each with its reason.
    """

    images: tuple[ImageScore, ...]
    metrics: dict[str, MetricValue]
    per_class: dict[str, tuple[float | None, ...]]
    not_scored: tuple[NotScored, ...]


def score_predictions(
    folder: RunFolder,
    dataset: Dataset,
    samples: Sequence[Sample],
    metric_ids: Sequence[str],
    *,
    scale: int,
    seed: int,
    skip_errors: bool,
    advance: Callable[[], None],
) -> Scores:
    """Score the stored predictions of ``samples``.

    Args:
        folder: the run's folder.
        dataset: where the ground truth lies.
        samples: the images to score.
        metric_ids: which metrics.
        scale: side of a restored image over side of its photo.
        seed: of the bootstrap.
        skip_errors: leave a sample out, named, instead of stopping at it.
        advance: called once after each sample.

    Raises:
        UserError: a sample cannot be scored and ``skip_errors`` is off; unknown metric.
    """
    metrics = [get_metric(metric_id) for metric_id in metric_ids]
    pooled = [metric for metric in metrics if isinstance(metric, SegmentationMetric)]
    by_image = {
        metric.info.id: (metric, metric.load())
        for metric in metrics
        if isinstance(metric, ImageMetric)
    }
    images: list[ImageScore] = []
    not_scored: list[NotScored] = []
    for sample in samples:
        try:
            prediction = read_prediction(folder.prediction(sample.id))
            counts = _count(dataset, sample, prediction) if pooled else None
            measured = _measure(by_image, sample, prediction, scale)
            images.append(ImageScore(sample.id, counts, measured))
        except UserError as error:
            if not skip_errors:
                raise
            not_scored.append(reason(error, sample.id))
        advance()
    values = {
        metric_id: _image_metric_value(metric, loaded, images, seed)
        for metric_id, (metric, loaded) in by_image.items()
    }
    per_class: dict[str, tuple[float | None, ...]] = {}
    if pooled and images:
        stacked = stack_counts(images)
        values |= {metric.info.id: _pooled_value(metric, stacked, seed) for metric in pooled}
        per_class["iou"] = tuple(_or_none(iou) for iou in iou_per_class(pool(stacked)))
    return Scores(
        images=tuple(images),
        metrics={metric_id: values[metric_id] for metric_id in metric_ids if metric_id in values},
        per_class=per_class,
        not_scored=tuple(not_scored),
    )


def stack_counts(images: Sequence[ImageScore]) -> ClassCounts:
    """Counts of all images, int64 (n, K) each."""
    counts = [image.counts for image in images if image.counts is not None]
    return ClassCounts(
        truth=np.stack([entry.truth for entry in counts]),
        predicted=np.stack([entry.predicted for entry in counts]),
        correct=np.stack([entry.correct for entry in counts]),
    )


def save_per_image(path: Path, scores: Scores, seconds: dict[str, float]) -> None:
    """Write one parquet row an image: its metric values, pixel counts per class and seconds.

    From the three count columns (lists of K) every segmentation metric and its interval can be
    computed again without the predictions.
    """
    import io

    import pandas as pd

    from rass_bench.files import write_bytes

    segmentation = [
        metric
        for metric in map(get_metric, scores.metrics)
        if isinstance(metric, SegmentationMetric)
    ]
    rows = []
    for image in scores.images:
        row: dict[str, object] = {"id": image.id, "seconds": seconds.get(image.id)}
        row |= dict(image.values)
        if image.counts is not None:
            row |= {
                metric.info.id: _or_none(metric.function(image.counts)) for metric in segmentation
            }
            row["truth_pixels"] = image.counts.truth
            row["predicted_pixels"] = image.counts.predicted
            row["correct_pixels"] = image.counts.correct
        rows.append(row)
    stream = io.BytesIO()
    pd.DataFrame(rows).to_parquet(stream, index=False)
    write_bytes(path, stream.getvalue())


def read_prediction(path: Path) -> NDArray[np.uint8]:
    """A stored prediction: a label map (H, W) or a restored image (H, W, 3), uint8.

    Raises:
        UserError: missing or unreadable.
    """
    if not path.is_file():
        raise UserError(
            "a stored prediction is missing", str(path), "Run again with --resume to make it."
        )
    return np.asarray(open_image(path))


def _count(dataset: Dataset, sample: Sample, prediction: NDArray[np.uint8]) -> ClassCounts:
    space = dataset.spec.labels
    truth = read_truth(dataset, sample)
    return count_classes(truth, prediction, space.size if space else 0)


def _measure(
    metrics: dict[str, tuple[ImageMetric, LoadedImageMetric]],
    sample: Sample,
    restored: NDArray[np.uint8],
    scale: int,
) -> dict[str, float]:
    if not metrics:
        return {}
    wanted = any(metric.info.family is Family.FULL_REFERENCE for metric, _ in metrics.values())
    reference = read_reference(sample, scale) if wanted else None
    return {
        metric_id: loaded.function(restored, reference)
        for metric_id, (_, loaded) in metrics.items()
    }


def pool(stacked: ClassCounts) -> ClassCounts:
    """Counts of all images together, (K,) each, from those of each image, (n, K)."""
    return ClassCounts(
        truth=stacked.truth.sum(axis=0),
        predicted=stacked.predicted.sum(axis=0),
        correct=stacked.correct.sum(axis=0),
    )


def _pooled_value(metric: SegmentationMetric, stacked: ClassCounts, seed: int) -> MetricValue:
    return MetricValue(
        value=_or_none(metric.function(pool(stacked))),
        n=len(stacked.truth),
        ci95=interval(metric, stacked, seed),
        version=metric.info.version,
        higher_is_better=metric.info.higher_is_better,
        provenance={},
    )


def _image_metric_value(
    metric: ImageMetric, loaded: LoadedImageMetric, images: Sequence[ImageScore], seed: int
) -> MetricValue:
    values = np.array([image.values[metric.info.id] for image in images], dtype=np.float64)
    return MetricValue(
        value=float(values.mean()) if len(values) else None,
        n=len(values),
        ci95=interval(metric, values, seed),
        version=metric.info.version,
        higher_is_better=metric.info.higher_is_better,
        provenance=loaded.provenance,
    )


def _or_none(value: NDArray[np.float64] | float) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
