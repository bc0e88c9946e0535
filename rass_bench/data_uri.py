"""Photos and label maps as data URIs, for pages that ask no network for anything."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rass_bench.labels import IGNORE, LabelSpace


def photo_uri(photo: NDArray[np.uint8], side: int, quality: int = 80) -> str:
    """A photo as a JPEG.

    Args:
        photo: RGB uint8 (H, W, 3).
        side: the longest side in pixels; a larger photo is shrunk.
        quality: of the JPEG, 1..100.
    """
    image = Image.fromarray(photo)
    image.thumbnail((side, side), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=quality)
    return _uri("image/jpeg", stream.getvalue())


def mask_uri(labels: NDArray[np.uint8], space: LabelSpace, side: int) -> str:
    """A label map as a PNG in the exact colours of :func:`distinct_palette`.

    A page's script can read the classes off it. Pixels without a class are transparent.

    Args:
        labels: uint8 (H, W).
        space: its label space.
        side: the longest side in pixels; a larger map is shrunk by taking every so many pixels.
    """
    scale = min(1.0, side / max(labels.shape))
    height, width = (max(1, round(length * scale)) for length in labels.shape)
    image = Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST)
    image.putpalette(distinct_palette(space).tobytes())
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True, transparency=IGNORE)
    return _uri("image/png", stream.getvalue())


def distinct_palette(space: LabelSpace) -> NDArray[np.uint8]:
    """The label space's colours by id, uint8 (256, 3), no two classes with the same.

    ADE20K's palette gives two classes one colour; the later is moved by the least that can be.
    """
    palette = space.palette()
    taken: set[bytes] = set()
    for class_id in range(space.size):
        while palette[class_id].tobytes() in taken:
            palette[class_id, 2] += 1
        taken.add(palette[class_id].tobytes())
    return palette


def hex_colour(colour: Sequence[int] | NDArray[np.uint8]) -> str:
    """A colour of three bytes as ``#rrggbb``."""
    return "#" + bytes(colour).hex()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
