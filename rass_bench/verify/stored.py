"""The files of a run as a stranger hands them over: bounded, inside their folder, and parsed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import (
    JOURNAL,
    PER_IMAGE,
    PLAN,
    PREDICTIONS,
    PREDICTIONS_SCHEMA,
    Done,
    RunFolder,
)
from rass_bench.evaluate.per_image import PerImageTable, read_per_image
from rass_bench.evaluate.rescore import recorded_request
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.files import inside
from rass_bench.record import RECORD_NAME, RunRecord, load_record
from rass_bench.structure import read_versioned
from rass_bench.sums import SUMS
from rass_bench.verify.layout import MANIFEST

MAX_TEXT_BYTES = 2**26
"""A JSON file of a run or bundle that is larger is refused: of 20,000 images it holds 7 MB."""

HASHED = (PREDICTIONS, PER_IMAGE)
"""The files that a record names with their hashes."""


@dataclass(frozen=True)
class StoredPrediction:
    """One prediction in ``predictions.json``."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Index:
    """``predictions.json``."""

    schema_version: int
    kind: str
    files: dict[str, StoredPrediction]


@dataclass(frozen=True)
class StoredRun:
    """What a run's folder, a bundle or a leaderboard's record holds.

    Attributes:
        folder: where it lies.
        record: ``record.json``.
        request: what the run was asked for.
        index: ``predictions.json``; None where it is not there.
        journal: finished images by id; empty where no journal is there.
        table: ``per_image.parquet``; None where it is missing or not of this record.
        table_fault: why there is no table; empty where there is one.
    """

    folder: Path
    record: RunRecord
    request: RunRequest
    index: Index | None
    journal: dict[str, Done]
    table: PerImageTable | None
    table_fault: str

    @property
    def is_record_alone(self) -> bool:
        """Whether this is a leaderboard's record: no prediction and no list of any."""
        return self.index is None and not (self.folder / "predictions").exists()


def read_run(folder: Path) -> StoredRun:
    """Read the files of a run.

    Raises:
        UserError: no record, a malformed one, or a file or path that no run writes and that is
            not safe to read.
    """
    _refuse_unsafe(folder)
    record = load_record(folder)
    for name in record.files:
        inside(folder, name)
        if name not in HASHED:
            raise UserError(
                f"the record names {name!r}, which is no file of a run",
                str(folder),
                f"A record names {' and '.join(HASHED)}; this one was edited.",
            )
    table, fault = _read_table(folder, record)
    return StoredRun(
        folder=folder,
        record=record,
        request=recorded_request(record, folder),
        index=_read_index(folder),
        journal=RunFolder(folder).finished(),
        table=table,
        table_fault=fault,
    )


def _refuse_unsafe(folder: Path) -> None:
    """Refuse links out of the folder and texts too large to parse."""
    for name in (RECORD_NAME, PLAN, JOURNAL, PREDICTIONS, MANIFEST, SUMS):
        path = inside(folder, name)
        if path.is_file() and path.stat().st_size > MAX_TEXT_BYTES:
            raise UserError(
                f"{name} has more than {MAX_TEXT_BYTES:,} bytes",
                str(path),
                "No run writes such a file.",
            )
    inside(folder, PER_IMAGE)
    inside(folder, "predictions")


def _read_index(folder: Path) -> Index | None:
    path = folder / PREDICTIONS
    if not path.is_file():
        return None
    return read_versioned(path, Index, PREDICTIONS_SCHEMA, PREDICTIONS, "Restore the file.")


def _read_table(folder: Path, record: RunRecord) -> tuple[PerImageTable | None, str]:
    path = folder / PER_IMAGE
    if not path.is_file():
        return None, "missing"
    try:
        return read_per_image(path, record), ""
    except UserError as error:
        return None, error.what
