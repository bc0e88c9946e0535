"""Rows of a loaded release against its manifest, and against the files it was made from."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from reprlib import repr as _short
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from rass_bench.data.dataset import Dataset
from rass_bench.data.manifest import Manifest, ManifestEntry, Sample
from rass_bench.data.spec import Layout
from rass_bench.errors import UserError
from rass_bench.files import sha256_bytes
from rass_bench.images import open_image
from rass_bench.release.contents import Release
from rass_bench.release.loading import undecoded
from rass_bench.release.rows import Row, features, read_row, row_facts
from rass_bench.release.source import Source
from rass_bench.release.sums import Difference

if TYPE_CHECKING:
    import datasets


def compare_split(
    release: Release,
    manifest: Manifest,
    rows: datasets.Dataset,
    source: Source | None,
    advance: Callable[[], None],
) -> list[Difference]:
    """Look at every row of a split: hashes, pixels, and what else is known of the sample.

    Args:
        release: what the folder holds.
        manifest: the split's.
        rows: the split, loaded.
        source: the data set that the release was made from; None where it is not at hand.
        advance: called once for each sample.
    """
    split = manifest.split
    if rows.features != features(release.columns):
        return [Difference(split, f"its columns are {', '.join(rows.features)}")]
    ids = [row["id"] for row in undecoded(rows.select_columns("id"))]
    if ids != [entry.id for entry in manifest.entries]:
        return [Difference(split, "its samples are not those of the manifest, in order")]
    dataset = _source_split(source, split)
    samples = {sample.id: sample for sample in dataset.samples} if dataset else {}
    differences = _uncommon(manifest, samples) if dataset else []
    for entry, row in zip(manifest.entries, undecoded(rows), strict=True):
        problems = list(_against_manifest(release, entry, row))
        if source and dataset and entry.id in samples:
            problems += _against_source(
                release, entry, row, source=source, dataset=dataset, sample=samples[entry.id]
            )
        differences += [Difference(f"{split}/{entry.id}", problem) for problem in problems]
        advance()
    return differences


def _source_split(source: Source | None, split: str) -> Dataset | None:
    splits = source.splits if source else ()
    return next((one for one in splits if one.split.name == split), None)


def _uncommon(manifest: Manifest, samples: dict[str, Sample]) -> list[Difference]:
    """Samples that the release or the source has alone."""
    released = {entry.id for entry in manifest.entries}
    lacking = [(one, "not in the release") for one in sorted(samples.keys() - released)]
    lacking += [(one, "not in the source") for one in sorted(released - samples.keys())]
    return [Difference(f"{manifest.split}/{one}", problem) for one, problem in lacking]


def _against_manifest(release: Release, entry: ManifestEntry, row: Row) -> Iterator[str]:
    for name, value in row_facts(entry, release.masks, release.columns).items():
        if row[name] != value:
            yield f"its {name} is {_short(row[name])}, beside the parquet files {_short(value)}"
    if not release.columns.pixels:
        return
    for name in release.columns.files:
        digest = getattr(entry, f"{name}_sha256")
        content = _content(row, name)
        if (content is None) != (digest is None):
            yield f"its {name} is missing in the {'row' if content is None else 'manifest'}"
        elif content is not None and sha256_bytes(content) != digest:
            yield f"the hash of its {name} is not the manifest's"
        elif content is not None:
            factor = release.spec.scale if name == "reference" else 1
            yield from _wrong_size(name, content, entry.width * factor, entry.height * factor)


def _wrong_size(name: str, content: bytes, width: int, height: int) -> Iterator[str]:
    try:
        found = decode(content)
    except ValueError as error:
        yield f"its {name} cannot be decoded: {error}"
        return
    if found.shape[:2] != (height, width):
        yield f"its {name} has {found.shape[1]} x {found.shape[0]} pixels, not {width} x {height}"


def _against_source(
    release: Release,
    entry: ManifestEntry,
    row: Row,
    *,
    source: Source,
    dataset: Dataset,
    sample: Sample,
) -> Iterator[str]:
    try:
        expected, _ = read_row(source, dataset, sample, release.columns)
    except UserError as error:
        yield f"the source cannot be read: {error}"
        return
    stated, found = asdict(expected), asdict(entry)
    # Scenes are rendered where they are needed: their pixels are the data set, not their bytes.
    is_rendered = source.spec.layout is Layout.SCENES
    for name in (name for name in stated if stated[name] != found[name]):
        if not (is_rendered and name.endswith("_sha256")):
            yield f"its {name} is not that of the source"
    if release.columns.provenance and release.masks.get(entry.id) != source.masks.get(entry.id):
        yield "its provenance is not that of the source"
    if not release.columns.pixels:
        return
    for name in release.columns.files:
        path, content = getattr(sample, name), _content(row, name)
        if path is not None and content is not None:
            yield from _other_pixels(name, content, path)


def _content(row: Row, name: str) -> bytes | None:
    """The bytes of a row's file; where there is a path instead, it is a stranger's: None."""
    content: bytes | None = row[name]["bytes"] if row[name] else None
    return content


def _other_pixels(name: str, content: bytes, path: Path) -> Iterator[str]:
    try:
        found = decode(content)
    except ValueError as error:
        yield f"its {name} cannot be decoded: {error}"
        return
    expected = np.asarray(ImageOps.exif_transpose(open_image(path)))
    if found.shape != expected.shape:
        yield f"its {name} has not the size and channels of the source"
    elif not np.array_equal(found, expected):
        differing = (found != expected).reshape(*found.shape[:2], -1).any(axis=2)
        yield f"{int(differing.sum())} pixels of its {name} are not those of the source"


def decode(content: bytes) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, C) of an image's file, as the package `datasets` decodes it.

    Raises:
        ValueError: no image, or a damaged one.
    """
    import datasets

    try:
        return np.asarray(datasets.Image().decode_example({"bytes": content, "path": None}))
    except (OSError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None
