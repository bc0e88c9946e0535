"""A record's numbers beside the same numbers computed again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from rass_bench.evaluate.per_image import PerImageTable
from rass_bench.evaluate.rescore import TOLERANCE
from rass_bench.evaluate.score import pool
from rass_bench.metrics.bootstrap import interval
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import METRICS, SegmentationMetric
from rass_bench.metrics.segmentation import iou_per_class
from rass_bench.record import MetricValue, RunRecord
from rass_bench.verify.verdict import Check, no_faults

LEARNED_TOLERANCE = 5e-4
"""Relative and absolute, of a metric that is itself a network: what another device or thread count
moves MANIQA and its like by."""

Classes = Mapping[str, Sequence[float | None]]
"""By metric id, one value a class."""


def from_table(record: RunRecord, table: PerImageTable, seed: int) -> dict[str, MetricValue]:
    """Every metric of the record that this program knows, from ``per_image.parquet`` alone.

    Args:
        record: the record; a learned metric's provenance is taken from it.
        table: its images.
        seed: of the bootstrap.
    """
    computed = {}
    for name in record.metrics.keys() & set(METRICS.names()):
        metric = get_metric(name)
        per_image = table.values[name]
        ci95: tuple[float, float] | None = None
        if isinstance(metric, SegmentationMetric):
            if table.counts is None:
                continue
            value = float(metric.function(pool(table.counts)))
            ci95 = interval(metric, table.counts, seed)
        else:
            value = float(per_image.mean())
            ci95 = interval(metric, per_image, seed) if np.isfinite(per_image).all() else None
        computed[name] = MetricValue(
            value=None if math.isnan(value) else value,
            n=len(table.ids),
            ci95=ci95,
            version=metric.info.version,
            higher_is_better=metric.info.higher_is_better,
            provenance=record.metrics[name].provenance,
        )
    return computed


def classes_from_table(table: PerImageTable) -> Classes:
    """IoU by class under ``iou``, as a record holds it, from ``per_image.parquet`` alone."""
    if table.counts is None:
        return {}
    values = iou_per_class(pool(table.counts))
    return {"iou": [None if math.isnan(one) else float(one) for one in values]}


def check_numbers(
    record: RunRecord,
    computed: Mapping[str, MetricValue],
    per_class: Classes,
    source: str,
    *,
    learned_tolerance: float,
) -> list[Check]:
    """One check a metric (value, interval, number of images, version, provenance), one of classes.

    Args:
        record: the record.
        computed: its metrics, computed again.
        per_class: its values by class, computed again.
        source: what they were computed from, for the checks' names.
        learned_tolerance: how far a metric with weights may be off, relative and absolute.
    """
    checks = []
    for name, recorded in record.metrics.items():
        title = f"{name} from {source}"
        again = computed.get(name)
        if again is None:
            why = "this program has no such metric, or its images are not there"
            checks.append(Check(title, False, _show(recorded), "–", why))
            continue
        tolerance = learned_tolerance if recorded.provenance else TOLERANCE
        off = _what_differs(recorded, again, tolerance)
        note = f"differs in: {', '.join(off)}" if off else ""
        if recorded.version != again.version:
            note += (
                f"; version {recorded.version} is scored by rass-bench "
                f"{record.environment.rass_bench}"
            )
        checks.append(Check(title, not off, _show(recorded), _show(again), note))
    if record.per_class or per_class:
        checks.append(_check_classes(record.per_class, per_class, source))
    return checks


def _what_differs(recorded: MetricValue, again: MetricValue, tolerance: float) -> list[str]:
    """The fields of a metric's value in which two differ."""
    off = []
    if not close(recorded.value, again.value, tolerance):
        off.append("value")
    ends = (recorded.ci95 or (None, None), again.ci95 or (None, None))
    if not all(close(*pair, tolerance) for pair in zip(*ends, strict=True)):
        off.append("95 % interval")
    exact = [field.name for field in dataclasses.fields(MetricValue)[3:]]
    return off + [
        words
        for field, words in zip(("n", *exact), ("number of images", *exact), strict=True)
        if getattr(recorded, field) != getattr(again, field)
    ]


def close(recorded: float | None, again: float | None, tolerance: float) -> bool:
    """Whether two numbers agree, or both are undefined."""
    if recorded is None or again is None:
        return recorded is again
    return math.isclose(recorded, again, rel_tol=tolerance, abs_tol=tolerance)


def _check_classes(recorded: Classes, again: Classes, source: str) -> Check:
    off = [f"only one side has {name}" for name in sorted(recorded.keys() ^ again.keys())]
    for name in sorted(recorded.keys() & again.keys()):
        if len(recorded[name]) != len(again[name]):
            off.append(f"{name} has {len(recorded[name])} classes, not {len(again[name])}")
            continue
        pairs = enumerate(zip(recorded[name], again[name], strict=True))
        off += [
            f"{name} of class {index} is {one}, not {other}"
            for index, (one, other) in pairs
            if not close(one, other, TOLERANCE)
        ]
    return no_faults(f"values by class from {source}", "the record's", off)


def _show(metric: MetricValue) -> str:
    value = "undefined" if metric.value is None else f"{metric.value:.10g}"
    if metric.ci95 is not None:
        value += f" ({metric.ci95[0]:.10g} to {metric.ci95[1]:.10g})"
    return f"{value}, {metric.n} images"
