"""Polygons and rectangles that labelme wrote, one JSON file a photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.checks import mapping, mappings, number, text
from rass_bench.annotate.interchange.photos import (
    Photo,
    check_size,
    class_ids,
    class_named,
    empty_labels,
    files_below,
    photo_named,
    photos_by_id,
)
from rass_bench.annotate.shapes import MAX_POINTS, fill_polygon, paint
from rass_bench.errors import UserError
from rass_bench.files import read_json
from rass_bench.labels import IGNORE, LabelSpace

MAX_SHAPES = 2_000
"""Files with more shapes are refused."""


def read_labelme(
    folder: Path, photos: Iterable[Photo], space: LabelSpace
) -> Iterator[tuple[Photo, NDArray[np.uint8]]]:
    """Read the files one by one, sorted by sample id; later shapes lie on top.

    A pixel belongs to a shape that holds its centre (labelme's own pictures take the pixels under
    the outline too). A file belongs to the photo of its own name: ``imagePath`` and ``imageData``
    are not read. A photo without a file is not in what comes back.

    Args:
        folder: JSON files, by their photo's path without suffix.
        photos: the photos that may have one.
        space: the classes; labels are their names or ``ignore`` (labelme's ``__ignore__`` too).

    Yields:
        A photo and its labels, uint8 (H, W), class ids and 255 = ignore.

    Raises:
        UserError: a file of no photo, of another size or malformed; a shape of another type, or
            with a label that is no class.
    """
    known, ids = photos_by_id(photos), class_ids(space) | {"__ignore__": IGNORE}
    files = files_below(folder, ".json")
    pairs = [(photo_named(key, known, str(path)), path) for key, path in files]
    for photo, path in pairs:
        yield photo, _read_file(path, photo, ids, space)


def _read_file(
    path: Path, photo: Photo, ids: dict[str, int], space: LabelSpace
) -> NDArray[np.uint8]:
    labels, where = empty_labels(photo), str(path)
    try:
        document = mapping(read_json(path), "the file")
        shapes = mappings(document.get("shapes"), "shapes")
        if len(shapes) > MAX_SHAPES:
            raise ValueError(f"{len(shapes)} shapes, more than {MAX_SHAPES:,}")
        check_size((document.get("imageHeight"), document.get("imageWidth")), photo, where)
        for index, shape in enumerate(shapes):
            where = f"{path}, shape {index}"
            name = text(shape.get("label"), "the label")
            outline = _outline(shape, photo)
            patch = fill_polygon(outline, photo.height, photo.width)
            class_id = class_named(name, ids, space, where)
            paint(labels, patch.top, patch.left, patch.mask, class_id)
    except ValueError as error:
        raise UserError(str(error), where, "Correct it in labelme, or leave it out.") from None
    return labels


def _outline(shape: dict[str, Any], photo: Photo) -> NDArray[np.float64]:
    """The corners of a shape, float64 (N, 2).

    Raises:
        ValueError: another type, or no points within the photo.
    """
    kind, points = shape.get("shape_type", "polygon"), shape.get("points")
    if kind not in ("polygon", "rectangle"):
        raise ValueError(f"shapes of type {short_repr(kind)} are not read; polygon, rectangle")
    if not isinstance(points, list) or len(points) > MAX_POINTS:
        raise ValueError(f"the points are no list of at most {MAX_POINTS:,} pairs")
    pairs = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError(f"a point is {short_repr(point)}, not [x, y]")
        # A pixel of slack: editors disagree whether the last column ends at its number or beyond.
        x = number(point[0], -1, photo.width + 1, "x of a point")
        y = number(point[1], -1, photo.height + 1, "y of a point")
        pairs.append((x, y))
    if kind == "rectangle":
        if len(pairs) != 2:
            raise ValueError(f"a rectangle of {len(pairs)} points, not 2")
        (x, y), (far_x, far_y) = pairs
        pairs = [(x, y), (far_x, y), (far_x, far_y), (x, far_y)]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)
