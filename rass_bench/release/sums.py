"""The hashes of a release's folder: of all files in it but what the Hub's tools put there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rass_bench.sums import SUMS, check_sums, write_sums

NO_RELEASE = "Give a folder of `release build`."
"""What to do about a folder without readable hashes."""

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


def write_release_sums(folder: Path) -> None:
    """Write the hashes of all files of a release's folder."""
    write_sums(folder, _files(folder))


def check_release_sums(folder: Path) -> list[Difference]:
    """Compare all files of a release's folder with the stated hashes.

    Raises:
        UserError: see :func:`rass_bench.sums.read_sums`.
    """
    wrong = check_sums(folder, _files(folder), NO_RELEASE)
    return [Difference(name, problem) for name, problem in wrong]


def _files(folder: Path) -> list[str]:
    """All files that belong to the release."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return [name for name in names if name != SUMS and not name.startswith(NOT_OURS)]
