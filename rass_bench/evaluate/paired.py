"""How much one run is better than another on the same images, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PER_IMAGE
from rass_bench.evaluate.per_image import read_per_image
from rass_bench.files import sha256_bytes, sha256_file
from rass_bench.metrics.bootstrap import percentiles, resample
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import ImageMetric, SegmentationMetric
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

    See :func:`record_difference`.

    Args:
        first: a run's folder, whose seed the resampling takes.
        second: another one.
        metric_id: the metric.

    Raises:
        UserError: no run in a folder, one whose results no run writes, or an unknown metric.
    """
    return record_difference((load_record(first), first), (load_record(second), second), metric_id)


def record_difference(
    first: tuple[RunRecord, Path], second: tuple[RunRecord, Path], metric_id: str
) -> Difference:
    """``second - first`` of a metric of two records, each with its folder.

    The same images are those of equal ids and, for segmentation metrics, of equal label maps: the
    photos may differ, clean ones and degraded ones being what a comparison is for. For image
    metrics the photos must be equal, too.

    What a run gives to a comparison is drawn once and kept: comparing all runs of a board with
    each other takes the time of their number, not of the number of pairs.

    Args:
        first: a record, whose seed the resampling takes.
        second: another one.
        metric_id: the metric.

    Raises:
        UserError: results that no run writes, or an unknown metric.
    """
    (before, _), (after, _) = first, second
    get_metric(metric_id)
    try:
        _check_records(before, after, metric_id)
        seed = _seed(*first)
        one, other = _draws(*first, metric_id, seed), _draws(*second, metric_id, seed)
        _check_images(one, other)
    except _NoPairsError as reason:
        return Difference(None, None, str(reason))
    low, high = before.metrics[metric_id].value, after.metrics[metric_id].value
    if low is None or high is None:
        return Difference(None, None)
    ci95 = percentiles(other.values - one.values) if len(one.ids) > 1 else None
    return Difference(high - low, ci95)


@dataclass(frozen=True)
class _Draws:
    """What a run gives to a comparison.

    Attributes:
        ids: its images, sorted.
        truth_sha256: of the pixels of each class in each label map; empty without label maps.
        values: the metric in each draw of images, float64 (resamples,).
    """

    ids: tuple[str, ...]
    truth_sha256: str
    values: NDArray[np.float64]


def _draws(record: RunRecord, folder: Path, metric_id: str, seed: int) -> _Draws:
    path = folder / PER_IMAGE
    if not path.is_file():
        raise _NoPairsError(f"{folder} has no {PER_IMAGE}")
    sha256 = sha256_file(path)
    if sha256 != record.files.get(PER_IMAGE):
        raise _NoPairsError(f"{path} was changed since the run")
    return _kept_draws(_Table(sha256, record, path), metric_id, seed)


@dataclass(frozen=True)
class _Table:
    """A table of results by its content: the same wherever it lies."""

    sha256: str
    record: RunRecord = field(compare=False)
    path: Path = field(compare=False)


@lru_cache(maxsize=1024)
def _kept_draws(results: _Table, metric_id: str, seed: int) -> _Draws:
    metric = get_metric(metric_id)
    table = read_per_image(results.path, results.record)
    order = np.argsort(np.array(table.ids))
    ids = tuple(table.ids[place] for place in order)
    if isinstance(metric, SegmentationMetric):
        if table.counts is None:
            raise _NoPairsError(f"{results.path} has no pixel counts")
        counts = table.counts.of(order)
        return _Draws(ids, sha256_bytes(counts.truth.tobytes()), resample(metric, counts, seed))
    values = table.values[metric_id][order]
    if not np.isfinite(values).all():
        raise _NoPairsError(f"an image of {results.path.parent} has no finite {metric_id}")
    return _Draws(ids, "", resample(metric, values, seed))


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


def _check_images(one: _Draws, other: _Draws) -> None:
    alone = set(one.ids) ^ set(other.ids)
    if alone:
        raise _NoPairsError(f"{len(alone)} images are in one run alone, {min(alone)} first")
    if one.truth_sha256 != other.truth_sha256:
        raise _NoPairsError("the label maps differ")
