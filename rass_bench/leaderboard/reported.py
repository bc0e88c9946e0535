"""Numbers that papers report: ``reported.csv``, one line a number, as it is printed there."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path

from rass_bench.errors import UserError, suggest
from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.files import read_text
from rass_bench.metrics.catalog import all_metrics, get_metric

REPORTED = "reported.csv"

NOT_IMPLEMENTED = {"fid/clean": False}
"""Metrics that papers report and this package does not compute: whether higher is better."""


@dataclass(frozen=True)
class ReportedNumber:
    """One number of one source; an empty cell is what the source does not give.

    Attributes:
        method: the method's name in the source.
        steps: diffusion steps that the source states.
        protocol: ``dt``, ``r2s``, ``ft`` or ``restore``.
        restorer: what restores in front of it under R2S, as the source names it.
        metric: our id of the metric variant that the number is of.
        printed: the number as it is printed, in ``unit``.
        unit: ``%`` where the source prints hundredths, else empty.
        fps: images a second that the source gives the method, whatever the protocol.
        parameters_millions: parameters that the source gives, in millions.
        trainable_millions: trainable parameters that the source gives, in millions.
        measured_as: what the key (name@revision) of a measurement of this method begins with;
            empty when none is known to be the same model.
        restorer_measured_as: the same of the restorer.
        source: paper, or repository and file.
        column: table and column in it.
        source_kind: how the number got here: ``paper``, ``official repository``, ``notes`` or
            ``list``.
        not_ranked: why the number stands in no ranking; empty when it does.
        note: what else a reader must know.
    """

    method: str
    steps: str
    protocol: str
    restorer: str
    metric: str
    printed: str
    unit: str
    fps: str
    parameters_millions: str
    trainable_millions: str
    measured_as: str
    restorer_measured_as: str
    source: str
    column: str
    source_kind: str
    not_ranked: str
    note: str

    @property
    def value(self) -> float:
        """The number in the metric's own unit."""
        number = Decimal(self.printed)
        return float(number / 100 if self.unit == "%" else number)

    @property
    def higher_is_better(self) -> bool:
        """Direction of the metric."""
        if self.metric in NOT_IMPLEMENTED:
            return NOT_IMPLEMENTED[self.metric]
        return get_metric(self.metric).info.higher_is_better

    @property
    def label(self) -> str:
        """Method and steps, which together are what was tested."""
        if not self.steps:
            return self.method
        return f"{self.method}, {self.steps} step{'s' if self.steps != '1' else ''}"


COLUMNS = tuple(field.name for field in fields(ReportedNumber))

_NUMBERS = ("fps", "parameters_millions", "trainable_millions")
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?", re.ASCII)
"""As papers print one: neither NaN nor an exponent, and small enough to be computed with."""

_REQUIRED = ("method", "protocol", "metric", "printed", "source", "column", "source_kind")


def read_reported(folder: Path) -> tuple[ReportedNumber, ...]:
    """The reported numbers of a board, in the file's order; none without the file.

    Raises:
        UserError: other columns, an empty cell that must not be, an unknown metric or protocol,
            something else than a number, or one number of one source given twice.
    """
    path = folder / REPORTED
    if not path.is_file():
        return ()
    # Not read as lines: a quoted cell may hold a line end.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header, *lines = list(reader)
    except (csv.Error, ValueError) as error:
        raise UserError(f"no readable CSV: {error}", str(path), "Correct the file.") from None
    if tuple(header) != COLUMNS:
        raise UserError(
            f"the columns are {', '.join(header)}", str(path), f"They must be {', '.join(COLUMNS)}."
        )
    numbers = [_read(cells, f"{path}:{row}") for row, cells in enumerate(lines, start=2)]
    seen: set[tuple[str, ...]] = set()
    for number in numbers:
        what = (number.label, number.protocol, number.restorer, number.metric)
        identity = (*what, number.source, number.column)
        if identity in seen:
            raise UserError(
                f"{number.metric} of {number.label} is given twice from {number.column}",
                str(path),
                "Remove one of them.",
            )
        seen.add(identity)
    return tuple(numbers)


def _read(cells: list[str], where: str) -> ReportedNumber:
    if len(cells) != len(COLUMNS):
        raise UserError(f"{len(cells)} cells, not {len(COLUMNS)}", where, "Correct the line.")
    number = ReportedNumber(*cells)
    for name in _REQUIRED:
        if not getattr(number, name):
            raise UserError(f"the cell {name!r} is empty", where, "Say it, or remove the line.")
    if number.protocol not in PROTOCOLS:
        raise UserError(
            f"unknown protocol {number.protocol!r}", where, suggest(number.protocol, PROTOCOLS)
        )
    metrics = {*NOT_IMPLEMENTED, *(metric.info.id for metric in all_metrics())}
    if number.metric not in metrics:
        raise UserError(f"unknown metric {number.metric!r}", where, suggest(number.metric, metrics))
    if number.unit not in ("", "%"):
        raise UserError(f"unknown unit {number.unit!r}", where, "Leave it empty, or write %.")
    for name in ("printed", *_NUMBERS):
        text = getattr(number, name)
        if text and not _NUMBER.fullmatch(text):
            raise UserError(
                f"the cell {name!r} is {text[:80]!r}, no number",
                where,
                "Write digits, with a point where it has one.",
            )
        if name in _NUMBERS and text.startswith("-"):
            raise UserError(f"the cell {name!r} is {text}", where, "It cannot be below 0.")
    return number
