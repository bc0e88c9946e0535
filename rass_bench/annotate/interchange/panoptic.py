"""COCO panoptic files: a JSON file beside a folder of PNG files whose colours number segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.checks import mappings, text
from rass_bench.annotate.interchange.coco_json import (
    class_of,
    image_entry,
    read_coco_file,
    write_coco_file,
)
from rass_bench.annotate.interchange.photos import Photo, check_size
from rass_bench.errors import UserError
from rass_bench.files import inside
from rass_bench.images import open_image, write_image
from rass_bench.labels import IGNORE, LabelSpace

VOID = 0
"""The segment number of pixels that belong to none (COCO panoptic format)."""


def read_panoptic(
    path: Path, folder: Path, photos: Iterable[Photo], space: LabelSpace
) -> Iterator[tuple[Photo, NDArray[np.uint8]]]:
    """Read a panoptic file photo by photo, sorted by sample id.

    A pixel's segment is red + 256 green + 65536 blue (COCO panoptic format). Photos are found by
    the ``file_name`` of the image, classes by category name (see ``class_ids``).

    Args:
        path: the JSON file.
        folder: the PNG files, named by the ``file_name`` of the annotation.
        photos: the photos that it may name.
        space: the classes.

    Yields:
        A photo and its labels, uint8 (H, W), class ids and 255 = ignore.

    Raises:
        UserError: malformed; a photo or category that is not known; no annotation or two for one
            image; a path out of the folder; another size; a segment in the PNG or in the list
            alone.
    """
    document = read_coco_file(path, photos, space)
    for image in document.images:
        where = f"{path}, image {image.image_id}"
        if len(image.annotations) != 1:
            raise UserError(
                f"{len(image.annotations)} annotations of one image", where, "Write exactly one."
            )
        (annotation,) = image.annotations
        yield image.photo, _read_one(annotation, folder, image.photo, document.classes, where)


def write_panoptic(
    path: Path, folder: Path, masks: Iterable[tuple[Photo, NDArray[np.uint8]]], space: LabelSpace
) -> None:
    """Write label maps as a COCO panoptic file: one segment a class and photo.

    Segment and category ids are class ids plus 1, names those of ``class_titles``; ignore is void.

    Args:
        path: the JSON file.
        folder: where the PNG files go, by sample id.
        masks: photos and their labels, uint8 (H, W), class ids and 255 = ignore.
        space: the classes.

    Raises:
        UserError: a photo's path leads out of the folder.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for photo, labels in masks:
        check_size(labels.shape, photo, photo.file_name)
        images.append(image_entry(len(images) + 1, photo))
        colours = np.zeros((*labels.shape, 3), dtype=np.uint8)
        colours[:, :, 0] = labels + np.uint8(1)  # uint8 wraps: 255 becomes void
        file_name = f"{photo.sample_id}.png"
        write_image(inside(folder, file_name), colours)
        present = np.unique(labels[labels != IGNORE]).tolist()
        annotations.append(
            {
                "image_id": len(images),
                "file_name": file_name,
                "segments_info": [_segment(labels == class_id, class_id) for class_id in present],
            }
        )
    write_coco_file(path, images, annotations, space)


def _segment(mask: NDArray[np.bool_], class_id: int) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return {
        "id": class_id + 1,
        "category_id": class_id + 1,
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
    }


def _read_one(
    annotation: dict[str, Any], folder: Path, photo: Photo, classes: dict[int, int], where: str
) -> NDArray[np.uint8]:
    try:
        name = text(annotation.get("file_name"), "the file name")
        segments = mappings(annotation.get("segments_info"), "segments_info")
    except ValueError as error:
        raise UserError(str(error), where, "Export it again.") from None
    numbers = _read_segments(inside(folder, name), photo)
    labels_of = {VOID: IGNORE}
    for segment in segments:
        number = segment.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or number in labels_of:
            raise UserError(
                f"the segment id {short_repr(number)} is no whole number of its own",
                where,
                "Export it again.",
            )
        labels_of[number] = class_of(segment, classes, where)
    present, positions = np.unique(numbers, return_inverse=True)
    unpaired = (labels_of.keys() - {VOID}) ^ (set(present.tolist()) - {VOID})
    if unpaired:
        raise UserError(
            f"the segment {min(unpaired)} is in the PNG or in the list alone",
            f"{where}, {name}",
            "The PNG and the JSON file are not of one export.",
        )
    lookup = np.array([labels_of[number] for number in present.tolist()], dtype=np.uint8)
    return lookup[positions].reshape(numbers.shape)


def _read_segments(path: Path, photo: Photo) -> NDArray[np.uint32]:
    """Segment numbers, uint32 (H, W)."""
    image = open_image(path)
    if image.format != "PNG" or image.mode != "RGB":
        raise UserError(
            f"segments are numbered in an RGB PNG, not in {image.format} {image.mode}",
            str(path),
            "Export it again.",
        )
    check_size((image.height, image.width), photo, str(path))
    colours = np.asarray(image, dtype=np.uint32)
    return np.asarray(colours @ np.array([1, 256, 65536], dtype=np.uint32), dtype=np.uint32)
