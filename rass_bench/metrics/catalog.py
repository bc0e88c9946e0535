"""The one import that knows every metric: ``get_metric("miou/gt-present")``.

Importing it registers the metrics by their descriptions alone; OpenCV, torch and pyiqa are loaded
when a metric that needs them is.
"""

from __future__ import annotations

from rass_bench.metrics import image_quality, iqa, segmentation
from rass_bench.metrics.registry import METRICS, ImageMetric, SegmentationMetric

__all__ = ["all_metrics", "get_metric", "image_quality", "iqa", "segmentation"]


def get_metric(metric: str) -> SegmentationMetric | ImageMetric:
    """The metric of that id.

    Raises:
        UserError: no such metric; near ids are suggested.
    """
    return METRICS.get(metric)


def all_metrics() -> list[SegmentationMetric | ImageMetric]:
    """Every metric, sorted by id, those of installed plug-ins among them."""
    return [metric for _, metric in METRICS]
