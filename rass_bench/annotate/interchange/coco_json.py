"""The lists of a COCO file: images, annotations and categories that refer to one another."""

from __future__ import annotations

from collections.abc import Iterable
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
from rass_bench.files import read_json
from rass_bench.labels import LabelSpace


def image_entry(image_id: int, photo: Photo) -> dict[str, Any]:
    """A photo as an entry of ``images``."""
    return {
        "id": image_id,
        "file_name": photo.file_name,
        "height": photo.height,
        "width": photo.width,
    }


def category_entries(space: LabelSpace) -> list[dict[str, Any]]:
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


def read_document(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The three lists of a COCO file.

    Raises:
        UserError: no JSON, or one of the lists is missing or malformed.
    """
    try:
        document = mapping(read_json(path), "the file")
        lists = ("images", "annotations", "categories")
        return {name: mappings(document.get(name), name) for name in lists}
    except ValueError as error:
        raise UserError(str(error), str(path), "Export it again.") from None


def category_classes(
    document: dict[str, list[dict[str, Any]]], space: LabelSpace, path: Path
) -> dict[int, int]:
    """Class ids by category id.

    Raises:
        UserError: a category without a usable id or name, twice, or of no class.
    """
    ids = class_ids(space)
    found: dict[int, int] = {}
    for index, category in enumerate(document["categories"]):
        where = f"{path}, category {index}"
        key = _key(category, found, where)
        try:
            name = text(category.get("name"), "the name")
        except ValueError as error:
            raise UserError(str(error), where, "Name the category.") from None
        found[key] = class_named(name, ids, space, where)
    return found


def image_photos(
    document: dict[str, list[dict[str, Any]]], photos: Iterable[Photo], path: Path
) -> dict[int, Photo]:
    """Photos by image id.

    Raises:
        UserError: an image without a usable id or file name, twice, of no photo or another size.
    """
    known = photos_by_id(photos)
    found: dict[int, Photo] = {}
    named: set[str] = set()
    for index, image in enumerate(document["images"]):
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


def annotations_by_image(
    document: dict[str, list[dict[str, Any]]], images: dict[int, Photo], path: Path
) -> dict[int, list[dict[str, Any]]]:
    """Annotations by image id, in the file's order; an empty list for an image without any.

    Raises:
        UserError: an annotation of no image.
    """
    found: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in images}
    for index, annotation in enumerate(document["annotations"]):
        image_id = annotation.get("image_id")
        if not isinstance(image_id, int) or image_id not in found:
            raise UserError(
                f"an annotation of the image {short_repr(image_id)}, which is not in the file",
                f"{path}, annotation {index}",
                "Export it again.",
            )
        found[image_id].append(annotation)
    return found


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


def _key(entry: dict[str, Any], found: dict[int, Any], where: str) -> int:
    key = entry.get("id")
    if not isinstance(key, int) or isinstance(key, bool) or key in found:
        raise UserError(
            f"the id {short_repr(key)} is no whole number of its own", where, "Export it again."
        )
    return key
