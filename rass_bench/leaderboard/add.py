"""Adding a run to the board of its data set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PER_IMAGE
from rass_bench.evaluate.per_image import read_per_image
from rass_bench.files import alone_in, inside, sha256_file, write_bytes
from rass_bench.leaderboard.board import (
    RECORD_FOLDER,
    RECORDS,
    Board,
    load_board,
    read_record,
    split_name,
)
from rass_bench.leaderboard.changelog import Entry, Version, prepend_entry
from rass_bench.leaderboard.key import measured_key
from rass_bench.leaderboard.safe_text import markdown_code
from rass_bench.leaderboard.terms import dataset_of, terms_of, why_other_metric, why_other_terms
from rass_bench.leaderboard.write import write_board
from rass_bench.record import RECORD_NAME, RunRecord
from rass_bench.verify.integrity import check_integrity
from rass_bench.verify.stored import read_run


@dataclass(frozen=True)
class Added:
    """Where a run came to stand.

    Attributes:
        board: the board's folder.
        name: the record's name there.
        version: the board's version from now on.
    """

    board: Path
    name: str
    version: Version


def add_run(run: Path, root: Path, *, name: str | None = None, new_version: bool = False) -> Added:
    """Copy a run's record and per-image results onto a board, and build the board anew.

    The board is the newest version of that of the run's data set; where there is none, it is
    opened.

    Args:
        run: the run's folder.
        root: the folder that holds all boards.
        name: of the record there; None takes the folder's.
        new_version: open the board's next major version with this run, in a folder of its own.

    Raises:
        UserError: no finished run, changed or malformed per-image results, a name that is taken, a
            measurement that is there already, or one that may not stand beside the board's.
    """
    record = read_record(run)
    _check_whole(run, record)
    name = name or run.resolve().name
    if not RECORD_FOLDER.fullmatch(name):
        raise UserError(
            f"a record cannot be named {name!r}",
            str(run),
            "Name it with --name: letters, digits, and . _ + - alone.",
        )
    folder = _choose_board(record, root, new_version=new_version)
    is_new = not folder.is_dir()
    if is_new:
        _check_integrity(run)
    with alone_in(folder):
        version = Version(split_name(folder)[1], 0, 0)
        if not is_new:
            board = load_board(folder)
            _check_fits(record, name, board)
            _check_integrity(run)
            newest = board.history[0].version
            version = Version(newest.major, newest.minor + 1, 0)
        # The record last: where it stands, the measurement is whole.
        for file in (PER_IMAGE, RECORD_NAME):
            write_bytes(folder / RECORDS / name / file, (run / file).read_bytes())
        today = datetime.now(UTC).date().isoformat()
        prepend_entry(folder, Entry(version, today, (_describe(record, name),)))
        write_board(folder)
    return Added(folder, name, version)


def _check_whole(run: Path, record: RunRecord) -> None:
    path = run / PER_IMAGE
    if not path.is_file() or sha256_file(path) != record.files.get(PER_IMAGE):
        state = "was changed since the run" if path.is_file() else "is missing"
        raise UserError(
            f"{PER_IMAGE} {state}", str(run), "Repeat the run; a board takes whole records alone."
        )
    read_per_image(path, record)


def _check_integrity(run: Path) -> None:
    """A number that does not follow from the run's own files never reaches a board."""
    faults = [check for check in check_integrity(read_run(run)) if check.holds is False]
    if faults:
        raise UserError(
            f"the run does not hold: {faults[0].name}: {faults[0].expected}, found "
            f"{faults[0].found}",
            str(run),
            "`rass-bench verify RUN` lists all that is wrong; repeat the run.",
        )


def _choose_board(record: RunRecord, root: Path, *, new_version: bool) -> Path:
    dataset = dataset_of(record)
    # A record comes from a stranger: its data set's name becomes a folder's.
    first = inside(root, dataset)
    is_plain = dataset.isprintable() and dataset.count("@") == 1
    if first.parent != root or not is_plain or split_name(first) != (dataset, 1):
        raise UserError(
            f"a data set named {dataset!r} can have no board",
            "record.json",
            "Name and version go without / and @, and end in no +vNUMBER.",
        )
    existing = [first, *root.glob("*+v*")]
    versions = [
        major
        for path in existing
        if path.is_dir()
        for known, major in [split_name(path)]
        if known == dataset
    ]
    major = max(versions, default=0) + new_version
    return first if major <= 1 else root / f"{dataset}+v{major}"


def _check_fits(record: RunRecord, name: str, board: Board) -> None:
    terms = terms_of(board.dataset, board.measurements)
    if record.status == "complete":
        reason = why_other_terms(record, terms)
    else:
        reasons = [why_other_metric(one, value, terms) for one, value in record.metrics.items()]
        reason = next((one for one in reasons if one is not None), None)
    if reason is not None:
        raise UserError(
            f"the run may not stand beside the board's: {reason}",
            str(board.folder),
            "Repeat it on the board's terms, or open the board's next version with --new-version; "
            "the old one stays as it is.",
        )
    for one in board.measurements:
        if one.name == name:
            raise UserError(
                f"the board has a record named {name}", str(board.folder), "Choose another --name."
            )
        if "partial" in (one.record.status, record.status):
            continue
        shared = record.metrics.keys() & one.record.metrics.keys()
        if any(measured_key(record, key) == measured_key(one.record, key) for key in shared):
            raise UserError(
                f"{record.model.key} stands there already under {record.protocol}",
                str(one.folder),
                "Numbers are not replaced; what changes them belongs into the model's revision.",
            )


def _describe(record: RunRecord, name: str) -> str:
    model = markdown_code(record.model.key)
    if record.restorer is not None:
        model = f"{markdown_code(record.restorer.key)} → {model}"
    partial = "" if record.status == "complete" else "the partial run "
    return f"Added {partial}`{name}`: {model} under {markdown_code(record.protocol)}."
