"""A board on disk: ``leaderboards/<dataset>@<version>`` with everything its table follows from.

records/NAME/       a measured run: record.json and per_image.parquet
reported.csv        numbers of papers
verdicts/NAME.json  what a check of a record found
CHANGELOG.md        versions of the board, by hand
table.*, SHA256SUMS generated (see ``write.py``)

A board whose numbers may no longer stand beside its older ones begins anew in a folder of its own,
``<dataset>@<version>+v2``, whose versions are 2.x.y; the older folder stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rass_bench.errors import UserError, suggest
from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.files import sha256_file
from rass_bench.leaderboard.changelog import Entry, read_changelog
from rass_bench.leaderboard.reported import ReportedNumber, read_reported
from rass_bench.record import RECORD_NAME, RunRecord, load_record
from rass_bench.verify.verdict import Verdict, load_verdict

RECORDS, VERDICTS = "records", "verdicts"

RECORD_FOLDER = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
"""How a record's folder may be named: it stands in links and file names."""

_NAME = re.compile(r"(?P<dataset>[^@+]+@.+?)(?:\+v(?P<major>\d+))?")


@dataclass(frozen=True)
class Measurement:
    """A record on a board.

    Attributes:
        name: its folder's name.
        folder: the folder.
        record: what it says.
        sha256: hash of its ``record.json``.
        verdict: what a check found, of this record or of an earlier one; None without a check.
    """

    name: str
    folder: Path
    record: RunRecord
    sha256: str
    verdict: Verdict | None

    @property
    def standing_verdict(self) -> Verdict | None:
        """The verdict if it is on this very record."""
        is_current = self.verdict is not None and self.verdict.record_sha256 == self.sha256
        return self.verdict if is_current else None


@dataclass(frozen=True)
class Board:
    """Everything that a table follows from.

    Attributes:
        folder: the board's folder.
        dataset: ``name@version`` of its data set.
        measurements: the records, by name.
        reported: the reported numbers.
        history: its versions, the newest first.
    """

    folder: Path
    dataset: str
    measurements: tuple[Measurement, ...]
    reported: tuple[ReportedNumber, ...]
    history: tuple[Entry, ...]


def find_boards(root: Path) -> list[Path]:
    """The folders of all boards below ``root``, sorted.

    Raises:
        UserError: there is none.
    """
    found = sorted(path for path in root.glob("*@*") if path.is_dir())
    if not found:
        raise UserError(
            "no leaderboard is here", str(root), "Name the folder that holds them with --root."
        )
    return found


def split_name(folder: Path) -> tuple[str, int]:
    """Data set (``name@version``) and major version that a board's folder name states.

    Raises:
        UserError: it is no board's name.
    """
    match = _NAME.fullmatch(folder.resolve().name)
    if match is None:
        raise UserError(
            "no board's folder", str(folder), "A board is named after its data set, NAME@VERSION."
        )
    return match["dataset"], int(match["major"] or 1)


def load_board(folder: Path) -> Board:
    """Read a board.

    Raises:
        UserError: no such folder, or a file in it that cannot be read; a changelog of another
            board version than the folder's name states.
    """
    if not folder.is_dir():
        raise UserError("no such leaderboard", str(folder), "Name a board's folder.")
    dataset, major = split_name(folder)
    history = read_changelog(folder)
    if history[0].version.major != major:
        raise UserError(
            f"the newest version is {history[0].version}, the folder's name is of {major}.x.y",
            str(folder),
            "Another major version has a folder of its own, NAME@VERSION+vMAJOR.",
        )
    records = sorted(path.parent for path in folder.glob(f"{RECORDS}/*/{RECORD_NAME}"))
    measurements = tuple(_measurement(path, folder) for path in records)
    _check_verdicts(folder, {one.name for one in measurements})
    return Board(folder, dataset, measurements, read_reported(folder), history)


def read_record(folder: Path) -> RunRecord:
    """The record of a run that a table can hold.

    Raises:
        UserError: no record, or one of no known protocol.
    """
    record = load_record(folder)
    if record.protocol not in PROTOCOLS:
        raise UserError(
            f"unknown protocol {record.protocol!r}",
            str(folder / RECORD_NAME),
            suggest(record.protocol, PROTOCOLS),
        )
    return record


def _measurement(path: Path, folder: Path) -> Measurement:
    if not RECORD_FOLDER.fullmatch(path.name):
        raise UserError(
            f"a record's folder is named {path.name!r}",
            str(folder),
            "Name it with letters, digits, and . _ + - alone.",
        )
    digest = sha256_file(path / RECORD_NAME)
    verdict_file = folder / VERDICTS / f"{path.name}.json"
    verdict = load_verdict(verdict_file) if verdict_file.is_file() else None
    return Measurement(path.name, path, read_record(path), digest, verdict)


def _check_verdicts(folder: Path, names: set[str]) -> None:
    for path in sorted((folder / VERDICTS).glob("*.json")):
        if path.stem not in names:
            raise UserError(
                f"a verdict on {path.stem}, which is no record of the board",
                str(path),
                "Name it as its record's folder, or remove it.",
            )
