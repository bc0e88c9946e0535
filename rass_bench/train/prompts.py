"""Prompts of training photos: the names of the classes in them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rass_bench.data.dataset import Dataset
from rass_bench.data.reading import classes_present
from rass_bench.errors import UserError
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


def class_names(photos: Dataset) -> tuple[str, ...]:
    """Names of the classes that a data set's labels hold, in the order of their ids, each once.

    Raises:
        UserError: an unreadable label map, or no class in any: there would be nothing to learn.
    """
    space = photos.spec.labels
    present = {name for sample in photos.samples for name in classes_present(photos, sample)}
    if space is None or not present:
        raise UserError(
            f"no pixel of {photos.spec.key} {photos.split.name} has a class",
            "--dataset",
            "Check its label maps and their encoding.",
        )
    return tuple(name for name in dict.fromkeys(space.names) if name in present)
