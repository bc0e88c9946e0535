"""A metric against the strength of the degradation, from recipes and what runs kept of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.degrade.dataset import redraw_recipes
from rass_bench.degrade.strength import strength
from rass_bench.metrics.bootstrap import PerImage, interval
from rass_bench.metrics.registry import ClassCounts, ImageMetric, SegmentationMetric
from rass_bench.report.content import Bin, Curve, Factor

BINS = 4
"""Shares of equally many images that a strength is divided into."""

FEWEST = 5
"""Images that a bin must hold; of fewer, one image makes the number."""


@dataclass(frozen=True)
class _Kind:
    """One kind of damage, a field of :class:`rass_bench.degrade.strength.Strength`."""

    name: str
    axis: str
    harder_when_lower: bool


_KINDS = (
    _Kind("blur", "blur: sigma, pixels of the clean photo", harder_when_lower=False),
    _Kind("resolution", "resolution: smallest share of the side", harder_when_lower=True),
    _Kind("noise", "noise: sigma at mid grey, levels of 255", harder_when_lower=False),
    _Kind("jpeg", "JPEG: lowest quality", harder_when_lower=True),
)


def factors(
    dataset: tuple[str, str],
    metric: SegmentationMetric | ImageMetric,
    ids: Sequence[str],
    lines: Mapping[str, tuple[PerImage, int]],
) -> tuple[Factor, ...]:
    """The metric in bins of each kind of damage that differs between the images.

    A segmentation metric is computed anew from the pixels of a bin's images; the mean of another
    is taken over them.

    Args:
        dataset: name and version of the data set, which state how it was degraded.
        metric: the metric.
        ids: the images.
        lines: by line id, what it kept of these images, in their order, and its run's seed.

    Returns:
        Nothing for a data set that no known preset made, or of too few images.
    """
    recipes = redraw_recipes(*dataset, ids)
    if recipes is None or len(ids) < BINS * FEWEST:
        return ()
    amounts = [strength(recipes[one]) for one in ids]
    found = []
    for kind in _KINDS:
        values = np.array([getattr(one, kind.name) for one in amounts])
        if len(np.unique(values)) >= BINS:
            found.append(_factor(kind, values, metric, lines))
    return tuple(found)


def _factor(
    kind: _Kind,
    values: NDArray[np.float64],
    metric: SegmentationMetric | ImageMetric,
    lines: Mapping[str, tuple[PerImage, int]],
) -> Factor:
    parts = np.array_split(np.argsort(values, kind="stable"), BINS)
    bins = [
        Bin(
            low=float(values[part].min()),
            high=float(values[part].max()),
            middle=float(np.median(values[part])),
            images=len(part),
        )
        for part in parts
    ]
    curves = [
        _curve(line, per_image, seed, metric, parts) for line, (per_image, seed) in lines.items()
    ]
    return Factor(kind.name, kind.axis, kind.harder_when_lower, tuple(bins), tuple(curves))


def _curve(
    line: str,
    per_image: PerImage,
    seed: int,
    metric: SegmentationMetric | ImageMetric,
    parts: Sequence[NDArray[np.intp]],
) -> Curve:
    chosen = [_take(per_image, part) for part in parts]
    return Curve(
        line=line,
        values=tuple(_value(metric, one) for one in chosen),
        ci95=tuple(interval(metric, one, seed) for one in chosen),
    )


def _take(per_image: PerImage, part: NDArray[np.intp]) -> PerImage:
    return per_image.of(part) if isinstance(per_image, ClassCounts) else per_image[part]


def _value(metric: SegmentationMetric | ImageMetric, per_image: PerImage) -> float | None:
    if isinstance(metric, SegmentationMetric) and isinstance(per_image, ClassCounts):
        counts = (per_image.truth, per_image.predicted, per_image.correct)
        value = float(metric.function(ClassCounts(*(one.sum(axis=0) for one in counts))))
    else:
        value = float(np.mean(np.asarray(per_image)))
    return value if np.isfinite(value) else None
