"""SHA256SUMS: the hashes of a folder's files, as ``sha256sum --check`` reads them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.files import inside, read_text, sha256_file, write_bytes

SUMS = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def sums_bytes(hashes: Mapping[str, str]) -> bytes:
    """The content of a ``SHA256SUMS``, sorted by name.

    Args:
        hashes: SHA-256 in hexadecimal by path below the folder, with ``/``.
    """
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Write the hashes of some files of a folder into it, atomically."""
    write_bytes(folder / SUMS, sums_bytes({name: sha256_file(folder / name) for name in names}))


def read_sums(folder: Path, do: str) -> dict[str, str]:
    """The hashes that a folder's ``SHA256SUMS`` states, by path.

    Args:
        folder: the folder.
        do: what the user can do about a missing or malformed one.

    Raises:
        UserError: no such file, a line of another form, a file named twice, or a path that leads
            out of the folder.
    """
    path = folder / SUMS
    if not path.is_file():
        raise UserError(f"the folder holds no {SUMS}", str(folder), do)
    stated: dict[str, str] = {}
    # Not splitlines, which also ends lines at characters that a name may hold.
    for line in read_text(path).removesuffix("\n").split("\n"):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in stated:
            raise UserError(f"malformed {SUMS}: {line[:80]!r}", str(path), do)
        inside(folder, match[2])
        stated[match[2]] = match[1]
    return stated


def check_sums(folder: Path, present: Collection[str], do: str) -> list[tuple[str, str]]:
    """Compare a folder with its ``SHA256SUMS``.

    Args:
        folder: the folder.
        present: the files that it should list, by path.
        do: see :func:`read_sums`.

    Returns:
        Each file that is not as it is stated, with what is wrong.

    Raises:
        UserError: see :func:`read_sums`.
    """
    stated = read_sums(folder, do)
    wrong = []
    for name, digest in stated.items():
        path = folder / name
        if not path.is_file():
            wrong.append((name, "missing"))
        elif sha256_file(path) != digest:
            wrong.append((name, f"the file's hash is not that of {SUMS}"))
    return wrong + [(name, f"not listed in {SUMS}") for name in sorted(set(present) - set(stated))]
