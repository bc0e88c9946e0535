"""What a release's folder holds besides its shards: definition, manifests, provenance."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rass_bench.annotate.provenance import PROVENANCE_FILE, MaskProvenance, read_masks
from rass_bench.data.dataset import manifest_name
from rass_bench.data.manifest import Manifest, load_manifest
from rass_bench.data.spec import (
    DEFINITION_FILE,
    DatasetSpec,
    SplitSpec,
    definition_text,
    parse_spec,
)
from rass_bench.errors import UserError
from rass_bench.files import write_bytes
from rass_bench.release.licence import Licence, redistribution_licence
from rass_bench.release.rows import Columns
from rass_bench.release.shards import Shard, describe_shards
from rass_bench.release.source import Source


@dataclass(frozen=True)
class Release:
    """A release's folder, described.

    Attributes:
        spec: the definition, with the released splits alone.
        columns: which columns its rows have.
        masks: where each mask comes from, by sample id; empty unless the data were annotated.
        manifests: one a split, in the definition's order.
        shards: the parquet files, by split and number.
    """

    spec: DatasetSpec
    columns: Columns
    masks: Mapping[str, MaskProvenance]
    manifests: tuple[Manifest, ...]
    shards: tuple[Shard, ...]

    @property
    def licence(self) -> Licence | None:
        """The licence that allows the pixels to be in it, or None."""
        return redistribution_licence(self.spec.licence)

    @property
    def samples(self) -> int:
        """How many samples all splits have."""
        return sum(len(manifest.entries) for manifest in self.manifests)


def write_contents(folder: Path, source: Source, manifests: tuple[Manifest, ...]) -> DatasetSpec:
    """Write definition, manifests and provenance into a release's folder.

    Returns:
        The definition with the released splits alone.
    """
    splits = tuple(SplitSpec(one.split, len(one.entries)) for one in manifests)
    spec = replace(source.spec, splits=splits)
    write_bytes(folder / DEFINITION_FILE, definition_text(spec).encode())
    for manifest in manifests:
        manifest.save(folder / manifest_name(manifest.split))
    if source.provenance is not None:
        shutil.copyfile(source.provenance, folder / PROVENANCE_FILE)
    return spec


def read_release(folder: Path) -> Release:
    """Describe a release's folder by its files.

    Raises:
        UserError: a file is missing or malformed, or a manifest is another data set's.
    """
    path = folder / DEFINITION_FILE
    if not path.is_file():
        raise UserError("file not found", str(path), "Give a folder of `release build`.")
    spec = parse_spec(path)
    manifests = tuple(load_manifest(folder / manifest_name(one.name)) for one in spec.splits)
    for split, manifest in zip(spec.splits, manifests, strict=True):
        if (manifest.dataset, manifest.split) != (spec.key, split.name):
            raise UserError(
                f"the manifest is that of {manifest.dataset}, split {manifest.split}",
                str(folder / manifest_name(split.name)),
                "Build the release again.",
            )
    entries = [entry for manifest in manifests for entry in manifest.entries]
    columns = Columns(
        pixels=redistribution_licence(spec.licence) is not None,
        label=spec.label_space is not None,
        reference=any(entry.reference is not None for entry in entries),
        recipe=any(entry.recipe is not None for entry in entries),
        provenance=(folder / PROVENANCE_FILE).is_file(),
    )
    try:
        shards = describe_shards(folder, [split.name for split in spec.splits])
    except (OSError, ValueError) as error:
        raise UserError(
            f"no parquet file: {error}", str(folder), "Build the release again."
        ) from None
    provenance = folder / PROVENANCE_FILE
    masks = read_masks(provenance, spec.key) if provenance.is_file() else {}
    return Release(spec, columns, masks, manifests, shards)


def count_samples(folder: Path) -> int:
    """How many samples a release's folder lists; 0 where it cannot be described."""
    try:
        return read_release(folder).samples
    except UserError:
        return 0


def released_splits(folder: Path) -> list[str] | None:
    """The splits that a release's folder says it holds; None where that cannot be read."""
    path = folder / DEFINITION_FILE
    try:
        return [split.name for split in parse_spec(path).splits] if path.is_file() else None
    except UserError:
        return None
