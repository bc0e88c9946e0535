"""Weights files: looked at before they are loaded, so that a bad one is called by its name."""

from __future__ import annotations

from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.files import parse_json

REVISION_DIGITS = 12
"""Hexadecimal digits of a weights hash that name a model's revision."""

_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head")
_LFS = b"version https://git-lfs.github.com/spec/"


def check_weights_file(path: Path) -> None:
    """Refuse what often lies where weights should be.

    Raises:
        UserError: no file, an empty one, a web page, a Git LFS pointer, or a safetensors file
            whose header is malformed or promises more bytes than there are.
    """
    if not path.is_file():
        raise UserError("weights file not found", str(path), "Check the path.")
    with path.open("rb") as stream:
        start = stream.read(512)
    head = start.lstrip().lower()
    if not start:
        raise UserError("the weights file is empty", str(path), "Download it again.")
    if head.startswith(_MARKUP):
        raise UserError(
            "this is a web page, not a weights file",
            str(path),
            "The download site answered with a page (a login, a quota, a virus-scan notice); "
            "download the file with a browser and compare its SHA-256.",
        )
    if head.startswith(_LFS):
        raise UserError(
            "this is a Git LFS pointer, not the weights themselves",
            str(path),
            "Run `git lfs pull` in the repository that it came from.",
        )
    if path.suffix == ".safetensors":
        _check_safetensors(path)


def _check_safetensors(path: Path) -> None:
    """Compare a safetensors file's length with what its header promises.

    The format: 8 bytes of header length, little endian; the header, JSON with ``data_offsets``
    relative to its end; the data (github.com/huggingface/safetensors, README, "Format").
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length + 8 > size:
            raise _truncated(path, size, length + 8)
        header = stream.read(length)
    try:
        entries = parse_json(header)
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name[:2] != "__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise UserError(
            "no safetensors file: its header is malformed", str(path), "Download it again."
        ) from None
    promised = 8 + length + max(ends, default=0)
    if promised > size:
        raise _truncated(path, size, promised)


def _truncated(path: Path, size: int, promised: int) -> UserError:
    return UserError(
        f"the weights file is truncated: {size:,} of at least {promised:,} bytes",
        str(path),
        "Download it again and compare its SHA-256.",
    )
