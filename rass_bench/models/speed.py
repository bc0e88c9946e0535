"""How fast a model is: seconds an image, from photo to photo-sized answer, after warm-up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rass_bench.errors import UserError
from rass_bench.models.protocols import Image, Restorer, Segmenter
from rass_bench.models.sizing import restore, segment


@dataclass(frozen=True)
class Speed:
    """Seconds an image, one at a time, resizing to the model's size and back included.

    Attributes:
        median_seconds: median over the timed calls.
        calls: number of timed calls.
        warm_up: calls before them, which load kernels and fill caches.
    """

    median_seconds: float
    calls: int
    warm_up: int

    @property
    def fps(self) -> float:
        """Images a second at the median."""
        return 1 / self.median_seconds


def measure_speed(
    model: Segmenter | Restorer, images: Sequence[Image], warm_up: int = 2, repeats: int = 1
) -> Speed:
    """Time a model on photos, one at a time.

    A model returns arrays in the computer's memory, so the clock stops after a GPU has finished.

    Args:
        model: a segmenter or a restorer.
        images: RGB uint8 (H, W, 3).
        warm_up: untimed calls first, on the same photos in turn.
        repeats: how many times each photo is timed.

    Raises:
        UserError: no photos.
    """
    if not images:
        raise UserError("no photos to time the model on", model.spec.key, "Give at least one.")
    for index in range(warm_up):
        _run(model, images[index % len(images)])
    seconds = []
    for image in list(images) * repeats:
        started = time.perf_counter()
        _run(model, image)
        seconds.append(time.perf_counter() - started)
    return Speed(statistics.median(seconds), len(seconds), warm_up)


def _run(model: Segmenter | Restorer, image: Image) -> None:
    if isinstance(model, Segmenter):
        segment(model, [image])
    else:
        restore(model, [image])
