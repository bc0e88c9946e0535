"""``per_image.parquet`` from a stranger: bounded, checked, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError
from rass_bench.evaluate.rescore import TOLERANCE
from rass_bench.labels import load_label_space
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import METRICS, ClassCounts, SegmentationMetric
from rass_bench.record import RunRecord

MAX_TABLE_BYTES = 2**30
"""More than a table of 200,000 images holds; a larger one is refused before it is read."""

_COUNTS = ("truth_pixels", "predicted_pixels", "correct_pixels")


@dataclass(frozen=True)
class PerImageTable:
    """What a run keeps of each image.

    Attributes:
        ids: the images, in the order of their rows.
        seconds: time in the networks, float64 (n,); NaN where there is none.
        values: metric values of each image by metric id, float64 (n,); NaN where undefined.
        counts: pixels per class, int64 (n, K) each; None where no segmentation was scored.
    """

    ids: tuple[str, ...]
    seconds: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    counts: ClassCounts | None


def read_per_image(path: Path, record: RunRecord) -> PerImageTable:
    """Read the table of a run and check that it is one of the record's images and metrics.

    Args:
        path: the parquet file.
        record: the run's record.

    Raises:
        UserError: no parquet file, too large, or columns, rows or values that no run writes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    segmented = [name for name in record.metrics if _segmentation_metric(name)]
    columns = ["id", "seconds", *record.metrics, *(_COUNTS if segmented else ())]
    try:
        _refuse_bomb(pq.ParquetFile(path), path)
        # Ids as a dictionary: one long id in every row then takes no more memory than in the file.
        table = pq.read_table(path, read_dictionary=["id"])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _malformed(f"no readable parquet file: {error}", path) from None
    if sorted(table.column_names) != sorted(columns):
        surplus = sorted(set(table.column_names) ^ set(columns))
        raise _malformed(f"its columns are not the record's metrics: {', '.join(surplus)}", path)
    if table.num_rows != record.scored:
        raise _malformed(
            f"it holds {table.num_rows} images, the record counts {record.scored}", path
        )
    try:
        ids = tuple(str(one) for one in table["id"].to_pylist())
        plain = {name: _floats(table[name]) for name in ("seconds", *record.metrics)}
        counts = _read_counts(table, record, path) if segmented else None
    except (pa.ArrowException, ValueError) as error:
        raise _malformed(f"a column of another type: {error}", path) from None
    if len(set(ids)) != len(ids):
        raise _malformed("an image has two rows", path)
    seconds = plain.pop("seconds")
    return PerImageTable(ids, seconds, plain, counts)


def contradictions(table: PerImageTable) -> list[str]:
    """The images, named, whose segmentation metrics do not follow from their pixel counts."""
    faults = []
    for name, values in table.values.items():
        metric = _segmentation_metric(name)
        if table.counts is None or metric is None:
            continue
        again = metric.function(table.counts)
        same = np.isclose(values, again, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        faults += [
            f"{table.ids[row]}: {name} is {values[row]}, its pixel counts give {again[row]}"
            for row in np.flatnonzero(~same)
        ]
    return faults


def _segmentation_metric(metric_id: str) -> SegmentationMetric | None:
    """The segmentation metric of that id; None where there is none."""
    if metric_id not in METRICS.names():
        return None
    metric = get_metric(metric_id)
    return metric if isinstance(metric, SegmentationMetric) else None


def _refuse_bomb(file: Any, path: Path) -> None:
    """Refuse a table that declares more than a run of any size holds."""
    # A scan holds a few values at a time and raises where the footer is damaged; asked for a column
    # of such a file, pyarrow 26 ends the process.
    file.scan_contents()
    metadata = file.metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    values = sum(
        group.column(index).num_values for group in groups for index in range(metadata.num_columns)
    )
    declared = max(sum(group.total_byte_size for group in groups), 8 * values)
    if declared > MAX_TABLE_BYTES:
        raise _malformed(f"it declares {declared:,} bytes", path)


def _floats(column: Any) -> NDArray[np.float64]:
    """A column of numbers, NaN for null."""
    import pyarrow as pa

    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _read_counts(table: Any, record: RunRecord, path: Path) -> ClassCounts:
    space = load_label_space(record.dataset.label_space or "")
    truth, predicted, correct = (_matrix(table[name], space.size, path) for name in _COUNTS)
    sound = (
        (correct >= 0)
        & (correct <= truth)
        & (correct <= predicted)
        & (truth.sum(axis=1) == predicted.sum(axis=1))[:, None]
    )
    if not sound.all():
        row = int(np.flatnonzero(~sound.all(axis=1))[0])
        raise _malformed(
            f"the pixel counts of {table['id'][row].as_py()} contradict each other", path
        )
    return ClassCounts(truth, predicted, correct)


def _matrix(column: Any, classes: int, path: Path) -> NDArray[np.int64]:
    """A column of lists, each of one number a class, as int64 (n, K)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = np.asarray(pc.list_value_length(column).to_numpy())
    flat = pc.list_flatten(column)
    if flat.null_count or not (lengths == classes).all():
        raise _malformed(f"its pixel counts are not of {classes} classes", path)
    return np.asarray(flat.cast(pa.int64()).to_numpy()).reshape(len(lengths), classes)


def _malformed(what: str, path: Path) -> UserError:
    return UserError(f"{path.name}: {what}", str(path), "Restore the file, or repeat the run.")
