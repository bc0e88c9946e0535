"""SHA256SUMS of a release's folder, in the form that ``sha256sum -c`` reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.files import inside, sha256_file, write_bytes

SUMS_FILE = "SHA256SUMS"

NOT_OURS = (".cache/", ".git/", ".gitattributes")
"""What the Hub and its tools put beside a release's files."""


@dataclass(frozen=True)
class Difference:
    """Something in a release that is not as it should be.

    Attributes:
        where: a file, or a split and a sample.
        problem: what is wrong.
    """

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def write_sums(folder: Path) -> None:
    """Write the hashes of all files of the folder."""
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in _files(folder)]
    write_bytes(folder / SUMS_FILE, "".join(lines).encode())


def read_sums(folder: Path) -> dict[str, str]:
    """The stated SHA-256 of each file, by name.

    Raises:
        UserError: no such file, a malformed line, or a name that leads out of the folder.
    """
    path = folder / SUMS_FILE
    if not path.is_file():
        raise UserError(
            f"the folder holds no {SUMS_FILE}", str(folder), "Give a folder of `release build`."
        )
    stated = {}
    for line in path.read_text("utf-8", errors="replace").splitlines():
        found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if found is None:
            raise UserError(f"malformed line {line[:80]!r}", str(path), "Build the release again.")
        inside(folder, found[2])
        stated[found[2]] = found[1]
    return stated


def check_sums(folder: Path) -> list[Difference]:
    """Compare all files of the folder with the stated hashes.

    Raises:
        UserError: see :func:`read_sums`.
    """
    stated = read_sums(folder)
    differences = []
    for name, digest in stated.items():
        path = folder / name
        if not path.is_file():
            differences.append(Difference(name, "missing"))
        elif sha256_file(path) != digest:
            differences.append(Difference(name, f"the file's hash is not that of {SUMS_FILE}"))
    surplus = [name for name in _files(folder) if name not in stated]
    return differences + [Difference(name, f"not listed in {SUMS_FILE}") for name in surplus]


def _files(folder: Path) -> list[str]:
    """All files that belong to the release, sorted by name."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in names if name != SUMS_FILE and not name.startswith(NOT_OURS))
