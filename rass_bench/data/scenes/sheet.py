"""A contact sheet: photos in a grid, each above its label map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.render import Scene
from rass_bench.labels import LabelSpace

GAP = 8
"""White pixels between scenes; half as many between a photo and its label map."""


def contact_sheet(scenes: Sequence[Scene], space: LabelSpace, columns: int) -> NDArray[np.uint8]:
    """Arrange scenes in rows, each photo above its label map, on white.

    Args:
        scenes: what to show, in reading order; at least one.
        space: gives the label maps their colours.
        columns: scenes in a row.

    Returns:
        RGB uint8 (H, W, 3).
    """
    palette = space.palette()
    height, width, _ = scenes[0].image.shape
    rows = -(-len(scenes) // columns)
    step = 2 * height + GAP // 2 + GAP
    sheet = np.full((rows * step + GAP, columns * (width + GAP) + GAP, 3), 255, dtype=np.uint8)
    for index, scene in enumerate(scenes):
        top, left = GAP + index // columns * step, GAP + index % columns * (width + GAP)
        below = top + height + GAP // 2
        sheet[top : top + height, left : left + width] = scene.image
        sheet[below : below + height, left : left + width] = palette[scene.labels]
    return sheet
