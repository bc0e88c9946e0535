"""The first bytes of a PNG from a stranger, read before anything is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.images import MAX_PIXELS


@dataclass(frozen=True)
class PngHeader:
    """How a PNG begins: its size in pixels, and whether its pixels are 8-bit grey or 8-bit RGB."""

    width: int
    height: int
    is_grey: bool
    is_rgb: bool


def read_png_header(path: Path) -> PngHeader | None:
    """The first chunk of a PNG file, IHDR (PNG specification, section 11.2.1); None without one.

    Raises:
        UserError: it declares more than ``MAX_PIXELS`` pixels.
    """
    with path.open("rb") as stream:
        head = stream.read(26)
    if len(head) < 26 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        return None
    width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
    if width * height > MAX_PIXELS:
        raise UserError(
            f"a prediction declares {width} x {height} pixels",
            str(path),
            f"At most {MAX_PIXELS:,} pixels are decoded; this is no prediction of a run.",
        )
    return PngHeader(width, height, depth == 8 and colour == 0, depth == 8 and colour == 2)
