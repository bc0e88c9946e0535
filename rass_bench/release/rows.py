"""A sample as a row of a release: the files' own bytes, their hashes and their history."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from rass_bench.annotate.provenance import MaskProvenance
from rass_bench.data.dataset import Dataset
from rass_bench.data.manifest import ManifestEntry, Sample
from rass_bench.data.reading import read_reference, read_truth
from rass_bench.errors import UserError
from rass_bench.files import canonical_json, inside, sha256_bytes
from rass_bench.images import open_image, oriented_size, read_image
from rass_bench.release.licence import redistribution_licence
from rass_bench.release.source import Source

if TYPE_CHECKING:
    import datasets

MAX_FILE_BYTES = 1 << 30
"""Larger files are refused: a column of a parquet file holds 2 GiB before it must be split."""

_PNG = b"\x89PNG\r\n\x1a\n"

Row: TypeAlias = dict[str, Any]
"""Column names and values as pyarrow takes them."""


@dataclass(frozen=True)
class Columns:
    """Which columns a release has; the same in all its splits.

    Attributes:
        pixels: whether the files themselves are in it, or their hashes alone.
        label: whether there are masks.
        reference: whether there are clean or high-resolution photos.
        recipe: whether it is known what was done to photos.
        provenance: whether it is known where masks come from.
    """

    pixels: bool
    label: bool
    reference: bool
    recipe: bool
    provenance: bool

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that a sample has."""
        present = (("image", True), ("label", self.label), ("reference", self.reference))
        return tuple(name for name, is_there in present if is_there)


def choose_columns(source: Source) -> Columns:
    """The columns that the source fills; pixels only where its licence allows it."""
    samples = [sample for dataset in source.splits for sample in dataset.samples]
    return Columns(
        pixels=redistribution_licence(source.spec.licence) is not None,
        label=source.spec.label_space is not None,
        reference=any(sample.reference is not None for sample in samples),
        recipe=any(
            sample.id in dataset.recipes for dataset in source.splits for sample in dataset.samples
        ),
        provenance=source.provenance is not None,
    )


def features(columns: Columns) -> datasets.Features:
    """The columns as the package `datasets` types them."""
    import datasets

    text, whole = datasets.Value("string"), datasets.Value("int32")
    chosen: dict[str, Any] = {"id": text}
    if columns.pixels:
        chosen |= {name: datasets.Image() for name in columns.files}
    chosen |= {f"{name}_sha256": text for name in columns.files}
    chosen |= {"width": whole, "height": whole}
    if columns.recipe:
        chosen["recipe"] = text
    if columns.provenance:
        chosen["provenance"] = text
    return datasets.Features(chosen)


def read_row(
    source: Source, dataset: Dataset, sample: Sample, columns: Columns
) -> tuple[ManifestEntry, Row]:
    """Read a sample's files, decode each once to see that others can, and describe them.

    Photos and references keep their own bytes, and so do masks that are PNG files; other masks
    become PNG with the same values.

    Returns:
        The sample's line of the release's manifest, and its row.

    Raises:
        UserError: an id or a link that leads out of the data root, a file that is missing,
            damaged or too large, a mask or reference whose size does not fit the photo's, or a
            mask that is not the one its provenance tells of.
    """
    _refuse_stranger(dataset, sample)
    height, width = read_image(sample.image).shape[:2]
    _check_ground_truth(source, dataset, sample)
    paths = {"image": sample.image, "label": sample.label, "reference": sample.reference}
    embedded: dict[str, dict[str, Any]] = {}
    for name in columns.files:
        path = paths[name]
        if path is not None:
            content = _lossless(path) if name == "label" else path.read_bytes()
            relative = PurePosixPath(path.relative_to(dataset.root).as_posix())
            stored = relative.with_suffix(".png") if name == "label" else relative
            embedded[name] = {"bytes": content, "path": str(stored)}
    digests = {name: sha256_bytes(one["bytes"]) for name, one in embedded.items()}
    entry = ManifestEntry(
        id=sample.id,
        image=embedded["image"]["path"],
        image_sha256=digests["image"],
        width=width,
        height=height,
        label=embedded["label"]["path"] if "label" in embedded else None,
        label_sha256=digests.get("label"),
        reference=embedded["reference"]["path"] if "reference" in embedded else None,
        reference_sha256=digests.get("reference"),
        recipe=dataset.recipes.get(sample.id),
    )
    row = row_facts(entry, source.masks, columns)
    if columns.pixels:
        row |= {name: embedded.get(name) for name in columns.files}
    return entry, row


def row_facts(entry: ManifestEntry, masks: Mapping[str, MaskProvenance], columns: Columns) -> Row:
    """The columns of a row that the files beside the shards determine.

    Args:
        entry: the sample's line of the manifest.
        masks: where each mask comes from, by sample id.
        columns: of the release.
    """
    facts: Row = {"id": entry.id, "width": entry.width, "height": entry.height}
    facts |= {f"{name}_sha256": getattr(entry, f"{name}_sha256") for name in columns.files}
    if columns.recipe:
        recipe = entry.recipe
        facts["recipe"] = None if recipe is None else canonical_json(recipe).decode()
    if columns.provenance:
        mask = masks.get(entry.id)
        facts["provenance"] = None if mask is None else canonical_json(asdict(mask)).decode()
    return facts


def _refuse_stranger(dataset: Dataset, sample: Sample) -> None:
    """Refuse what is not the data set's own, or too large to be passed on."""
    if ".." in PurePosixPath(sample.id).parts or sample.id.startswith("/"):
        raise UserError(
            f"the sample id {sample.id!r} leads out of the data set",
            str(dataset.root),
            "Rename the photo.",
        )
    for path in (sample.image, sample.label, sample.reference):
        if path is None:
            continue
        # A link to a file elsewhere would publish what nobody meant to publish.
        inside(dataset.root, path.relative_to(dataset.root).as_posix())
        oriented_size(path)  # names a file that is missing, no image, or declares too many pixels
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(
                f"the file has {path.stat().st_size:,} bytes",
                str(path),
                f"At most {MAX_FILE_BYTES:,} are released; save it anew or leave it out.",
            )


def _check_ground_truth(source: Source, dataset: Dataset, sample: Sample) -> None:
    read_reference(sample, dataset.spec.scale)
    if dataset.spec.labels is None or sample.label is None:
        return
    read_truth(dataset, sample)
    mask = source.masks.get(sample.id)
    if mask is not None and mask.mask_sha256 != sha256_bytes(sample.label.read_bytes()):
        raise UserError(
            "the mask was changed since its provenance was written",
            str(sample.label),
            "Build the annotated data set again, or remove its provenance.json.",
        )


def _lossless(path: Path) -> bytes:
    """A mask's file, as PNG: its own bytes when it is one."""
    content = path.read_bytes()
    if content.startswith(_PNG):
        return content
    stream = io.BytesIO()
    # What has passed read_truth holds no value above 255.
    values = np.asarray(open_image(path)).astype(np.uint8)
    Image.fromarray(values).save(stream, format="PNG")
    return stream.getvalue()
