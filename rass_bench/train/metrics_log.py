"""The numbers of a training, step by step: a CSV that survives kills, and TensorBoard events."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rass_bench.errors import UserError, from_os_error, require_package
from rass_bench.files import write_bytes

METRICS_FILE = "metrics.csv"
TENSORBOARD_FOLDER = "tensorboard"

_COLUMNS = ("step", "seconds", "learning_rate", "gradient_norm", "loss")
"""The columns before those of the loss terms."""

_TERM_NAME = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class MetricsRow:
    """What is known after one optimizer step. Values may be infinite or NaN where training was.

    Attributes:
        step: the step, counted from 0 over all resumptions.
        seconds: wall time that this step took.
        learning_rate: the rate that the step was made with.
        gradient_norm: L2 norm of all gradients before clipping.
        loss: the sum of the weighted terms.
        terms: the weighted loss terms by name.
    """

    step: int
    seconds: float
    learning_rate: float
    gradient_norm: float
    loss: float
    terms: dict[str, float]


class MetricsLog:
    """Writes ``metrics.csv``, one row a step, and TensorBoard event files beside it.

    After a kill and a resumption at step S the CSV reads as if nothing had happened, but for
    ``seconds``: rows from step S on, and a last line that was not written to its end, are dropped
    when the log is opened. TensorBoard hides its own events from step S on.

    Args:
        folder: the training's folder.
        resume_step: the first step that will be written; 0 starts anew.

    Raises:
        UserError: the package tensorboard is absent, the folder cannot be written, or what is to
            be continued is no ``metrics.csv`` with a row for every step before.
    """

    def __init__(self, folder: Path, resume_step: int = 0) -> None:
        require_package("tensorboard", "models")
        # Imported here: TensorBoard's writer loads torch.
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / METRICS_FILE
        try:
            self._terms = _drop_rows_from(self.path, resume_step)
            self._next_step = resume_step
            # Without a buffer: a row is with the operating system as soon as it is written, and
            # closing after a failed write has nothing left to fail with.
            self._stream = self.path.open("ab", buffering=0)
            self._events = SummaryWriter(
                str(folder / TENSORBOARD_FOLDER), purge_step=resume_step, flush_secs=30
            )
        except OSError as error:
            raise from_os_error(error, str(folder)) from error

    def write(self, row: MetricsRow) -> None:
        """Append one row. Once this returns, killing the process loses none of the CSV.

        Raises:
            UserError: other loss terms than in the first row, or the file cannot be written.
            ValueError: a step that was written already, or a term's name that is no plain word.
        """
        if row.step < self._next_step:
            raise ValueError(f"step {row.step} is written after step {self._next_step - 1}")
        terms = tuple(row.terms) if self._terms is None else self._terms
        if row.terms.keys() != set(terms):
            raise UserError(
                f"the loss has the terms {_listed(row.terms)}; those of earlier steps are "
                f"{_listed(terms)}",
                str(self.path),
                "Resume with the options that the training began with, or choose another folder.",
            )
        text = ("" if self._terms is not None else _header(terms)) + _line(row, terms)
        self._terms, self._next_step = terms, row.step + 1
        try:
            self._append(text.encode())
            self._add_events(row)
        except OSError as error:
            raise from_os_error(error, str(self.path)) from error

    def sync(self) -> None:
        """Bring all rows to the disk itself.

        Called before a checkpoint is written, it keeps the checkpoint from outliving its rows when
        the machine loses power.
        """
        os.fsync(self._stream.fileno())
        self._events.flush()

    def close(self) -> None:
        """Close the files, after writing the events that are held back."""
        self._stream.close()
        self._events.close()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _append(self, rest: bytes) -> None:
        while rest:
            rest = rest[self._stream.write(rest) :]

    def _add_events(self, row: MetricsRow) -> None:
        self._events.add_scalar("loss", row.loss, row.step)
        self._events.add_scalar("learning_rate", row.learning_rate, row.step)
        self._events.add_scalar("gradient_norm", row.gradient_norm, row.step)
        for name, value in row.terms.items():
            self._events.add_scalar(f"terms/{name}", value, row.step)


def read_metrics(path: Path) -> tuple[MetricsRow, ...]:
    """Read ``metrics.csv``; a last line that was not written to its end is left out.

    Raises:
        UserError: missing file, or a line that :class:`MetricsLog` did not write.
    """
    try:
        lines = _whole_lines(path)
    except OSError as error:
        raise from_os_error(error, str(path)) from error
    if not lines:
        return ()
    terms = _terms_of(lines[0], path)
    return tuple(_parse(line, terms, path, number) for number, line in enumerate(lines[1:], 2))


def _drop_rows_from(path: Path, step: int) -> tuple[str, ...] | None:
    """Keep the rows before ``step``; returns the terms in the header, or None without a row.

    A file without rows gets no header either: the first row decides on the terms.
    """
    if step == 0:
        write_bytes(path, b"")
        return None
    kept = [row for row in read_metrics(path) if row.step < step]
    if [row.step for row in kept] != list(range(step)):
        raise UserError(
            f"{len(kept)} rows where steps 0 to {step - 1} were made",
            str(path),
            "Restore the file, or train into another folder.",
        )
    terms = tuple(kept[0].terms)
    write_bytes(path, "".join([_header(terms), *(_line(row, terms) for row in kept)]).encode())
    return terms


def _whole_lines(path: Path) -> list[str]:
    """The lines that end, without their ends."""
    return path.read_bytes().decode("utf-8", "replace").split("\n")[:-1]


def _header(terms: tuple[str, ...]) -> str:
    if not _are_columns(terms):
        raise ValueError(f"loss terms cannot be named {', '.join(map(repr, terms))}")
    return ",".join((*_COLUMNS, *terms)) + "\n"


def _line(row: MetricsRow, terms: tuple[str, ...]) -> str:
    numbers = (row.seconds, row.learning_rate, row.gradient_norm, row.loss)
    values = (*numbers, *(row.terms[name] for name in terms))
    # repr keeps every bit; float() first, since NumPy's numbers show their type.
    return ",".join((str(int(row.step)), *(repr(float(value)) for value in values))) + "\n"


def _terms_of(header: str, path: Path) -> tuple[str, ...]:
    names = tuple(header.split(","))
    fixed, terms = names[: len(_COLUMNS)], names[len(_COLUMNS) :]
    if fixed != _COLUMNS or not _are_columns(terms):
        raise UserError("no metrics of a training", str(path), "Restore or remove it.")
    return terms


def _are_columns(terms: tuple[str, ...]) -> bool:
    """Whether the terms' names are plain words, each of its own."""
    distinct = len({*_COLUMNS, *terms}) == len(_COLUMNS) + len(terms)
    return distinct and all(_TERM_NAME.fullmatch(name) for name in terms)


def _parse(line: str, terms: tuple[str, ...], path: Path, number: int) -> MetricsRow:
    try:
        step, *values = line.split(",")
        seconds, learning_rate, gradient_norm, loss, *of_terms = map(float, values)
        named = dict(zip(terms, of_terms, strict=True))
        return MetricsRow(int(step), seconds, learning_rate, gradient_norm, loss, named)
    except ValueError:
        raise UserError(
            f"line {number} is no row of metrics: {line!r}", str(path), "Restore or remove it."
        ) from None


def _listed(terms: Iterable[str]) -> str:
    return ", ".join(sorted(terms)) or "(none)"
