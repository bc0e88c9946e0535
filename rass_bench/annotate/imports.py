"""Masks that were drawn elsewhere, kept in a project's folder as one annotator's opinions.

``imported/<annotator>/<sample>.png`` holds a mask, ``files/photos/`` the photo that it was drawn
on, and ``imports.json``, which is written last, lists them with their SHA-256.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from reprlib import repr as short_repr

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.checks import text
from rass_bench.annotate.initialise import load_definition, load_space
from rass_bench.annotate.interchange.coco import read_coco
from rass_bench.annotate.interchange.formats import MaskFormat
from rass_bench.annotate.interchange.labelme import read_labelme
from rass_bench.annotate.interchange.panoptic import read_panoptic
from rass_bench.annotate.interchange.photos import Photo, check_size
from rass_bench.annotate.interchange.png import read_png_folder
from rass_bench.annotate.photos import open_photos, serve_photo
from rass_bench.annotate.project import load_project, tasks_path
from rass_bench.annotate.server import files_root
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError
from rass_bench.files import (
    alone_in,
    inside,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
)
from rass_bench.images import label_png, oriented_size
from rass_bench.labels import LabelEncoding, LabelSpace, read_label_map
from rass_bench.structure import read_versioned

IMPORTS_SCHEMA = 1

IMPORTED = "imported"
"""Subfolder of a project that holds the masks."""

SERVERS_NAMES = "annotator-"
"""What the names of the server's own annotators begin with."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")

_STAGING = ".import"
"""Subfolder that an import fills before it touches anything else."""


@dataclass(frozen=True)
class ImportedMask:
    """One annotator's mask of one photo.

    An annotator who imported a mask is taken to have looked at all of the photo: a file cannot
    tell where nothing was drawn from where ``ignore`` was, so that the mask covers everything.

    Attributes:
        sample: the sample's id.
        annotator: who drew it, as the user named them.
        photo: the photo as the server shows it, relative to the project's ``files/``.
        source_sha256: SHA-256 of the sample's own file, which the server may show converted.
        width: of the upright photo, in pixels.
        height: of the upright photo, in pixels.
        mask: the mask, relative to the project's folder: class ids and 255 = ignore.
        mask_sha256: SHA-256 of that file.
        source: format and name of what it was read from, such as ``coco instances.json``.
        label_space: name of the classes that its ids are of.
    """

    sample: str
    annotator: str
    photo: str
    source_sha256: str
    width: int
    height: int
    mask: str
    mask_sha256: str
    source: str
    label_space: str


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: masks of photos that the annotator had none of.
        replaced: masks that differ from the annotator's earlier ones.
        unchanged: masks that the project had.
        without_mask: photos that what was imported holds no mask of, by sample id.
    """

    added: int
    replaced: int
    unchanged: int
    without_mask: tuple[str, ...]


@dataclass(frozen=True)
class _Stored:
    """``imports.json``: the masks by sample and annotator."""

    schema_version: int
    masks: tuple[ImportedMask, ...]


def import_masks(
    folder: Path,
    images: Path,
    masks: Path,
    mask_format: MaskFormat,
    annotator: str,
    *,
    segments: Path | None = None,
    advance: Callable[[], None] = lambda: None,
) -> ImportReport:
    """Add masks to a project as one annotator's work; earlier ones of other photos are kept.

    All masks and their photos are read before the project is touched. Killed at any moment, the
    project is whole after the same import again.

    Args:
        folder: the project's folder, with the ``dataset.yaml`` of the data set to be built.
        images: the photos, searched as the data set ``photos``.
        masks: a folder (png, labelme) or a JSON file (coco, panoptic).
        mask_format: what ``masks`` is.
        annotator: who drew them; see :func:`check_annotator`.
        segments: the PNG files of a panoptic file; None takes the folder of the file's name.
        advance: called once after each mask.

    Raises:
        UserError: a mask or photo that cannot be used, a photo that differs from the project's
            one of that sample, an annotator's name that is none, or a folder without a
            definition or with another import at work in it.
        OSError: the project cannot be written.
    """
    check_annotator(annotator)
    spec, space = load_definition(folder), load_space(folder)
    encoding = spec.label_encoding or LabelEncoding.CONTIGUOUS
    source = _source(mask_format, masks)
    samples = {sample.id: sample for sample in open_photos(images)}
    with alone_in(folder), _staging(folder) as staging:
        earlier = load_imports(folder)
        known = _known_photos(folder, earlier)
        photos = _photos(samples.values())
        drawn = _read(masks, mask_format, segments, photos, space=space, encoding=encoding)
        fresh = []
        for photo, labels in drawn:
            sample = samples[photo.sample_id]
            fresh.append(
                _stage(staging, sample, labels, annotator=annotator, source=source, space=space)
            )
            _check_photo(fresh[-1], known)
            advance()
        _move_in(staging, folder)
        _save(folder, (*earlier, *fresh))
    return _report(samples, [one for one in earlier if one.annotator == annotator], fresh)


def load_imports(folder: Path) -> tuple[ImportedMask, ...]:
    """The masks that were imported into a project, by sample and annotator; none before any.

    Raises:
        UserError: the file is malformed or of a newer schema.
    """
    path = imports_path(folder)
    if not path.is_file():
        return ()
    do = "Remove it and import the masks again."
    stored = read_versioned(path, _Stored, IMPORTS_SCHEMA, "file of imported masks", do)
    return stored.masks


def read_mask(folder: Path, imported: ImportedMask, space: LabelSpace) -> NDArray[np.uint8]:
    """Read an imported mask.

    Args:
        folder: the project's folder.
        imported: which.
        space: the project's classes.

    Returns:
        uint8 (H, W), class ids and 255 = ignore.

    Raises:
        UserError: the file is missing, was changed, has another size, holds other values, or lies
            outside the folder.
    """
    path = inside(folder, imported.mask)
    if not path.is_file() or sha256_file(path) != imported.mask_sha256:
        raise UserError(
            "the mask is missing or was changed since it was imported",
            str(path),
            "Import it again: rass-bench annotate import.",
        )
    labels = read_label_map(path, space, LabelEncoding.CONTIGUOUS)
    photo = Photo(imported.sample, imported.height, imported.width)
    check_size(labels.shape, photo, str(path))
    return labels


def imports_path(folder: Path) -> Path:
    """Where a project notes what was imported."""
    return folder / "imports.json"


def check_annotator(name: str) -> None:
    """Refuse a name that is no folder's, or could be one that the server gives.

    Raises:
        UserError: not 1 to 64 of the characters A-Z a-z 0-9 . _ -, the first no dot; or beginning
            with ``annotator-``.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{short_repr(name)} is no name for an annotator",
            "annotator",
            "Use 1 to 64 of the characters A-Z a-z 0-9 . _ - and no dot at the beginning.",
        )
    if name.lower().startswith(SERVERS_NAMES):
        raise UserError(
            f"names that begin with {SERVERS_NAMES} are those of the server",
            f"annotator {name}",
            "Choose another name.",
        )


def _source(mask_format: MaskFormat, masks: Path) -> str:
    """Format and name of what is imported, without the folders that lead to it."""
    try:
        return f"{mask_format} {text(masks.resolve().name, 'the name')}"
    except ValueError as error:
        raise UserError(str(error), "masks", "Rename the file or folder.") from None


def _photos(samples: Iterable[Sample]) -> Iterator[Photo]:
    for sample in samples:
        width, height = oriented_size(sample.image)
        yield Photo(f"{sample.id}{sample.image.suffix}", height, width)


def _read(
    masks: Path,
    mask_format: MaskFormat,
    segments: Path | None,
    photos: Iterable[Photo],
    *,
    space: LabelSpace,
    encoding: LabelEncoding,
) -> Iterator[tuple[Photo, NDArray[np.uint8]]]:
    """The masks one by one, uint8 (H, W), class ids and 255 = ignore."""
    if segments is not None and mask_format is not MaskFormat.PANOPTIC:
        raise UserError(
            f"masks in the format {mask_format} have no folder of segments",
            "--segments",
            "Leave it out, or give --format panoptic.",
        )
    match mask_format:
        case MaskFormat.PNG:
            return read_png_folder(masks, photos, space, encoding)
        case MaskFormat.COCO:
            return read_coco(masks, photos, space)
        case MaskFormat.PANOPTIC:
            return read_panoptic(masks, segments or masks.with_suffix(""), photos, space)
        case MaskFormat.LABELME:
            return read_labelme(masks, photos, space)


def _known_photos(folder: Path, earlier: Iterable[ImportedMask]) -> dict[str, str]:
    """SHA-256 of the photos that the project has, by sample id."""
    known = {one.sample: one.source_sha256 for one in earlier}
    if tasks_path(folder).is_file():
        known |= {task.sample: task.source_sha256 for task in load_project(folder).tasks}
    return known


def _check_photo(imported: ImportedMask, known: dict[str, str]) -> None:
    if known.get(imported.sample, imported.source_sha256) != imported.source_sha256:
        raise UserError(
            "the photo differs from the one that the project has under this name",
            f"sample {imported.sample}",
            "Masks belong to the photo they were drawn on; give the other photo another name.",
        )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """An empty folder of the project for as long as the block runs."""
    staging = folder / _STAGING
    if staging.exists():
        shutil.rmtree(staging)  # of an import that was killed
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging)


def _stage(
    staging: Path,
    sample: Sample,
    labels: NDArray[np.uint8],
    *,
    annotator: str,
    source: str,
    space: LabelSpace,
) -> ImportedMask:
    """Write mask and photo where they will lie in the project, below the staging folder."""
    photo = serve_photo(sample, files_root(staging))
    mask, content = f"{IMPORTED}/{annotator}/{sample.id}.png", label_png(labels)
    write_bytes(inside(staging, mask), content)
    return ImportedMask(
        sample=sample.id,
        annotator=annotator,
        photo=photo.path,
        source_sha256=photo.source_sha256,
        width=photo.width,
        height=photo.height,
        mask=mask,
        mask_sha256=sha256_bytes(content),
        source=source,
        label_space=space.name,
    )


def _move_in(staging: Path, folder: Path) -> None:
    for path in sorted(staging.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _save(folder: Path, masks: Iterable[ImportedMask]) -> None:
    """Note the masks; of two by one annotator of one photo, the later one."""
    merged = {(one.sample, one.annotator): one for one in masks}
    stored = _Stored(IMPORTS_SCHEMA, tuple(merged[key] for key in sorted(merged)))
    write_json(imports_path(folder), asdict(stored))


def _report(
    samples: Iterable[str], earlier: Iterable[ImportedMask], fresh: Sequence[ImportedMask]
) -> ImportReport:
    before = {one.sample: one.mask_sha256 for one in earlier}
    added = sum(one.sample not in before for one in fresh)
    unchanged = sum(before.get(one.sample) == one.mask_sha256 for one in fresh)
    return ImportReport(
        added=added,
        replaced=len(fresh) - added - unchanged,
        unchanged=unchanged,
        without_mask=tuple(sorted(set(samples) - {one.sample for one in fresh})),
    )
