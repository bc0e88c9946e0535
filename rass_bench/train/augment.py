"""What a training crop goes through before it is degraded: scale, crop, colour, mirror image.

The augmentation of Mask2Former on ADE20K, which RASS takes over: detectron2's ResizeShortestEdge
and RandomCrop, the colours of SSD (Liu et al. 2016, arXiv 1512.02325, as in Caffe's SSD branch), a
mirror image of every second crop, and padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rass_bench.labels import IGNORE

PADDING = 128
"""Value of the pixels outside the photo; their label is ignore."""

BRIGHTNESS = 32
CONTRAST = SATURATION = (0.5, 1.5)
HUE = 18
"""Ranges of the colour changes: grey levels, factors, and half degrees."""


OFFICIAL_TENTHS = range(5, 21)
"""Tenths of the test size that photos are resized to: half to twice (MIN_SIZE_TRAIN of the official
Base-ADE20K configuration)."""


@dataclass(frozen=True)
class Augmentation:
    """Sizes of the crops.

    Attributes:
        side: of the square crop, in pixels.
        short_sides: what the photo's short side is resized to, one of them at random.
        max_long_side: of the resized photo.
    """

    side: int
    short_sides: tuple[int, ...]
    max_long_side: int

    @classmethod
    def of_side(cls, side: int, test_side: int, tenths: range = OFFICIAL_TENTHS) -> Augmentation:
        """Sizes around the test size, the long side at most four times it.

        At a test size of 512 these are the official sizes: 256, 307 .. 1024, at most 2048.

        Args:
            side: of the crop.
            test_side: the short side that the model is tested at.
            tenths: of the test size, each a size of the photo's short side.
        """
        return cls(side, tuple(int(test_side * tenth / 10) for tenth in tenths), 4 * test_side)


def augment(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    sizes: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square training crop.

    Args:
        image: RGB uint8 (H, W, 3).
        labels: uint8 (H, W).
        sizes: of the crop.
        rng: where randomness comes from.

    Returns:
        RGB uint8 (side, side, 3) and labels uint8 (side, side).
    """
    height, width = _resized(labels.shape, int(rng.choice(sizes.short_sides)), sizes.max_long_side)
    shrinking = height < labels.shape[0]
    image = cv2.resize(
        image,
        (width, height),
        interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR,
    ).astype(np.uint8, copy=False)
    labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(
        np.uint8, copy=False
    )
    top = int(rng.integers(0, max(0, height - sizes.side) + 1))
    left = int(rng.integers(0, max(0, width - sizes.side) + 1))
    here = slice(top, top + sizes.side), slice(left, left + sizes.side)
    crop = change_colours(np.ascontiguousarray(image[here]), rng)
    labels = labels[here]
    if rng.random() < 0.5:
        crop, labels = crop[:, ::-1], labels[:, ::-1]
    missing = [(0, sizes.side - length) for length in labels.shape]
    return (
        np.pad(crop, (*missing, (0, 0)), constant_values=PADDING),
        np.pad(labels, missing, constant_values=IGNORE),
    )


def change_colours(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """SSD's colour distortion of RGB uint8 (H, W, 3): each change in every second photo.

    Brightness, then contrast either before or after saturation and hue.
    """
    pixels = image.astype(np.float32)
    if rng.random() < 0.5:
        pixels = _clip(pixels + np.float32(rng.uniform(-BRIGHTNESS, BRIGHTNESS)))
    contrast_first = rng.random() < 0.5
    if contrast_first:
        pixels = _change_contrast(pixels, rng)
    if rng.random() < 0.5:
        pixels = _in_hsv(pixels, 1, factor=float(rng.uniform(*SATURATION)))
    if rng.random() < 0.5:
        pixels = _in_hsv(pixels, 0, shift=int(rng.integers(-HUE, HUE + 1)))
    if not contrast_first:
        pixels = _change_contrast(pixels, rng)
    return pixels.astype(np.uint8)


def _resized(shape: tuple[int, ...], short_side: int, max_long_side: int) -> tuple[int, int]:
    """Height and width after detectron2's ResizeShortestEdge."""
    scale = min(short_side / min(shape), max_long_side / max(shape))
    return max(1, int(shape[0] * scale + 0.5)), max(1, int(shape[1] * scale + 0.5))


def _change_contrast(pixels: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    if rng.random() < 0.5:
        return _clip(pixels * np.float32(rng.uniform(*CONTRAST)))
    return pixels


def _in_hsv(
    pixels: NDArray[np.float32], channel: int, *, factor: float = 1.0, shift: int = 0
) -> NDArray[np.float32]:
    """Scale or shift one channel of OpenCV's 8-bit HSV, whose hue counts half degrees."""
    hsv = cv2.cvtColor(pixels.astype(np.uint8), cv2.COLOR_RGB2HSV)
    changed = hsv[..., channel].astype(np.int32)
    if channel == 0:
        hsv[..., 0] = ((changed + shift) % 180).astype(np.uint8)
    else:
        hsv[..., channel] = np.clip(changed * factor, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float32)


def _clip(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(pixels, 0, 255)
