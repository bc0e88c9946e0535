"""COCO instance files: polygons and run lengths in, run lengths out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.interchange.coco_json import (
    DrawnImage,
    class_of,
    image_entry,
    read_coco_file,
    write_coco_file,
)
from rass_bench.annotate.interchange.coco_masks import segmentation_mask
from rass_bench.annotate.interchange.photos import Photo, check_size, empty_labels
from rass_bench.errors import UserError, require_package
from rass_bench.labels import IGNORE, LabelSpace

MAX_ANNOTATIONS = 2_000
"""Photos with more annotations are refused."""


def read_coco(
    path: Path, photos: Iterable[Photo], space: LabelSpace
) -> Iterator[tuple[Photo, NDArray[np.uint8]]]:
    """Read an instance file photo by photo, sorted by sample id; later annotations lie on top.

    Photos are found by ``file_name``, classes by category name (see ``class_ids``); all
    references are checked before the first photo comes back. An image without annotations is
    ignore everywhere; a photo that the file does not name is not in what comes back. Crowds are
    read as what they cover.

    Args:
        path: the JSON file.
        photos: the photos that it may name.
        space: the classes.

    Yields:
        A photo and its labels, uint8 (H, W), class ids and 255 = ignore.

    Raises:
        UserError: malformed, a photo or category that is not known, two images of one photo,
            another size, or a segmentation that does not fit.
    """
    require_package("pycocotools", "annotate")
    document = read_coco_file(path, photos, space)
    for image in document.images:
        if len(image.annotations) > MAX_ANNOTATIONS:
            raise UserError(
                f"{len(image.annotations)} annotations of one photo, more than {MAX_ANNOTATIONS:,}",
                f"{path}, image {image.image_id}",
                "Leave the photo out.",
            )
        for annotation in image.annotations:
            class_of(annotation, document.classes, _place(path, annotation))
    for image in document.images:
        yield image.photo, _paint(image, document.classes, path)


def write_coco(
    path: Path, masks: Iterable[tuple[Photo, NDArray[np.uint8]]], space: LabelSpace
) -> None:
    """Write label maps as a COCO file of compressed run lengths, one annotation a class and photo.

    Category ids are class ids plus 1, names those of ``class_titles``; ignore is not written, so
    that it comes back wherever no annotation lies.

    Args:
        path: the JSON file.
        masks: photos and their labels, uint8 (H, W), class ids and 255 = ignore.
        space: the classes.
    """
    require_package("pycocotools", "annotate")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for photo, labels in masks:
        check_size(labels.shape, photo, photo.file_name)
        images.append(image_entry(len(images) + 1, photo))
        for class_id in np.unique(labels[labels != IGNORE]).tolist():
            numbers = {"id": len(annotations) + 1, "image_id": len(images)}
            annotations.append(numbers | _annotation(labels == class_id, class_id))
    write_coco_file(path, images, annotations, space)


def _paint(image: DrawnImage, classes: dict[int, int], path: Path) -> NDArray[np.uint8]:
    """Lay an image's annotations on one another, uint8 (H, W)."""
    labels = empty_labels(image.photo)
    for annotation in image.annotations:
        where = _place(path, annotation)
        try:
            mask = segmentation_mask(annotation.get("segmentation"), image.photo)
        except ValueError as error:
            raise UserError(str(error), where, "Correct or remove the annotation.") from None
        labels[mask] = class_of(annotation, classes, where)
    return labels


def _annotation(mask: NDArray[np.bool_], class_id: int) -> dict[str, Any]:
    """The pixels of a class, bool (H, W), as compressed run lengths."""
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "category_id": class_id + 1,
        "segmentation": {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")},
        "area": int(coco.area(encoded)),
        "bbox": coco.toBbox(encoded).tolist(),
        "iscrowd": 0,
    }


def _place(path: Path, annotation: dict[str, Any]) -> str:
    return f"{path}, annotation {short_repr(annotation.get('id'))}"
