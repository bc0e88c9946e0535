"""What came out of checking a run, as a table of checks and as ``verdict.json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError
from rass_bench.files import write_json
from rass_bench.record import Environment
from rass_bench.structure import read_versioned

VERDICT_SCHEMA = 1
VERDICT_NAME = "verdict.json"

NAMED = 5
"""How many images a note names before it only counts."""


class Level(StrEnum):
    """How far a check goes; each level takes in those above it."""

    INTEGRITY = "integrity"
    """Hashes and schema of every file, and the record's numbers from ``per_image.parquet``: needs
    neither data nor models."""

    RESCORE = "rescore"
    """Every metric from the stored predictions and the ground truth: needs the data."""

    SAMPLE = "sample"
    """Some images through the models again: needs the weights."""

    FULL = "full"
    """Every image through the models again."""


class Part(StrEnum):
    """What a number depends on."""

    CODE = "code"
    DATA = "data"
    WEIGHTS = "weights"
    ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Check:
    """One question that was asked of the run.

    Attributes:
        name: what was looked at.
        holds: the answer; None where it could not be looked at, and ``note`` says why.
        expected: what the record, or a file of the run, says.
        found: what is there, or came out.
        note: what a reviewer should know, such as the images that differ; may be empty.
    """

    name: str
    holds: bool | None
    expected: str
    found: str
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """Whether a part is now what it was when the record was written.

    A difference is no fault by itself: it says what a deviation may come from.

    Attributes:
        part: what is compared.
        differs: the answer; None where the level did not look.
        words: what it was and what it is.
    """

    part: Part
    differs: bool | None
    words: str


@dataclass(frozen=True)
class Verdict:
    """Whether a run's record is true, as far as one level looks.

    Attributes:
        schema_version: version of this layout.
        holds: whether no check failed.
        level: how far the check went.
        run: what was measured, in words: protocol, models, data set.
        record_sha256: hash of the ``record.json`` that was checked.
        checks: every check, in the order made.
        differences: code, data, weights and environment, then and now.
        seed: what the images that were run again were drawn with; None at other levels.
        samples: ids of the images that were run again.
        finished: when, UTC, ISO 8601.
        environment: where the check took place.
    """

    schema_version: int
    holds: bool
    level: Level
    run: str
    record_sha256: str
    checks: tuple[Check, ...]
    differences: tuple[Difference, ...]
    seed: int | None
    samples: tuple[str, ...]
    finished: str
    environment: Environment

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON-ready dictionaries and lists."""
        return dataclasses.asdict(self)

    def save(self, path: Path) -> None:
        """Write the verdict as JSON, atomically."""
        write_json(path, self.to_json())


def load_verdict(path: Path) -> Verdict:
    """Read a verdict.

    Raises:
        UserError: missing, malformed, written by a newer version of this package, or with an
            answer that its checks do not give.
    """
    verdict = read_versioned(path, Verdict, VERDICT_SCHEMA, "verdict", "Verify the run again.")
    if not verdict.checks or verdict.holds != all_hold(verdict.checks):
        raise UserError(
            f"the verdict says holds = {verdict.holds}, its checks say otherwise",
            str(path),
            "It was edited or damaged; verify the run again.",
        )
    return verdict


def all_hold(checks: Iterable[Check]) -> bool:
    """Whether no check failed; one that could not be made is no failure."""
    return all(check.holds is not False for check in checks)


def equal(name: str, expected: object, found: object, note: str = "") -> Check:
    """A check that two values are the same; the note is shown where they are not."""
    holds = expected == found
    return Check(name, holds, str(expected), str(found), "" if holds else note)


def no_faults(name: str, expected: str, faults: list[str]) -> Check:
    """A check that nothing is wrong with any of several things; the first faults are named."""
    shown = "; ".join(faults[:NAMED])
    if len(faults) > NAMED:
        shown += f"; and {len(faults) - NAMED} more"
    found = "as expected" if not faults else f"{len(faults)} not as expected"
    return Check(name, not faults, expected, found, shown)


def not_there(name: str, why: str) -> Check:
    """A check that could not be made."""
    return Check(name, None, "–", "–", why)
