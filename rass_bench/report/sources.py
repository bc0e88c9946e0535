"""Boards, and the runs on their data sets: what a report is gathered from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PREDICTIONS
from rass_bench.files import sha256_file
from rass_bench.leaderboard.board import Board, Measurement, load_board, read_record
from rass_bench.leaderboard.changelog import Entry, Version
from rass_bench.leaderboard.terms import dataset_of
from rass_bench.record import RECORD_NAME, RunRecord

_NO_VERSION = (Entry(Version(0, 0, 0), "", ()),)
"""History of runs that stand on no board."""


@dataclass(frozen=True)
class Source:
    """A board with the runs on its data set.

    Attributes:
        board: the board, with the runs that it lacks among its measurements.
        is_board: whether there is such a board; otherwise all measurements are runs.
        lent: by a measurement's name, the folder of a run with its predictions.
    """

    board: Board
    is_board: bool
    lent: dict[str, Path]


def find_sources(boards: Sequence[Path], runs: Sequence[Path]) -> list[Source]:
    """Boards with the runs on their data sets, and a source for each data set without a board.

    A run that a board holds already, with the same predictions of the same models for the same
    photos, stands there once and lends its predictions.

    Args:
        boards: folders of boards.
        runs: folders of finished runs.

    Raises:
        UserError: a malformed file, no run in a folder, a run without a number, or a data set of
            a name that is none.
    """
    sources = {
        board.folder.resolve().name: Source(board, True, {}) for board in map(load_board, boards)
    }
    for folder in runs:
        record = _read_run(folder)
        dataset = dataset_of(record)
        name = _newest_board(dataset, sources)
        source = sources.get(name) or Source(
            Board(Path(dataset), dataset, (), (), _NO_VERSION), False, {}
        )
        sources[name] = _with_run(source, folder, record)
    return [sources[name] for name in sorted(sources)]


def _read_run(folder: Path) -> RunRecord:
    record = read_record(folder)
    dataset = dataset_of(record)
    if not dataset.isprintable() or "/" in dataset:
        raise UserError(
            f"a data set named {dataset!r}", str(folder), "Name it in dataset.yaml, without /."
        )
    if not record.metrics:
        raise UserError(
            "the run has no number to show", str(folder), "Score it: `rass-bench score RUN`."
        )
    return record


def _newest_board(dataset: str, sources: dict[str, Source]) -> str:
    """The board that a run on the data set belongs to: of its major versions the newest."""
    of_it = [name for name, source in sources.items() if source.board.dataset == dataset]
    return max(of_it, key=lambda name: sources[name].board.history[0].version, default=dataset)


def _with_run(source: Source, folder: Path, record: RunRecord) -> Source:
    board = source.board
    same = next((one for one in board.measurements if _is_same(one.record, record)), None)
    if same is not None:
        return replace(source, lent={**source.lent, same.name: folder})
    name = _free_name(folder.resolve().name, [one.name for one in board.measurements])
    made = Measurement(name, folder, record, sha256_file(folder / RECORD_NAME), None)
    return replace(
        source,
        board=replace(board, measurements=(*board.measurements, made)),
        lent={**source.lent, name: folder},
    )


def _is_same(one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs made the same predictions with the same models for the same photos."""

    def identity(record: RunRecord) -> tuple[object, ...]:
        restorer = record.restorer.key if record.restorer else None
        models = record.protocol, record.model.key, restorer
        return models, record.dataset.manifest_sha256, record.files.get(PREDICTIONS)

    return identity(one) == identity(other)


def _free_name(name: str, taken: Iterable[str]) -> str:
    names, number, free = set(taken), 2, name
    while free in names:
        free, number = f"{name}-{number}", number + 1
    return free
