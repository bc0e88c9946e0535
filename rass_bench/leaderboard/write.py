"""Writing a board's generated files, and checking that they are what its records say."""

from __future__ import annotations

from pathlib import Path

from rass_bench.evaluate.folder import PER_IMAGE
from rass_bench.files import sha256_bytes, sha256_file, write_bytes
from rass_bench.leaderboard.board import RECORDS, VERDICTS, load_board
from rass_bench.leaderboard.build import build_table
from rass_bench.leaderboard.changelog import CHANGELOG
from rass_bench.leaderboard.formats import as_csv, as_json
from rass_bench.leaderboard.markdown import as_markdown
from rass_bench.leaderboard.reported import REPORTED
from rass_bench.leaderboard.table import TABLE_JSON, Table
from rass_bench.record import RECORD_NAME
from rass_bench.sums import SUMS, sums_bytes

SOURCES = (
    f"{RECORDS}/*/{RECORD_NAME}",
    f"{RECORDS}/*/{PER_IMAGE}",
    f"{VERDICTS}/*.json",
    REPORTED,
    CHANGELOG,
)
"""What a table follows from; SHA256SUMS covers it as well as the tables."""


def write_board(folder: Path) -> tuple[Table, tuple[str, ...]]:
    """Generate a board's files.

    Returns:
        The table, and the names of the files whose content changed.

    Raises:
        UserError: the board cannot be read.
    """
    table, files = generated(folder)
    changed = tuple(name for name, content in files.items() if _differs(folder / name, content))
    for name in changed:
        write_bytes(folder / name, files[name])
    return table, changed


def check_board(folder: Path) -> tuple[str, ...]:
    """The generated files that are missing or not, byte for byte, what the board says.

    Raises:
        UserError: the board cannot be read.
    """
    _, files = generated(folder)
    return tuple(name for name, content in files.items() if _differs(folder / name, content))


def generated(folder: Path) -> tuple[Table, dict[str, bytes]]:
    """A board's table, and its generated files by name; nothing is written.

    Raises:
        UserError: the board cannot be read.
    """
    table = build_table(load_board(folder))
    tables = {
        "table.csv": as_csv(table),
        TABLE_JSON: as_json(table),
        "table.md": as_markdown(table),
    }
    sums = {name: sha256_bytes(content) for name, content in tables.items()}
    for pattern in SOURCES:
        sums |= {
            path.relative_to(folder).as_posix(): sha256_file(path)
            for path in folder.glob(pattern)
            if path.is_file()
        }
    return table, {**tables, SUMS: sums_bytes(sums)}


def _differs(path: Path, content: bytes) -> bool:
    return not path.is_file() or path.read_bytes() != content
