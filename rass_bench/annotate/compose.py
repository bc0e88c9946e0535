"""Drawn regions to one label map: later regions lie on top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from reprlib import repr as short_repr

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.regions import Region
from rass_bench.annotate.shapes import paint
from rass_bench.errors import UserError
from rass_bench.labels import IGNORE, LabelSpace

IGNORE_LABEL = "ignore"
"""The label of regions that nobody can name."""


@dataclass(frozen=True)
class Composed:
    """A label map, and where somebody drew at all.

    Attributes:
        labels: uint8 (H, W), class ids; 255 where nothing or an ignore region lies on top.
        covered: bool (H, W), where any region lies, those of ignore among them.
    """

    labels: NDArray[np.uint8]
    covered: NDArray[np.bool_]


def compose(
    regions: Iterable[Region], height: int, width: int, space: LabelSpace, where: str
) -> Composed:
    """Lay regions on one another in their order.

    Args:
        regions: regions of a photo of that size; a label is a class id as decimal text, or
            ``ignore``.
        height: rows of the photo.
        width: columns of the photo.
        space: the classes.
        where: which task and annotation it is, for messages.

    Raises:
        UserError: a region without a label, or with one that is no class of the label space.
    """
    ids = {str(entry.id): entry.id for entry in space.classes} | {IGNORE_LABEL: IGNORE}
    labels = np.full((height, width), IGNORE, dtype=np.uint8)
    covered = np.zeros((height, width), dtype=np.bool_)
    for region in regions:
        if region.label not in ids:
            raise UserError(
                "a region has no label"
                if region.label is None
                else f"the label {short_repr(region.label)} is no class of {space.name}",
                f"{where}, region {short_repr(region.region_id)}",
                f"Labels are 0 to {space.size - 1} or {IGNORE_LABEL}; give it one and pull again.",
            )
        paint(labels, region.top, region.left, region.mask, ids[region.label])
        paint(covered, region.top, region.left, region.mask, True)
    return Composed(labels, covered)
