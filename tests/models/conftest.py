"""Small models with a known answer, and photos to give them."""

from collections.abc import Sequence

import numpy as np
import pytest

from rass_bench.models.protocols import ModelSpec, ParameterCount, SizeRule


class Thresholder:
    """Class 2 (sky) where a photo is bright, class 0 (wall) elsewhere; remembers what it saw."""

    parameters: ParameterCount | None = None

    def __init__(self, rule: SizeRule, answer: str = "labels") -> None:
        self.spec = ModelSpec(
            name="thresholder",
            revision="1",
            title="Thresholder",
            licence="Apache-2.0",
            label_space="ade20k-150",
            size_rule=rule,
        )
        self._answer = answer
        self.seen: list[tuple[int, ...]] = []

    def predict(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.seen += [image.shape for image in images]
        return [self._predict_one(image) for image in images]

    def _predict_one(self, image: np.ndarray) -> np.ndarray:
        bright = image.mean(axis=2) > 127
        if self._answer == "labels":
            return np.where(bright, 2, 0).astype(np.uint8)
        scores = np.zeros((150, *image.shape[:2]), dtype=np.float32)
        scores[2] = bright
        scores[0] = 0.5
        return scores


class Repeater:
    """Enlarges by repeating pixels."""

    parameters: ParameterCount | None = None

    def __init__(self, scale: int, rule: SizeRule) -> None:
        self.spec = ModelSpec(
            name="repeater",
            revision="1",
            title="Repeater",
            licence="Apache-2.0",
            scale=scale,
            size_rule=rule,
        )

    def restore(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        scale = self.spec.scale
        return [image.repeat(scale, axis=0).repeat(scale, axis=1) for image in images]


def noise_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photo of coarse coloured noise: smooth enough to resize, different everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3))
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].astype(np.uint8)


@pytest.fixture(scope="session", name="Thresholder")
def _thresholder():
    return Thresholder


@pytest.fixture(scope="session", name="Repeater")
def _repeater():
    return Repeater


@pytest.fixture(scope="session", name="noise_photo")
def _noise_photo():
    return noise_photo
