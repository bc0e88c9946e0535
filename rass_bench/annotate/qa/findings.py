"""What quality assurance found: one statement about one photo, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from rass_bench.files import write_json
from rass_bench.structure import read_versioned

SCHEMA = 1


class Severity(StrEnum):
    """What a finding asks for."""

    NOTE = "note"
    """Nothing: worth a look."""

    ADJUDICATE = "adjudicate"
    """A third person decides between opinions."""

    FIX = "fix"
    """The annotation goes back to its annotator."""


class Decision(StrEnum):
    """What happens to an image."""

    PASS = "pass"
    ADJUDICATE = "adjudicate"
    FIX = "fix"


@dataclass(frozen=True)
class Finding:
    """One statement about one photo.

    Attributes:
        sample: the photo's id.
        check: what was checked, such as ``specks`` or ``kappa``.
        value: what was measured, in the check's unit; None where there is no number.
        severity: what the finding asks for.
        note: the statement in words, with the limit that it exceeds.
        annotator: whose annotation it is about; None for statements about several or the photo.
    """

    sample: str
    check: str
    value: float | None
    severity: Severity
    note: str
    annotator: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What happens to an image, and why.

    Attributes:
        sample: the photo's id.
        decision: the most pressing of the findings: fix, then adjudicate, then pass.
        findings: the reasons, the most pressing first.
    """

    sample: str
    decision: Decision
    findings: tuple[Finding, ...]


_PRESSING = [Severity.FIX, Severity.ADJUDICATE, Severity.NOTE]


def decide(sample: str, findings: Iterable[Finding]) -> Verdict:
    """Draw the conclusion from all findings about one photo.

    What must be fixed comes before what must be adjudicated: opinions are compared again after it.
    """
    ordered = tuple(sorted(findings, key=lambda finding: _PRESSING.index(finding.severity)))
    worst = ordered[0].severity if ordered else Severity.NOTE
    decision = Decision.PASS if worst is Severity.NOTE else Decision(worst.value)
    return Verdict(sample, decision, ordered)


@dataclass(frozen=True)
class _Stored:
    """Verdicts as :func:`save_verdicts` writes them."""

    schema_version: int
    verdicts: tuple[Verdict, ...]


def save_verdicts(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Write verdicts as JSON, atomically."""
    write_json(path, asdict(_Stored(SCHEMA, tuple(verdicts))))


def load_verdicts(path: Path) -> tuple[Verdict, ...]:
    """Read verdicts.

    Raises:
        UserError: no such file, malformed, or of a newer schema.
    """
    do = "Make them again with `rass-bench annotate qa`."
    stored = read_versioned(path, _Stored, SCHEMA, "file of verdicts", do)
    return stored.verdicts
