"""Parquet files that hold a split, written a few rows at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rass_bench.data.dataset import Dataset
from rass_bench.data.manifest import Manifest, ManifestEntry, Sample
from rass_bench.files import sha256_file
from rass_bench.release.rows import Columns, Row, features, read_row
from rass_bench.release.source import Source

if TYPE_CHECKING:
    import pyarrow as pa

DATA_FOLDER = "data"

SHARD_BYTES = 500_000_000
"""Size of the files in a shard, about; the Hub's own tools split at as much."""

GROUP_BYTES = 32_000_000
"""Bytes of files that are held in memory, and a row group's size: who streams reads as much."""

GROUP_ROWS = 100


@dataclass(frozen=True)
class Shard:
    """One parquet file.

    Attributes:
        name: path in the release's folder.
        split: whose rows it holds.
        rows: how many.
        size: the file's bytes.
        content_bytes: bytes of the columns before compression.
        sha256: of the file.
    """

    name: str
    split: str
    rows: int
    size: int
    content_bytes: int
    sha256: str


def write_split(
    source: Source,
    dataset: Dataset,
    columns: Columns,
    folder: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    advance: Callable[[], None] = lambda: None,
) -> Manifest:
    """Write one split's shards into the release's folder.

    Args:
        source: the data set.
        dataset: the split.
        columns: of the release.
        folder: the release's folder.
        shard_bytes: a shard is ended before its samples' files exceed this, unless it is one.
        advance: called once after each sample.

    Raises:
        UserError: see :func:`~rass_bench.release.rows.read_row`.
    """
    parts = plan_shards(dataset.samples, shard_bytes)
    entries: list[ManifestEntry] = []

    def rows(part: tuple[Sample, ...]) -> Iterator[Row]:
        for sample in part:
            entry, row = read_row(source, dataset, sample, columns)
            entries.append(entry)
            yield row
            advance()

    schema = features(columns).arrow_schema
    for index, part in enumerate(parts):
        write_parquet(
            folder / shard_name(dataset.split.name, index, len(parts)), rows(part), schema
        )
    return Manifest(dataset.spec.key, dataset.split.name, tuple(entries))


def plan_shards(samples: Iterable[Sample], shard_bytes: int) -> list[tuple[Sample, ...]]:
    """Cut the samples into runs whose files have at most ``shard_bytes`` bytes, or one sample."""
    parts: list[list[Sample]] = []
    filled = 0
    for sample in samples:
        files = (sample.image, sample.label, sample.reference)
        size = sum(path.stat().st_size for path in files if path is not None and path.is_file())
        if not parts or filled + size > shard_bytes:
            parts.append([])
            filled = 0
        parts[-1].append(sample)
        filled += size
    return [tuple(part) for part in parts]


def shard_name(split: str, index: int, count: int) -> str:
    """A shard's path in the release's folder, as the Hub's tools name them."""
    return f"{DATA_FOLDER}/{split}-{index:05d}-of-{count:05d}.parquet"


def write_parquet(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows as they come; the bytes depend on rows, schema and pyarrow's version alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        # Photos are compressed already, and no value repeats: dictionaries only cost memory.
        with pq.ParquetWriter(
            stream, schema, compression="snappy", use_dictionary=False, write_page_index=True
        ) as writer:
            for group in _groups(rows):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
        stream.flush()
        os.fsync(stream.fileno())


def describe_shards(folder: Path, splits: Iterable[str]) -> tuple[Shard, ...]:
    """The shards in a release's folder, as their files tell.

    Raises:
        OSError: a file cannot be read, or is no parquet file (pyarrow's ArrowInvalid is a
            ValueError).
    """
    import pyarrow.parquet as pq

    shards = []
    for split in splits:
        for path in sorted((folder / DATA_FOLDER).glob(f"{split}-*.parquet")):
            footer = pq.read_metadata(path)
            groups = range(footer.num_row_groups)
            shards.append(
                Shard(
                    name=path.relative_to(folder).as_posix(),
                    split=split,
                    rows=footer.num_rows,
                    size=path.stat().st_size,
                    content_bytes=sum(footer.row_group(one).total_byte_size for one in groups),
                    sha256=sha256_file(path),
                )
            )
    return tuple(shards)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in row groups of at most GROUP_ROWS rows and about GROUP_BYTES bytes of files."""
    group: list[Row] = []
    filled = 0
    for row in rows:
        group.append(row)
        filled += sum(len(value["bytes"]) for value in row.values() if isinstance(value, dict))
        if len(group) == GROUP_ROWS or filled >= GROUP_BYTES:
            yield group
            group, filled = [], 0
    if group:
        yield group
