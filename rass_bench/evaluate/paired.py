"""How much one run is better than another on the same images, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PER_IMAGE
from rass_bench.files import sha256_file
from rass_bench.metrics.bootstrap import PerImage, paired_interval
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import ClassCounts, ImageMetric, SegmentationMetric
from rass_bench.record import RunRecord, load_record


@dataclass(frozen=True)
class Difference:
    """A metric of one run minus that of another.

    Attributes:
        value: full precision; None where the metric is undefined, or the runs are no pairs.
        ci95: 95 % paired percentile-bootstrap interval over images; None below two images.
        why_not: why the runs are no pairs, in words; None where they are.
    """

    value: float | None
    ci95: tuple[float, float] | None
    why_not: str | None = None


def paired_difference(first: Path, second: Path, metric_id: str) -> Difference:
    """``second - first`` of a metric of two runs that scored the same images.

    The same images are those of equal ids and, for segmentation metrics, of equal label maps: the
    photos may differ, clean ones and degraded ones being what a comparison is for. For image
    metrics the photos must be equal, too.

    Args:
        first: a run's folder, whose seed the resampling takes.
        second: another one.
        metric_id: the metric.

    Raises:
        UserError: no run in a folder, one whose results no run writes, or an unknown metric.
    """
    metric = get_metric(metric_id)
    before, after = load_record(first), load_record(second)
    try:
        _check_records(before, after, metric_id)
        ids, one = _read_per_image(first, before, metric)
        other_ids, other = _read_per_image(second, after, metric)
        _check_images(ids, other_ids, one, other)
    except _NoPairsError as reason:
        return Difference(None, None, str(reason))
    low, high = before.metrics[metric_id].value, after.metrics[metric_id].value
    if low is None or high is None:
        return Difference(None, None)
    return Difference(high - low, paired_interval(metric, one, other, _seed(before, first)))


def _seed(record: RunRecord, folder: Path) -> int:
    seed = record.arguments_resolved.get("seed", 0)
    if not isinstance(seed, int):
        raise UserError(f"the record's seed is {seed!r}", str(folder), "Restore the record.")
    return seed


class _NoPairsError(Exception):
    """Why two runs are no pairs."""


def _check_records(before: RunRecord, after: RunRecord, metric_id: str) -> None:
    for record in (before, after):
        if metric_id not in record.metrics:
            raise _NoPairsError(f"the run of {record.model.name} has no {metric_id}")
    versions = {record.metrics[metric_id].version for record in (before, after)}
    if len(versions) > 1:
        raise _NoPairsError(f"{metric_id} in versions {', '.join(sorted(versions))}")
    photos = {record.dataset.manifest_sha256 for record in (before, after)}
    if isinstance(get_metric(metric_id), ImageMetric) and len(photos) > 1:
        raise _NoPairsError("the photos or their references differ")


def _read_per_image(
    folder: Path, record: RunRecord, metric: SegmentationMetric | ImageMetric
) -> tuple[list[str], PerImage]:
    """Ids, sorted, and what the run keeps of each image."""
    import pandas as pd

    path = folder / PER_IMAGE
    if not path.is_file():
        raise _NoPairsError(f"{folder} has no {PER_IMAGE}")
    if sha256_file(path) != record.files.get(PER_IMAGE):
        raise _NoPairsError(f"{path} was changed since the run")
    try:
        table = pd.read_parquet(path).sort_values("id")
        ids = [str(one) for one in table["id"]]
        if isinstance(metric, SegmentationMetric):
            truth, predicted, correct = (
                np.stack(list(table[f"{name}_pixels"])).astype(np.int64, casting="safe")
                for name in ("truth", "predicted", "correct")
            )
            return ids, ClassCounts(truth, predicted, correct)
        values = table[metric.info.id].to_numpy(dtype=np.float64)
    # Its hash fits the record, which says nothing of who wrote both.
    except (KeyError, ValueError, TypeError, OSError, NotImplementedError) as error:
        raise UserError(
            f"{PER_IMAGE} is not as a run writes it: {error}", str(path), "Repeat the run."
        ) from None
    if not np.isfinite(values).all():
        raise _NoPairsError(f"an image of {folder} has no finite {metric.info.id}")
    return ids, values


def _check_images(ids: list[str], other_ids: list[str], one: PerImage, other: PerImage) -> None:
    alone = set(ids) ^ set(other_ids)
    if alone:
        raise _NoPairsError(f"{len(alone)} images are in one run alone, {min(alone)} first")
    if isinstance(one, ClassCounts) and isinstance(other, ClassCounts):
        same = np.array_equal(one.truth, other.truth)
        if not same:
            raise _NoPairsError("the label maps differ")
