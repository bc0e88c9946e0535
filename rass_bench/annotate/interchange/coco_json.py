"""The lists of a COCO file: images, annotations and categories that refer to one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

from rass_bench.annotate.checks import mapping, mappings, text
from rass_bench.annotate.interchange.photos import (
    Photo,
    check_size,
    class_ids,
    class_named,
    class_titles,
    photo_named,
    photos_by_id,
    sample_id_of,
)
from rass_bench.errors import UserError
from rass_bench.files import read_json, write_json
from rass_bench.labels import LabelSpace


@dataclass(frozen=True)
class DrawnImage:
    """A photo that a file names, and what was drawn on it.

    Attributes:
        image_id: its number in the file.
        photo: the photo.
        annotations: in the file's order.
    """

    image_id: int
    photo: Photo
    annotations: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class CocoFile:
    """What a file says, its references resolved.

    Attributes:
        images: its photos, sorted by sample id.
        classes: class ids by category id.
    """

    images: tuple[DrawnImage, ...]
    classes: dict[int, int]


def read_coco_file(path: Path, photos: Iterable[Photo], space: LabelSpace) -> CocoFile:
    """Read a file and check that all its images and categories are known.

    Raises:
        UserError: no JSON, a list that is missing or malformed, an image of no photo, a category
            of no class, an annotation of no image, or one id for two.
    """
    try:
        document = mapping(read_json(path), "the file")
        lists = ("images", "annotations", "categories")
        images, annotations, categories = (mappings(document.get(name), name) for name in lists)
    except ValueError as error:
        raise UserError(str(error), str(path), "Export it again.") from None
    classes = _category_classes(categories, space, path)
    found = _image_photos(images, photos, path)
    drawn = _annotations_by_image(annotations, found, path)
    ordered = sorted(found.items(), key=lambda item: item[1].sample_id)
    return CocoFile(
        images=tuple(DrawnImage(key, photo, tuple(drawn[key])) for key, photo in ordered),
        classes=classes,
    )


def write_coco_file(
    path: Path,
    images: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    space: LabelSpace,
) -> None:
    """Write a file, with the classes as its categories."""
    categories = _category_entries(space)
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})


def image_entry(image_id: int, photo: Photo) -> dict[str, Any]:
    """A photo as an entry of ``images``."""
    return {
        "id": image_id,
        "file_name": photo.file_name,
        "height": photo.height,
        "width": photo.width,
    }


def class_of(entry: dict[str, Any], classes: dict[int, int], where: str) -> int:
    """The class id of an annotation or segment.

    Raises:
        UserError: its category is not in the file.
    """
    category = entry.get("category_id")
    if not isinstance(category, int) or category not in classes:
        raise UserError(
            f"the category {short_repr(category)} is not in the file", where, "Export it again."
        )
    return classes[category]


def _category_entries(space: LabelSpace) -> list[dict[str, Any]]:
    """The classes as ``categories``: their ids plus 1, since many tools take 0 for none."""
    return [
        {
            "id": entry.id + 1,
            "name": title,
            "isthing": int(not entry.is_stuff),
            "color": list(entry.colour),
        }
        for entry, title in zip(space.classes, class_titles(space), strict=True)
    ]


def _category_classes(
    categories: list[dict[str, Any]], space: LabelSpace, path: Path
) -> dict[int, int]:
    """Class ids by category id."""
    ids = class_ids(space)
    found: dict[int, int] = {}
    for index, category in enumerate(categories):
        where = f"{path}, category {index}"
        key = _key(category, found, where)
        try:
            name = text(category.get("name"), "the name")
        except ValueError as error:
            raise UserError(str(error), where, "Name the category.") from None
        found[key] = class_named(name, ids, space, where)
    return found


def _image_photos(
    images: list[dict[str, Any]], photos: Iterable[Photo], path: Path
) -> dict[int, Photo]:
    """Photos by image id."""
    known = photos_by_id(photos)
    found: dict[int, Photo] = {}
    named: set[str] = set()
    for index, image in enumerate(images):
        where = f"{path}, image {index}"
        key = _key(image, found, where)
        name = image.get("file_name")
        photo = photo_named(sample_id_of(name) if isinstance(name, str) else "", known, where)
        if photo.sample_id in named:
            raise UserError(f"a second image of {photo.file_name}", where, "Leave one out.")
        check_size((image.get("height"), image.get("width")), photo, where)
        found[key] = photo
        named.add(photo.sample_id)
    return found


def _annotations_by_image(
    annotations: list[dict[str, Any]], images: dict[int, Photo], path: Path
) -> dict[int, list[dict[str, Any]]]:
    """Annotations by image id, in the file's order; an empty list for an image without any."""
    found: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in images}
    for index, annotation in enumerate(annotations):
        image_id = annotation.get("image_id")
        if not isinstance(image_id, int) or image_id not in found:
            raise UserError(
                f"an annotation of the image {short_repr(image_id)}, which is not in the file",
                f"{path}, annotation {index}",
                "Export it again.",
            )
        found[image_id].append(annotation)
    return found


def _key(entry: dict[str, Any], found: dict[int, Any], where: str) -> int:
    key = entry.get("id")
    if not isinstance(key, int) or isinstance(key, bool) or key in found:
        raise UserError(
            f"the id {short_repr(key)} is no whole number of its own", where, "Export it again."
        )
    return key
