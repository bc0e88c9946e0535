"""What a training crop goes through: scale, crop, flip, colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rass_bench.labels import IGNORE

SCALES = (0.9, 1.3)
"""Range of the random scale."""

JITTER = 0.15
"""Largest relative change of brightness, contrast and saturation."""


def random_crop(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], side: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A square training crop: random scale, place, mirror image and colours.

    Args:
        image: RGB uint8 (H, W, 3).
        labels: uint8 (H, W).
        side: of the crop; what lies outside the photo is black and ignored.
        rng: where randomness comes from.

    Returns:
        RGB float32 (side, side, 3) in 0..1, and labels uint8 (side, side).
    """
    scale = float(rng.uniform(*SCALES))
    height, width = (max(1, round(length * scale)) for length in labels.shape)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    image = np.pad(image, (*_missing(height, width, side), (0, 0)))
    labels = np.pad(labels, _missing(height, width, side), constant_values=IGNORE)
    top = int(rng.integers(0, labels.shape[0] - side + 1))
    left = int(rng.integers(0, labels.shape[1] - side + 1))
    crop = image[top : top + side, left : left + side].astype(np.float32)
    labels = labels[top : top + side, left : left + side]
    if rng.random() < 0.5:
        crop, labels = crop[:, ::-1], labels[:, ::-1]
    return jitter(crop / np.float32(255), rng), np.ascontiguousarray(labels)


def jitter(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change brightness, contrast and saturation of RGB float32 (H, W, 3) in 0..1."""
    brightness, contrast, saturation = 1 + rng.uniform(-JITTER, JITTER, 3).astype(np.float32)
    image = image * brightness
    image = image.mean() + (image - image.mean()) * contrast
    grey = image.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(grey + (image - grey) * saturation, 0, 1), dtype=np.float32)


def _missing(height: int, width: int, side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, max(0, side - height)), (0, max(0, side - width))
