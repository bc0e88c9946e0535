"""Files that are whole or absent, hashes, and paths that stay inside their root."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError, from_os_error


def cache_dir() -> Path:
    """The folder for things that can be made again: ``RASS_BENCH_CACHE`` or the user's cache."""
    configured = os.environ.get("RASS_BENCH_CACHE")
    if configured:
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rass-bench"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    A kill between any two instructions leaves at most a stray ``.tmp`` file beside it.

    Raises:
        UserError: something that is no file lies there, such as a device, or the folder is one
            that takes none.
        OSError: the write failed, with ``filename`` set; the old file is untouched and the
            temporary one removed.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError("no file, but a device or a pipe", str(path), "Choose another place.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: threads may write one file, and a long name leaves no room for more.
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):  # the folder is there: one of the system's own
            raise UserError(
                "no file can be made here", str(path), "Choose another place."
            ) from None
        if isinstance(error, OSError):
            error.filename = str(path)  # a failed write tells none, a failed open the temporary one
        raise


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same out of a folder, which is made when absent.

    The folder itself is locked: nothing is left in it, and a kill frees it.

    Raises:
        UserError: another process is in it, or it cannot be made or opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise from_os_error(error, str(folder)) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            "another process is writing here",
            str(folder),
            "Wait until it has ended, or choose another folder.",
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically. NaN and infinity are refused, as JSON does."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_text(path: Path) -> str:
    """Read a text file, its line ends as they are.

    Raises:
        FileNotFoundError: no such file.
        UserError: no UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"no UTF-8 text: {error}", str(path), "Save it as UTF-8.") from None


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing or no valid JSON.
    """
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError("file not found", str(path), "Check the path.") from None
    except ValueError as error:
        raise UserError(
            f"no valid JSON: {error}", str(path), "Restore or remove the file."
        ) from None


def parse_json(content: bytes | str) -> Any:
    """Read JSON from a stranger.

    Raises:
        ValueError: no JSON, no UTF-8, or nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        FileNotFoundError: no such file.
        UserError: no valid YAML, or no mapping.
    """
    try:
        document = parse_yaml(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"no valid YAML: {error}", str(path), "Correct the file.") from None
    if not isinstance(document, dict):
        raise UserError("a mapping was expected", str(path), "Write `key: value` lines.")
    return document


def parse_yaml(text: str) -> Any:
    """Read YAML from a stranger: plain values alone, and no aliases.

    A few lines of aliases to aliases stand for more text than memory holds as soon as a message
    shows the value, and nothing that is read here needs them.

    Raises:
        ValueError: no YAML, a tag or an alias, or nested too deeply.
    """
    # Imported here: `--help` reads no YAML.
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValueError("aliases (*name) are not read; write the value out")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def sha256_bytes(content: bytes) -> str:
    """SHA-256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one byte form of ``value`` that hashes are taken over: sorted keys, no spaces."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def inside(root: Path, relative: str) -> Path:
    """Join ``relative`` to ``root`` and refuse a result outside it.

    Manifests and records come from strangers: an absolute path, ``..`` or a link that leads out
    of the root is an attack or a mistake.

    Raises:
        UserError: the path leaves the root, or is one that no file can have.
    """
    path = root / relative
    try:
        is_inside = path.resolve().is_relative_to(root.resolve())
    except (ValueError, RuntimeError) as error:  # a zero byte; links that lead in a circle
        raise UserError(
            f"the path {relative!r} can name no file: {error}",
            str(root),
            "The manifest or record that names it was edited or damaged.",
        ) from None
    if not is_inside:
        raise UserError(
            f"the path {relative!r} leads out of the folder",
            str(root),
            "Paths in manifests and records must stay inside their folder.",
        )
    return path
