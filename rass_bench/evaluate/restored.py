"""Restored photos under R2S: made once, kept by content, segmented by many models."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from rass_bench.errors import UserError
from rass_bench.files import cache_dir, sha256_bytes
from rass_bench.images import MAX_PIXELS, read_image, write_image
from rass_bench.models.classical import enlarge
from rass_bench.models.protocols import Image, Restorer
from rass_bench.models.sizing import restore


def restore_to_scale(restorer: Restorer, photo: Image, scale: int) -> Image:
    """Restore a photo so that the result's side is ``scale`` times the photo's.

    A restorer of a smaller scale gets the photo enlarged bicubically first, as OSEDiff does with
    its x4 crops; a restorer of a larger scale is followed by an area resize down, so that a
    segmenter sees the photo in the size it would see without the restorer.

    Args:
        restorer: the restorer.
        photo: RGB uint8 (H, W, 3).
        scale: whole number from 1.

    Returns:
        RGB uint8 (H * scale, W * scale, 3).

    Raises:
        UserError: the result would have more than ``MAX_PIXELS`` pixels.
    """
    height, width = photo.shape[0] * scale, photo.shape[1] * scale
    if height * width > MAX_PIXELS:
        raise UserError(
            f"a photo of {photo.shape[1]} x {photo.shape[0]} pixels would become "
            f"{width} x {height}",
            f"scale {scale}",
            f"At most {MAX_PIXELS:,} pixels are made; take a smaller scale, or leave it out.",
        )
    if restorer.spec.scale < scale:
        factor = scale / restorer.spec.scale
        photo = enlarge(photo, round(height / scale * factor), round(width / scale * factor))
    restored = restore(restorer, [photo])[0]
    if restored.shape[:2] != (height, width):
        restored = np.asarray(cv2.resize(restored, (width, height), interpolation=cv2.INTER_AREA))
    return restored


def restore_once(restorer: Restorer, photo: Image) -> tuple[Image, bool]:
    """Restore a photo to its own size, or fetch the result of an earlier time from the cache.

    The cache's key is the restorer's name and revision and the photo's pixels.

    Args:
        restorer: the restorer.
        photo: RGB uint8 (H, W, 3).

    Returns:
        The restored photo, RGB uint8 (H, W, 3), and whether it came from the cache.
    """
    before = restored_before(restorer.spec.key, photo)
    if before is not None:
        return before, True
    restored = restore_to_scale(restorer, photo, scale=1)
    write_image(_cache_path(restorer.spec.key, photo), restored)
    return restored, False


def restored_before(restorer: str, photo: Image) -> Image | None:
    """What a restorer made of a photo at an earlier time, or None where the cache has forgotten.

    Args:
        restorer: its ``name@revision``.
        photo: RGB uint8 (H, W, 3).
    """
    path = _cache_path(restorer, photo)
    return read_image(path) if path.is_file() else None


def pixels_sha256(pixels: Image) -> str:
    """SHA-256 over shape and pixels: independent of how a file encodes them."""
    return sha256_bytes(repr(pixels.shape).encode() + pixels.tobytes())


def _cache_path(restorer: str, photo: Image) -> Path:
    name = re.sub(r"[^A-Za-z0-9._@-]+", "_", restorer)
    key = pixels_sha256(photo)
    return cache_dir() / "restored" / name / key[:2] / f"{key}.png"
