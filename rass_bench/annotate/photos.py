"""Photos as the server shows them: upright, in a format of browsers, under harmless names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rass_bench.data.dataset import open_dataset
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError
from rass_bench.files import sha256_bytes, sha256_file, write_bytes
from rass_bench.images import image_png, open_image, orientation, oriented_size, read_image

PHOTOS = "photos"
"""Subfolder of a project's ``files/``."""

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
"""Formats that every browser shows."""

_DIGITS = 32
"""Of the content's hash, in a photo's name."""


@dataclass(frozen=True)
class ServedPhoto:
    """A photo in the folder that the server shows.

    Attributes:
        path: relative to the project's ``files/``; its name is the content's hash, so that a
            sample's name, whatever it is, never becomes part of an address.
        source_sha256: SHA-256 of the sample's own file.
        width: in pixels, upright.
        height: in pixels, upright.
    """

    path: str
    source_sha256: str
    width: int
    height: int

    @property
    def url(self) -> str:
        """The address in a task's data."""
        return photo_url(self.path)


def open_photos(images: Path) -> tuple[Sample, ...]:
    """The photos in a folder and its subfolders, by sample id.

    Raises:
        UserError: no such folder, or none with a photo in it.
    """
    if not images.is_dir():
        raise UserError("no such folder", f"--images {images}", "Give a folder of photos.")
    return open_dataset("photos", images).samples


def read_served(path: Path) -> bytes:
    """The bytes of a served photo, which its name tells the hash of.

    Raises:
        UserError: the file is not the one that was put there.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if sha256_bytes(content)[:_DIGITS] != path.stem:
        raise UserError(
            "the photo was changed since it was pushed or imported",
            str(path),
            "Remove the file and push or import the photo again.",
        )
    return content


def photo_url(path: str) -> str:
    """The server's address of a file below ``files/``."""
    return f"/data/local-files/?d={quote(path)}"


def serve_photo(sample: Sample, root: Path) -> ServedPhoto:
    """Put a sample's photo where the server shows it, unless it is there already.

    The file itself is copied where a browser shows the very pixels that this package reads. One
    that is to be turned by EXIF data, has another format or mode, or several frames is converted
    to PNG: browsers differ in what they make of those, and labels must fit our pixels.

    Args:
        sample: the sample.
        root: the project's ``files/``.

    Raises:
        UserError: the photo cannot be read.
        OSError: it cannot be written.
    """
    image = open_image(sample.image)
    is_plain = (
        image.format in _SUFFIXES
        and image.mode in ("RGB", "L")
        and getattr(image, "n_frames", 1) == 1
        and orientation(image, sample.image) == 1
    )
    if is_plain:
        content, suffix = sample.image.read_bytes(), _SUFFIXES[str(image.format)]
    else:
        content, suffix = image_png(read_image(sample.image)), ".png"
    path = f"{PHOTOS}/{sha256_bytes(content)[:_DIGITS]}{suffix}"
    if not (root / path).is_file():
        write_bytes(root / path, content)
    width, height = oriented_size(sample.image)
    return ServedPhoto(path, sha256_file(sample.image), width, height)
