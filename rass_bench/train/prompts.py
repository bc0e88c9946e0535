"""Prompts of training photos: the names of the classes in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rass_bench.data.dataset import Dataset
from rass_bench.data.reading import read_truth
from rass_bench.labels import IGNORE
from rass_bench.models.rass.prompt import prompt_of


def prompts_of(labels: Tensor, names: Sequence[str]) -> list[str]:
    """The prompt of each crop, the class with the most pixels first.

    Args:
        labels: int64 (N, H, W), 255 = ignore.
        names: of all classes.
    """
    return [prompt_of([names[index] for index in classes_by_area(one)]) for one in labels]


def classes_by_area(labels: Tensor) -> list[int]:
    """The classes of one label map (H, W), largest first, equal areas by id."""
    present, pixels = torch.unique(labels[labels != IGNORE], return_counts=True)
    order = torch.argsort(pixels, descending=True, stable=True)
    return [int(index) for index in present[order]]


def classes_present(photos: Dataset) -> tuple[str, ...]:
    """Names of the classes that a data set's labels hold, in the order of their ids.

    Raises:
        UserError: an unreadable label map.
    """
    space = photos.spec.labels
    names = space.names if space is not None else ()
    present: set[int] = set()
    for sample in photos.samples:
        present |= set(np.unique(read_truth(photos, sample)).tolist())
    return tuple(names[index] for index in sorted(present - {IGNORE}))
