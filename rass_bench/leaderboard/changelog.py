"""A board's CHANGELOG.md: hand-written entries under semantic versions, the newest first.

The first number rises when numbers before and after may not stand in one table (another metric
version, other images, another protocol), the second with rows, the third with corrections of what
a row says beside its number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.files import read_text, write_bytes

CHANGELOG = "CHANGELOG.md"

_HEADING = re.compile(r"## (\d{1,9})\.(\d{1,9})\.(\d{1,9}) - (\d{4}-\d{2}-\d{2})", re.ASCII)


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version, ``major.minor.patch`` (semver.org 2.0.0)."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Entry:
    """What changed with a version.

    Attributes:
        version: the version.
        date: ISO 8601.
        changes: one text a list item, its lines joined.
    """

    version: Version
    date: str
    changes: tuple[str, ...]


def read_changelog(folder: Path) -> tuple[Entry, ...]:
    """The entries of a board's CHANGELOG.md, the newest first; at least one.

    Raises:
        UserError: no such file, a heading of another form, versions out of order, or an entry
            that says nothing.
    """
    path = folder / CHANGELOG
    if not path.is_file():
        raise UserError(
            "the board has no CHANGELOG.md",
            str(folder),
            "Write one, such as:  ## 1.0.0 - 2026-01-31  and below it  - What is in it.",
        )
    entries: list[Entry] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.startswith("## "):
            entries.append(_begin(line, f"{path}:{number}"))
        elif entries and line.startswith("- "):
            entries[-1] = _with(entries[-1], (*entries[-1].changes, line[2:].strip()))
        elif entries and entries[-1].changes and line.startswith("  "):
            *before, last = entries[-1].changes
            entries[-1] = _with(entries[-1], (*before, f"{last} {line.strip()}"))
    _check(entries, path)
    return tuple(entries)


def prepend_entry(folder: Path, entry: Entry) -> None:
    """Put a new entry on top, making the file where there is none."""
    path = folder / CHANGELOG
    text = read_text(path) if path.is_file() else f"# Changes of {folder.name}\n"
    head, heading, rest = text.partition("\n## ")
    changes = "".join(f"- {one}\n" for one in entry.changes)
    newest = f"## {entry.version} - {entry.date}\n\n{changes}"
    write_bytes(path, f"{head.rstrip()}\n\n{newest}{heading}{rest}".encode())


def _begin(line: str, where: str) -> Entry:
    match = _HEADING.fullmatch(line)
    if match is None or not _is_date(match[4]):
        raise UserError(
            f"{line[:80]!r} is no version and date", where, "Write it as:  ## 1.0.0 - 2026-01-31"
        )
    return Entry(Version(int(match[1]), int(match[2]), int(match[3])), match[4], ())


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _with(entry: Entry, changes: tuple[str, ...]) -> Entry:
    return Entry(entry.version, entry.date, changes)


def _check(entries: list[Entry], path: Path) -> None:
    if not entries:
        raise UserError("the changelog names no version", str(path), "Begin with ## 1.0.0 - DATE.")
    for newer, older in pairwise(entries):
        if newer.version <= older.version:
            raise UserError(
                f"version {newer.version} stands above {older.version}",
                str(path),
                "The newest version comes first, and each only once.",
            )
    for entry in entries:
        if not entry.changes:
            raise UserError(
                f"version {entry.version} says not what changed", str(path), "Add a - line."
            )
