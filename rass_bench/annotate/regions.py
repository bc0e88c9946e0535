"""What an annotator drew: the regions of a Label Studio result as masks with a label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.brush_rle import decode_brush
from rass_bench.annotate.checks import mapping, number, text
from rass_bench.annotate.shapes import (
    MAX_POINTS,
    Patch,
    crop,
    fill_ellipse,
    fill_polygon,
    rectangle_corners,
)
from rass_bench.errors import UserError

OPAQUE = 128
"""Alpha from which a pixel belongs to a stroke; the page draws strokes anti-aliased."""

MAX_RESULTS = 2_000
"""Annotations with more results are refused; ADE20K's fullest photo has some hundred regions."""

MAX_MASK_PIXELS = 500_000_000
"""Annotations whose cropped masks have more pixels in sum, a byte each, are refused."""

KINDS = ("brush", "polygon", "rectangle", "ellipse")
"""What is read: regions of these kinds, with their label inside or as a result of its own."""

ORIGINS = ("manual", "prediction", "prediction-changed")

_SLACK = 1e-6
"""Percentages that the page computes leave 0..100 by rounding."""


@dataclass(frozen=True)
class Region:
    """One region that was drawn on a photo.

    Attributes:
        region_id: its id in the annotation.
        label: what the result names: the alias of a class in the labelling configuration (its id
            as decimal text) or ``ignore``; None where the annotator gave none.
        kind: one of ``KINDS``.
        origin: one of ``ORIGINS``; None where the result states none.
        top: row of the mask's first row in the photo.
        left: column of the mask's first column.
        mask: bool (h, w), cropped to its bounding box; (0, 0) where all was erased again.
    """

    region_id: str
    label: str | None
    kind: str
    origin: str | None
    top: int
    left: int
    mask: NDArray[np.bool_]


def read_regions(result: object, height: int, width: int, where: str) -> tuple[Region, ...]:
    """Read the ``result`` of one annotation or prediction.

    Brushes, polygons, rectangles and ellipses are read, and results of type ``labels`` that name
    the label of a region of the same id (their copy of its shape is not needed). Nothing else is
    left out in silence: any other result is refused.

    Args:
        result: the list of results, as JSON has it.
        height: rows of the photo.
        width: columns of the photo.
        where: which task and annotation it is, for messages.

    Returns:
        The regions in the order they were drawn; later ones lie on top.

    Raises:
        UserError: a result of another type or malformed, another size than the photo's, a
            percentage outside 0..100, a damaged brush stream, one id twice, more than one label,
            or more results or mask pixels than the limits; task, annotation and region are named.
    """
    regions: dict[str, Region] = {}
    labels: dict[str, str | None] = {}
    pixels = 0
    for index, entry in enumerate(_results(result, where)):
        name = f"result {index}"
        try:
            region_id = text(mapping(entry, name).get("id"), "the region's id")
            name = f"region {short_repr(region_id)}"
            is_label = entry.get("type") == "labels"
            _refuse_twice(region_id, labels if is_label else regions)
            if is_label:
                labels[region_id] = _label(mapping(entry.get("value"), "the value"), "labels")
                continue
            region = _read_region(entry, region_id, height, width)
            regions[region_id] = region
            pixels += region.mask.size
            if pixels > MAX_MASK_PIXELS:
                raise ValueError(f"the masks have more than {MAX_MASK_PIXELS:,} pixels in sum")
        except ValueError as error:
            raise _refusal(str(error), where, name) from None
    return _with_labels(regions, labels, where)


def _results(result: object, where: str) -> list[Any]:
    if not isinstance(result, list) or len(result) > MAX_RESULTS:
        found = f"{len(result)} results" if isinstance(result, list) else type(result).__name__
        raise UserError(
            f"the result is a list of at most {MAX_RESULTS:,} regions, not {found}",
            where,
            "Leave the annotation out, or split it.",
        )
    return result


def _read_region(entry: dict[str, Any], region_id: str, height: int, width: int) -> Region:
    """One region with the label that lies inside it.

    Raises:
        ValueError: not one that is read.
    """
    written = entry.get("type")
    kind = written.removesuffix("labels") if isinstance(written, str) else ""
    if kind not in KINDS:
        raise ValueError(f"results of type {short_repr(written)} are not read; {', '.join(KINDS)}")
    origin = entry.get("origin")
    if origin is not None and origin not in ORIGINS:
        raise ValueError(f"the origin is {short_repr(origin)}, not one of {', '.join(ORIGINS)}")
    _check_size(entry, kind, height, width)
    value = mapping(entry.get("value"), "the value")
    patch = _patch(kind, value, height, width)
    label = _label(value, f"{kind}labels")
    return Region(region_id, label, kind, origin, patch.top, patch.left, patch.mask)


def _check_size(entry: dict[str, Any], kind: str, height: int, width: int) -> None:
    """Refuse what was drawn on another photo, or in a view that coordinates are turned with.

    A brush mask is stored as the photo lies, even when it was painted in a turned view
    (Label Studio 1.23, checked); for percentages that is not known.

    Raises:
        ValueError: refused.
    """
    stated = entry.get("original_width"), entry.get("original_height")
    if stated != (width, height) and (kind == "brush" or stated != (None, None)):
        drawn = " x ".join(short_repr(side) for side in stated)
        raise ValueError(f"drawn on {drawn} pixels, not {width} x {height}")
    turned = entry.get("image_rotation", 0)
    if kind != "brush" and turned != 0:
        raise ValueError(f"a {kind} drawn in a view turned by {short_repr(turned)} degrees")


def _patch(kind: str, value: dict[str, Any], height: int, width: int) -> Patch:
    """The pixels of a region.

    Raises:
        ValueError: a value is missing or out of range.
    """
    if kind == "brush":
        if value.get("format") != "rle":
            raise ValueError(f"a brush of format {short_repr(value.get('format'))}, not 'rle'")
        return crop(decode_brush(value.get("rle"), height, width) >= OPAQUE)
    if kind == "polygon":
        return fill_polygon(_points(value, height, width), height, width)
    x, y = _percent(value, "x") * width, _percent(value, "y") * height
    degrees = number(value.get("rotation", 0), -360, 360, "rotation")
    if kind == "rectangle":
        size = _percent(value, "width") * width, _percent(value, "height") * height
        return fill_polygon(rectangle_corners(x, y, *size, degrees), height, width)
    radii = _percent(value, "radiusX") * width, _percent(value, "radiusY") * height
    return fill_ellipse((x, y), radii, degrees, height, width)


def _points(value: dict[str, Any], height: int, width: int) -> NDArray[np.float64]:
    points = value.get("points")
    if not isinstance(points, list) or len(points) > MAX_POINTS:
        raise ValueError(f"the points are no list of at most {MAX_POINTS:,} pairs")
    if value.get("closed", True) is not True:
        raise ValueError("a polygon that was not closed")
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError(f"a point is {short_repr(point)}, not [x, y]")
    shares = [[number(share, -_SLACK, 100 + _SLACK, "a point") for share in p] for p in points]
    return np.array(shares, dtype=np.float64).reshape(-1, 2) * (width / 100, height / 100)


def _percent(value: dict[str, Any], key: str) -> float:
    """A percentage as a share 0..1."""
    return number(value.get(key), -_SLACK, 100 + _SLACK, key) / 100


def _label(value: dict[str, Any], key: str) -> str | None:
    """The one label under ``key``; None without any."""
    labels = value.get(key, [])
    if not isinstance(labels, list) or len(labels) > 1:
        raise ValueError(f"{key} is {short_repr(labels)}, not a list of one label")
    return text(labels[0], "the label") if labels else None


def _refuse_twice(region_id: str, seen: dict[str, Any]) -> None:
    if region_id in seen:
        raise ValueError("two results of the same kind have this id")


def _with_labels(
    regions: dict[str, Region], labels: dict[str, str | None], where: str
) -> tuple[Region, ...]:
    """Give regions the labels that results of their own name."""
    for region_id, label in labels.items():
        name = f"region {short_repr(region_id)}"
        region = regions.get(region_id)
        if region is None:
            raise _refusal("a label without the region that it names", where, name)
        if region.label is not None:
            raise _refusal("a label inside the region and another result for it", where, name)
        regions[region_id] = replace(region, label=label)
    return tuple(regions.values())


def _refusal(what: str, where: str, name: str) -> UserError:
    return UserError(
        what, f"{where}, {name}", "Correct or remove the region in Label Studio and pull again."
    )
