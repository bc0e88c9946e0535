"""Pictures of what a stage attends to: each crop's largest class beside its mask."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rass_bench.labels import LabelSpace
from rass_bench.pictures import Panel, attention_panels
from rass_bench.train.scl import PromptTargets, SclConfig, class_maps


def largest_class_panels(
    photos: NDArray[np.uint8],
    labels: Tensor,
    maps: Mapping[int, Tensor],
    targets: PromptTargets,
    *,
    config: SclConfig,
    space: LabelSpace,
) -> list[tuple[Panel, ...]]:
    """Two panels a crop, none for a crop without a class.

    Args:
        photos: crops, RGB uint8 (N, H, W, 3).
        labels: int64 (N, H, W).
        maps: attention by stride, of which the finest is drawn.
        targets: what the crops were prompted with.
        config: how the maps of tokens become a class's.
        space: the classes.
    """
    finest = class_maps(maps, targets, config)[min(maps)]
    return [
        attention_panels(
            photo,
            finest[index, 0].cpu().numpy(),
            labels[index].byte().cpu().numpy(),
            targets.classes[index][0],
            space,
        )
        if targets.classes[index]
        else ()
        for index, photo in enumerate(photos)
    ]
