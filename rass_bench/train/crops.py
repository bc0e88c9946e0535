"""The endless stream of training crops, each of which its place alone determines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rass_bench.data.dataset import Dataset as LabelledPhotos
from rass_bench.data.reading import read_truth
from rass_bench.degrade.apply import apply
from rass_bench.degrade.preset import Preset
from rass_bench.degrade.recipe import sample
from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.randomness import generator
from rass_bench.train.augment import Augmentation, augment


@dataclass(frozen=True)
class Batch:
    """Training crops.

    Attributes:
        clean: RGB float32 (N, 3, H, W) in [0, 1].
        low_quality: the same crops degraded; equal to ``clean`` where nothing degrades.
        labels: int64 (N, H, W), 255 = ignore.
    """

    clean: Tensor
    low_quality: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(
            self.clean.to(device, non_blocking=True),
            self.low_quality.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class CropStream:
    """What is drawn from.

    Attributes:
        photos: labelled photos, clean.
        sizes: of the crops.
        preset: how they are degraded online; None leaves them clean.
        seed: of order, augmentation and degradation.
    """

    photos: LabelledPhotos
    sizes: Augmentation
    preset: Preset | None
    seed: int

    def crop(self, place: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Clean crop, degraded crop (both RGB uint8 (S, S, 3)) and labels uint8 (S, S).

        Args:
            place: in the sequence of shuffled epochs, counted from 0.

        Raises:
            UserError: an unreadable photo or label map.
        """
        chosen = self.photos.samples[drawn(len(self.photos.samples), self.seed, place)]
        image, labels = read_image(chosen.image), read_truth(self.photos, chosen)
        rng = generator(self.seed, f"crop-{place}", "train/augment")
        clean, labels = augment(image, labels, self.sizes, rng)
        if self.preset is None:
            return clean, clean, labels
        recipe = sample(self.preset, self.seed, f"train/crop-{place}")
        return clean, apply(recipe, clean), labels

    def facts(self) -> Mapping[str, Any]:
        """Plain values that the crops depend on: a training goes on with the same ones alone."""
        return {
            "photos": f"{self.photos.spec.key} {self.photos.split.name}",
            "count": len(self.photos.samples),
            "sizes": asdict(self.sizes),
            "preset": self.preset.key if self.preset else None,
            "seed": self.seed,
        }

    def batches(
        self, size: int, first: int, last: int, *, workers: int, part: int = 0, parts: int = 1
    ) -> Iterator[Batch]:
        """The batches of steps ``first`` to ``last - 1``, the same whatever the workers.

        Args:
            size: crops a step and process.
            first: step to begin with.
            last: step to end before.
            workers: processes that read, augment and degrade; 0 does so in this one.
            part: which of the processes that train together this one is.
            parts: how many there are.

        Raises:
            UserError: an unreadable photo or label map.
        """
        loader = DataLoader(
            _Steps(self, size, range(first, last), part, parts),
            batch_size=None,
            num_workers=workers,
            # A worker that was forked from a process with threads may hang.
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=_start_worker,
            prefetch_factor=4 if workers else None,
        )
        for batch in loader:
            if isinstance(batch, UserError):
                raise batch
            yield batch


def drawn(count: int, seed: int, place: int) -> int:
    """The photo at a place of the endless sequence of shuffled epochs."""
    epoch, position = divmod(place, count)
    order = generator(seed, f"epoch-{epoch}", "train/order").permutation(count)
    return int(order[position])


class _Steps(Dataset[Batch | UserError]):
    """The batches of one process by step, for PyTorch's loader."""

    def __init__(self, stream: CropStream, size: int, steps: range, part: int, parts: int) -> None:
        self._stream = stream
        self._size = size
        self._steps = steps
        self._part = part
        self._parts = parts

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> Batch | UserError:
        first = (self._steps[index] * self._parts + self._part) * self._size
        try:
            return _stack([self._stream.crop(first + number) for number in range(self._size)])
        except UserError as error:
            # A value: what a worker raises reaches the user as a traceback.
            return error


def _stack(
    crops: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]],
) -> Batch:
    clean, degraded, labels = (np.stack(each) for each in zip(*crops, strict=True))
    return Batch(_to_tensor(clean), _to_tensor(degraded), torch.from_numpy(labels).long())


def _to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (N, H, W, 3) as float32 (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)


def _start_worker(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
