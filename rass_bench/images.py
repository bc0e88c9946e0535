"""Photos in and PNG out: RGB uint8 (H, W, 3), EXIF orientation applied once, at reading."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from rass_bench.errors import UserError, from_os_error
from rass_bench.files import write_bytes

MAX_PIXELS = 200_000_000
"""Images that declare more pixels than this are refused before they are decoded."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo upright, by EXIF orientation (EXIF 2.3, tag 0x0112)."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


def open_image(path: Path) -> Image.Image:
    """Decode an image file completely, in the file's own mode.

    Raises:
        UserError: missing, unreadable, truncated, no image, or more than ``MAX_PIXELS`` pixels.
    """
    with _named_failures(path):
        image = Image.open(path)
        _refuse_bomb(image, path)
        image.load()
    return image


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a photo as RGB uint8 (H, W, 3).

    EXIF orientation is applied; grey, palette and CMYK files are converted; an alpha channel is
    dropped; 16-bit values are divided by 257 and rounded, so that 65535 becomes 255.

    Raises:
        UserError: see :func:`open_image`; also for float images.
    """
    image = open_image(path)
    turn = _TURNS.get(orientation(image, path))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise UserError(
                "pixel values outside 0..65535", str(path), "Save it with 8 or 16 bits."
            )
        grey = ((wide + 128) // 257).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise UserError("a float image has no defined range", str(path), "Save it with 8 bits.")
    return np.ascontiguousarray(np.asarray(image.convert("RGB"), dtype=np.uint8))


def oriented_size(path: Path) -> tuple[int, int]:
    """Width and height of a photo after its EXIF orientation.

    Raises:
        UserError: see :func:`open_image`.
    """
    with _named_failures(path), Image.open(path) as image:
        _refuse_bomb(image, path)
        if image.format == "TIFF":
            image.load()  # Pillow turns TIFF files itself, and tells the size before that as after
        width, height = image.size
        sideways = orientation(image, path) in (5, 6, 7, 8)
    return (height, width) if sideways else (width, height)


def orientation(image: Image.Image, path: Path) -> int:
    """The EXIF orientation that is still to be applied to an open image; 1 is upright.

    Raises:
        UserError: the EXIF data cannot be read.
    """
    with _named_failures(path):
        # For PNG this decodes the pixels, since EXIF may follow them.
        stated = image.getexif().get(ExifTags.Base.Orientation, 1)
    return stated if stated in _TURNS else 1


def image_png(image: NDArray[np.uint8]) -> bytes:
    """RGB uint8 (H, W, 3) as the bytes of a PNG."""
    # Imported here: reading needs no OpenCV, and its PNG writer is 7 times faster than Pillow's.
    import cv2

    _, encoded = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))
    return bytes(encoded.tobytes())


def write_image(path: Path, image: NDArray[np.uint8]) -> bytes:
    """Write RGB uint8 (H, W, 3) as PNG, atomically, and return the bytes written."""
    content = image_png(image)
    write_bytes(path, content)
    return content


def label_png(labels: NDArray[np.uint8]) -> bytes:
    """A label map, uint8 (H, W), as the bytes of an 8-bit grey ("L") PNG."""
    stream = io.BytesIO()
    Image.fromarray(labels, mode="L").save(stream, format="PNG", compress_level=3)
    return stream.getvalue()


@contextmanager
def _named_failures(path: Path) -> Iterator[None]:
    """Turn what Pillow raises on a bad file into a UserError that names the file."""
    try:
        with warnings.catch_warnings():
            # Our own limit decides; Pillow warns at a lower one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except FileNotFoundError:
        raise UserError("image not found", str(path), "Check --data-root and the file.") from None
    except UnidentifiedImageError:
        raise UserError(
            "no image, or one of an unknown format", str(path), "Replace or remove the file."
        ) from None
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise from_os_error(error, str(path)) from None
        raise UserError(
            f"the image cannot be decoded: {error}", str(path), "Fetch the file again or remove it."
        ) from None


def _refuse_bomb(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(
            f"the image declares {width} x {height} pixels",
            str(path),
            f"At most {MAX_PIXELS:,} pixels are decoded; scale it down or leave it out.",
        )
