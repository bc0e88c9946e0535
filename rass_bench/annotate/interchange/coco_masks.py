"""COCO's segmentations as masks: polygons and run lengths, compressed or not."""

from __future__ import annotations

from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.checks import mapping, number
from rass_bench.annotate.interchange.photos import Photo
from rass_bench.annotate.shapes import MAX_POINTS

MAX_POLYGONS = 1_000
"""Annotations of more polygons are refused."""


def segmentation_mask(segmentation: object, photo: Photo) -> NDArray[np.bool_]:
    """The pixels of an annotation.

    Args:
        segmentation: polygons, run lengths, or compressed run lengths.
        photo: what it was drawn on.

    Returns:
        bool (H, W).

    Raises:
        ValueError: no polygons or run lengths of that photo.
    """
    if isinstance(segmentation, list):
        return _polygons(segmentation, photo)
    runs = mapping(segmentation, "the segmentation")
    if runs.get("size") != [photo.height, photo.width]:
        size = short_repr(runs.get("size"))
        raise ValueError(f"run lengths of size {size}, not [{photo.height}, {photo.width}]")
    counts = runs.get("counts")
    if isinstance(counts, str):
        counts = uncompress(counts, photo.height * photo.width)
    return _runs(counts, photo)


def _runs(counts: object, photo: Photo) -> NDArray[np.bool_]:
    pixels = photo.height * photo.width
    if not isinstance(counts, list) or not all(
        isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= pixels
        for count in counts
    ):
        raise ValueError(f"the counts are no list of whole numbers 0 to {pixels}")
    if sum(counts) != pixels:
        raise ValueError(f"the counts sum to {sum(counts)}, not to {pixels} pixels")
    inside = np.arange(len(counts)) % 2 == 1  # runs outside and inside take turns
    # COCO counts down the columns.
    return np.repeat(inside, counts).reshape(photo.width, photo.height).T


def uncompress(text_of_counts: str, pixels: int) -> list[int]:
    """Read COCO's compressed counts.

    Five bits a character from "0" on, the lowest first, and a sixth that says whether more
    follow; the highest is the sign; from the fourth count on, what is written is the difference to
    the count before the last (cocoapi, ``common/maskApi.c``, ``rleFrString``). The library's own
    reader writes beyond its memory on damaged text (pycocotools 2.0.11), so that it gets none.

    Args:
        text_of_counts: the text.
        pixels: of the photo; no count is larger.

    Raises:
        ValueError: other characters, an unfinished count, or one outside 0..pixels.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text_of_counts:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise ValueError("the counts are not compressed as COCO does it")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        if not 0 <= counts[-1] <= pixels:
            raise ValueError(f"a count is {counts[-1]}, not within 0..{pixels}")
        value = shift = 0
    if shift:
        raise ValueError("the last count is unfinished")
    return counts


def _polygons(polygons: list[Any], photo: Photo) -> NDArray[np.bool_]:
    """Polygons as COCO draws them."""
    from pycocotools import mask as coco

    if not 1 <= len(polygons) <= MAX_POLYGONS:
        raise ValueError(f"{len(polygons)} polygons, not 1 to {MAX_POLYGONS:,}")
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2 or len(polygon) < 6:
            raise ValueError(f"a polygon is {short_repr(polygon)}, not [x, y, x, y, x, y, ...]")
        if len(polygon) > 2 * MAX_POINTS:
            raise ValueError(f"a polygon of more than {MAX_POINTS:,} points")
        # Beyond the photo, drawing would take memory for each pixel of the way.
        for x, y in zip(polygon[::2], polygon[1::2], strict=True):
            number(x, -1, photo.width + 1, "x of a point")
            number(y, -1, photo.height + 1, "y of a point")
    encoded = coco.merge(coco.frPyObjects(polygons, photo.height, photo.width))
    return np.asarray(coco.decode(encoded), dtype=np.bool_)
