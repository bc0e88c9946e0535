"""A bundle as a file: written in one way only, and read with that in mind.

Nothing in a bundle is compressed (its pictures and tables are already), so that equal runs make
equal bytes with every version of zlib, and an archive can unpack to no more than its own size: a
compressed member marks a zip bomb, or at least a stranger's archive.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rass_bench.errors import UserError, from_os_error
from rass_bench.files import inside

MAX_MEMBERS = 65_000
"""Files in a bundle: what the format's short directory can count."""

MAX_BYTES = 2**32 - 2**27
"""Bytes of a bundle: what the format's short offsets can tell, less room for the directory."""

MAX_DIRECTORY_BYTES = 2**25
"""Bytes of the list of files at the archive's end: 65,000 names of 400 bytes."""

_END = b"PK\x05\x06"
_END_BYTES = 22
_LONG_LOCATOR = b"PK\x06\x07"
_LONG_LOCATOR_BYTES = 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that the format can tell: when a file was packed is nobody's business."""

_UNIX = 3
_REGULAR = stat.S_IFREG | 0o644


def write_archive(path: Path, files: Mapping[str, Path | bytes]) -> None:
    """Write files as an archive whose bytes depend on their names and contents alone.

    Args:
        path: the archive; it appears when it is whole.
        files: by name in the archive, where the content lies, or the content.

    Raises:
        UserError: more files or bytes than a bundle holds, a name that cannot be unpacked
            everywhere, or the archive cannot be written.
    """
    name = _unsafe_name(files)
    if name is not None:
        raise UserError(
            f"a bundle cannot hold a file named {name!r}",
            str(path),
            "Rename the photo and run again, or hand over the run's folder itself.",
        )
    sizes = [len(one) if isinstance(one, bytes) else one.stat().st_size for one in files.values()]
    if len(files) > MAX_MEMBERS or sum(sizes) > MAX_BYTES:
        raise UserError(
            f"{len(files):,} files with {sum(sizes):,} bytes are too many for a bundle",
            str(path),
            f"A bundle holds {MAX_MEMBERS:,} files and {MAX_BYTES:,} bytes; hand over the run's "
            "folder itself.",
        )
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
                for name in sorted(files):
                    archive.writestr(_member(name), _content(files[name]))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise from_os_error(error, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system, member.external_attr = _UNIX, _REGULAR << 16
    return member


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of a run: itself, or a bundle's content in a temporary one that is removed again.

    Raises:
        UserError: neither a folder nor a bundle, or a bundle that is not safe to unpack.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise UserError("no such run or bundle", str(path), "Check the path.")
    with tempfile.TemporaryDirectory(prefix="rass-bench-") as folder:
        _unpack(path, Path(folder))
        yield Path(folder)


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a bundle, after everything that its directory says was looked at."""
    _check_end(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, path)
            for member in members:
                target = inside(folder, member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise _refused(f"it cannot be read: {error}", path) from None
    except OSError as error:
        # A place before the archive's first byte, which its directory may name.
        if error.errno == errno.EINVAL:
            raise _refused("its directory leads nowhere", path) from None
        raise from_os_error(error, str(path)) from None


def _check_end(path: Path) -> None:
    """Read the archive's last bytes before `zipfile` reads as many of them as these tell it to.

    The format: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.15 and 4.3.16.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _END_BYTES - _LONG_LOCATOR_BYTES))
        tail = stream.read()
    end = tail[-_END_BYTES:]
    if len(end) < _END_BYTES or end[:4] != _END or end[-2:] != b"\0\0":
        raise UserError(
            "neither a run's folder nor a bundle",
            str(path),
            "Give what `rass-bench run` or `rass-bench bundle` wrote, whole.",
        )
    if tail[:-_END_BYTES].startswith(_LONG_LOCATOR) or size > MAX_BYTES + MAX_DIRECTORY_BYTES:
        raise _refused(f"it is larger than {MAX_BYTES:,} bytes", path)
    directory = int.from_bytes(end[12:16], "little")
    if directory > MAX_DIRECTORY_BYTES:
        raise _refused(f"its directory has {directory:,} bytes", path)


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > MAX_MEMBERS:
        raise _refused(f"it holds {len(members):,} files", path)
    unsafe = _unsafe_name(member.filename for member in members)
    if unsafe is not None:
        raise _refused(f"it holds a file named {unsafe!r}", path)
    for member in members:
        name = member.filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        if member.is_dir() or kind not in (0, stat.S_IFREG):
            raise _refused(f"{name!r} is a link or no file", path)
        if member.flag_bits & 1 or member.compress_type != zipfile.ZIP_STORED:
            raise _refused(f"{name!r} is compressed or encrypted", path)
        if member.file_size != member.compress_size:
            raise _refused(f"{name!r} unpacks to another size than it has", path)
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise _refused("its files overlap", path)


def _unsafe_name(names: Iterable[str]) -> str | None:
    """The first name that is not plain, or that some system takes for one before it."""
    seen: set[str] = set()
    for name in names:
        if not _is_plain(name) or name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None


def _is_plain(name: str) -> bool:
    """Whether a name stays in its folder on every system, and can be shown on a terminal."""
    parts = name.split("/")
    return (
        name.isprintable()
        and not any(letter in name for letter in '\\:*?"<>|')
        and all(part not in ("", ".", "..") and len(part.encode()) < 256 for part in parts)
    )


def _refused(why: str, path: Path) -> UserError:
    return UserError(
        f"the bundle is refused: {why}",
        str(path),
        "`rass-bench bundle` writes no such archive; ask for the bundle as it was written.",
    )
