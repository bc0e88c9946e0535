"""A board's table: rows in order, each number with its rank or the reason why it has none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rass_bench.leaderboard.key import RowKey
from rass_bench.leaderboard.ranking import Rank
from rass_bench.structure import read_versioned

TABLE_SCHEMA = 1
TABLE_JSON = "table.json"


class Kind(StrEnum):
    """What stands behind a number."""

    REPORTED = "reported"
    """A source says so."""

    MEASURED = "measured"
    """A record of a run."""

    VERIFIED = "verified"
    """A record whose numbers were computed again and held."""


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        key: what it is of.
        kind: what stands behind it.
        value: in the metric's own unit, full precision; None of a partial run and where the metric
            is undefined.
        printed: a reported number as its source prints it; None of a measurement.
        ci95: 95 % interval over images; None of reported numbers.
        images: how many the number was computed over; None of reported numbers.
        higher_is_better: direction of the metric.
        rank: its rank among the numbers that it compares with, or None.
        not_ranked: why it has no rank, in words, or None.
        fps: images a second; a measured one on ``device``.
        device: what a measurement ran on.
        parameters: all parameters of the model; without a restorer's.
        trainable_parameters: those that training changes.
        licence: of a measured model's weights, in words.
        record: folder of the record, relative to the board's.
        verdict: level of the check that stands behind a verified number.
        note: what else a reader must know, or None.
    """

    key: RowKey
    kind: Kind
    value: float | None
    printed: str | None
    ci95: tuple[float, float] | None
    images: int | None
    higher_is_better: bool
    rank: Rank | None
    not_ranked: str | None
    fps: float | None
    device: str | None
    parameters: int | None
    trainable_parameters: int | None
    licence: str | None
    record: str | None
    verdict: str | None
    note: str | None


@dataclass(frozen=True)
class Confirmation:
    """A reported and a measured number of the same model, side by side.

    Attributes:
        reported: the reported number's key.
        measured: the measured number's key.
        reported_value: in the metric's own unit.
        measured_value: in the metric's own unit.
        difference: measured minus reported.
        tolerance: how far both may lie apart; None where that is not known.
        tolerance_source: where the tolerance comes from.
        within: whether they lie within it; None where that is not known.
    """

    reported: RowKey
    measured: RowKey
    reported_value: float
    measured_value: float
    difference: float
    tolerance: float | None
    tolerance_source: str | None
    within: bool | None


@dataclass(frozen=True)
class Images:
    """The images that a board's ranked measurements were made on.

    Attributes:
        split: the split.
        label_space: name of the label space, or None without labels.
        scored: how many.
        manifest_sha256: hash over their ids and files.
        upscale: side of a restored image over the photo's, or None without restoration.
    """

    split: str
    label_space: str | None
    scored: int
    manifest_sha256: str
    upscale: int | None


@dataclass(frozen=True)
class Table:
    """All that a board says.

    Attributes:
        schema_version: version of this layout.
        board: the board's folder name.
        version: the board's semantic version.
        date: of that version.
        dataset: ``name@version`` of the data set.
        images: what its measurements share, or None without a complete one.
        rows: the numbers, ranked ones first in each ranking.
        confirmations: reported beside measured numbers.
    """

    schema_version: int
    board: str
    version: str
    date: str
    dataset: str
    images: Images | None
    rows: tuple[Row, ...]
    confirmations: tuple[Confirmation, ...]

    def to_json(self) -> dict[str, Any]:
        """The table as JSON-ready dictionaries and lists."""
        return dataclasses.asdict(self)


def load_table(path: Path) -> Table:
    """Read a ``table.json``, or that of a board's folder.

    Raises:
        UserError: missing, malformed, or written by a newer version of this package.
    """
    file = path / TABLE_JSON if path.is_dir() else path
    return read_versioned(file, Table, TABLE_SCHEMA, "table", "Build it again.")
