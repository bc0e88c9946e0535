"""The metrics by id, each with its version, family and direction.

An id names the variant (``psnr/y601`` is not ``psnr/rgb``); a metric's version changes whenever
its numbers do, and a table refuses to mix versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rass_bench.registry import Registry


class Family(StrEnum):
    """What a metric is computed from."""

    SEGMENTATION = "segmentation"
    """Pixel counts per class, pooled over the data set."""

    FULL_REFERENCE = "full-reference"
    """One restored image and its reference; the value is the mean over images."""

    NO_REFERENCE = "no-reference"
    """One restored image alone; the value is the mean over images."""


@dataclass(frozen=True)
class MetricInfo:
    """What a table must know about a metric.

    Attributes:
        id: name/variant.
        version: changes whenever the numbers do.
        family: what it is computed from.
        higher_is_better: direction of the arrow in tables.
        title: one line for people: the definition, unit and range.
        source: the paper, or file and commit, that the definition follows.
        extra: the extra of this package that it needs, or None.
    """

    id: str
    version: str
    family: Family
    higher_is_better: bool
    title: str
    source: str
    extra: str | None = None


@dataclass(frozen=True)
class ClassCounts:
    """Pixels per class; every leading axis is free (images, bootstrap resamples, none).

    Attributes:
        truth: pixels that the ground truth gives the class, int64 or float64 (..., K).
        predicted: pixels that the prediction gives the class where the truth is not ignore.
        correct: pixels that both give the class.
    """

    truth: NDArray[np.int64 | np.float64]
    predicted: NDArray[np.int64 | np.float64]
    correct: NDArray[np.int64 | np.float64]

    def of(self, images: NDArray[np.intp]) -> ClassCounts:
        """The counts of some images, those at the places given along the first axis."""
        return ClassCounts(self.truth[images], self.predicted[images], self.correct[images])


SegmentationFunction: TypeAlias = Callable[[ClassCounts], NDArray[np.float64]]
"""Counts (..., K) to values (...); NaN where the metric is undefined."""

ImageFunction: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.uint8] | None], float]
"""Restored image and reference, RGB uint8 (H, W, 3), to a value."""


@dataclass(frozen=True)
class LoadedImageMetric:
    """An image metric ready to be called.

    Attributes:
        function: see ``ImageFunction``.
        provenance: what a record must say of it beside the version: weights' SHA-256, library
            version; empty for closed formulas.
    """

    function: ImageFunction
    provenance: dict[str, str]


@dataclass(frozen=True)
class SegmentationMetric:
    """A metric of the family SEGMENTATION."""

    info: MetricInfo
    function: SegmentationFunction


@dataclass(frozen=True)
class ImageMetric:
    """A metric of the families FULL_REFERENCE or NO_REFERENCE.

    Attributes:
        info: what a table must know.
        load: makes it ready to be called; may read weights.
        check_installed: raises ``UserError`` where packages or weights that ``load`` needs are
            absent. It is asked before a run restores anything, so it must be quick.
    """

    info: MetricInfo
    load: Callable[[], LoadedImageMetric]
    check_installed: Callable[[], None] = lambda: None


METRICS: Registry[SegmentationMetric | ImageMetric] = Registry("metric", "rass_bench.metrics")
