"""Percentile bootstrap over images: how far a number would move with another draw of photos.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3. Images are drawn with
replacement and the metric is computed anew from each draw. For a segmentation metric that means
pooling the class counts of the images drawn, not averaging per-image scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rass_bench.metrics.registry import ClassCounts, ImageMetric, SegmentationMetric
from rass_bench.randomness import generator

PerImage: TypeAlias = ClassCounts | NDArray[np.float64]
"""What a run keeps of each image: class counts (n, K), or values of an image metric (n,)."""

BLOCK = 100
"""Resamples drawn together: the weights of 20,000 images then take 16 MB."""


def interval(
    metric: SegmentationMetric | ImageMetric,
    per_image: PerImage,
    seed: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """The percentile interval of a metric over the images it was computed from.

    Args:
        metric: the metric.
        per_image: its class counts (n, K), or its finite values (n,).
        seed: the run's seed; equal seeds give equal intervals.
        resamples: draws of n images.
        level: the share of draws inside the interval.

    Returns:
        Lower and upper end, or None with fewer than two images or where no draw defines the
        metric. Draws that leave it undefined (no labelled pixel) count on neither side.
    """
    if _number_of_images(per_image) < 2:
        return None
    return percentiles(resample(metric, per_image, seed, resamples), level)


def paired_interval(
    metric: SegmentationMetric | ImageMetric,
    first: PerImage,
    second: PerImage,
    seed: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """The percentile interval of the difference ``second - first`` of two runs on the same images.

    Both runs are resampled alike, so that what makes a photo hard for both cancels. The two
    intervals of :func:`interval` may overlap where this one excludes zero.

    Args:
        metric: the metric.
        first: class counts (n, K) or values (n,) of one run.
        second: those of the other, image by image in the same order.
        seed: as in :func:`interval`.
        resamples: draws of n images.
        level: the share of draws inside the interval.

    Returns:
        See :func:`interval`.

    Raises:
        ValueError: the runs hold different numbers of images.
    """
    images = _number_of_images(first)
    if images != _number_of_images(second):
        raise ValueError(f"runs of {images} and {_number_of_images(second)} images are no pairs")
    if images < 2:
        return None
    before = resample(metric, first, seed, resamples)
    after = resample(metric, second, seed, resamples)
    return percentiles(after - before, level)


def _number_of_images(per_image: PerImage) -> int:
    return len(per_image.truth) if isinstance(per_image, ClassCounts) else len(per_image)


def resample(
    metric: SegmentationMetric | ImageMetric,
    per_image: PerImage,
    seed: int,
    resamples: int = 1000,
) -> NDArray[np.float64]:
    """The metric's value in each draw, float64 (resamples,); NaN where a draw leaves it undefined.

    Runs on equally many images are drawn alike under one seed: the percentiles of the difference
    of their values are :func:`paired_interval`.
    """
    random = generator(seed, "bootstrap", metric.info.id)
    blocks = _draw_weights(random, _number_of_images(per_image), resamples)
    if isinstance(metric, SegmentationMetric) and isinstance(per_image, ClassCounts):
        # Counts below 2^53 are exact in float64, whose matrix product is the fast one.
        truth, predicted, correct = (
            np.asarray(counts, dtype=np.float64)
            for counts in (per_image.truth, per_image.predicted, per_image.correct)
        )
        return np.concatenate(
            [metric.function(ClassCounts(w @ truth, w @ predicted, w @ correct)) for w in blocks]
        )
    if isinstance(metric, ImageMetric) and not isinstance(per_image, ClassCounts):
        values = np.asarray(per_image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"{metric.info.id}: only images with a value can be resampled")
        return np.concatenate([w @ values / len(values) for w in blocks])
    raise TypeError(f"{metric.info.id} is not computed from {type(per_image).__name__}")


def _draw_weights(
    random: np.random.Generator, images: int, resamples: int
) -> Iterator[NDArray[np.float64]]:
    """How often each draw holds each image: blocks of float64 (up to BLOCK, images)."""
    for start in range(0, resamples, BLOCK):
        draws = min(BLOCK, resamples - start)
        chosen = random.integers(images, size=(draws, images))
        chosen += np.arange(draws)[:, None] * images
        counts = np.bincount(chosen.reshape(-1), minlength=draws * images)
        yield counts.reshape(draws, images).astype(np.float64)


def percentiles(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float] | None:
    """The ends of the middle share ``level`` of the defined values; None without any."""
    defined = values[np.isfinite(values)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
