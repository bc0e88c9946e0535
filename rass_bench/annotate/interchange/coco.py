"""COCO instance files: polygons and run lengths in, run lengths out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.interchange.coco_json import (
    annotations_by_image,
    category_classes,
    category_entries,
    class_of,
    image_entry,
    image_photos,
    read_document,
)
from rass_bench.annotate.interchange.coco_masks import segmentation_mask
from rass_bench.annotate.interchange.photos import Photo, check_size, empty_labels
from rass_bench.errors import UserError, require_package
from rass_bench.files import write_json
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
    document = read_document(path)
    classes = category_classes(document, space, path)
    images = image_photos(document, photos, path)
    drawn = annotations_by_image(document, images, path)
    for image_id, drawings in drawn.items():
        if len(drawings) > MAX_ANNOTATIONS:
            raise UserError(
                f"{len(drawings)} annotations of one photo, more than {MAX_ANNOTATIONS:,}",
                f"{path}, image {image_id}",
                "Leave the photo out.",
            )
        for annotation in drawings:
            class_of(annotation, classes, _place(path, annotation))
    for image_id, photo in sorted(images.items(), key=lambda item: item[1].sample_id):
        labels = empty_labels(photo)
        for annotation in drawn[image_id]:
            where = _place(path, annotation)
            try:
                mask = segmentation_mask(annotation.get("segmentation"), photo)
            except ValueError as error:
                raise UserError(str(error), where, "Correct or remove the annotation.") from None
            labels[mask] = class_of(annotation, classes, where)
        yield photo, labels


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
    from pycocotools import mask as coco

    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for photo, labels in masks:
        check_size(labels.shape, photo, photo.file_name)
        images.append(image_entry(len(images) + 1, photo))
        for class_id in np.unique(labels[labels != IGNORE]).tolist():
            encoded = coco.encode(np.asfortranarray(labels == class_id, dtype=np.uint8))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": class_id + 1,
                    "segmentation": {
                        "size": [photo.height, photo.width],
                        "counts": encoded["counts"].decode("ascii"),
                    },
                    "area": int(coco.area(encoded)),
                    "bbox": coco.toBbox(encoded).tolist(),
                    "iscrowd": 0,
                }
            )
    categories = category_entries(space)
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})


def _place(path: Path, annotation: dict[str, Any]) -> str:
    return f"{path}, annotation {short_repr(annotation.get('id'))}"
