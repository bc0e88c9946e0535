"""What a check of a record found: ``verdicts/NAME.json`` beside ``records/NAME``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from rass_bench.errors import UserError
from rass_bench.files import read_json
from rass_bench.structure import build

VERDICT_SCHEMA = 1

RECOMPUTED = frozenset({"rescore", "sample", "full"})
"""Levels at which numbers were computed again; ``integrity`` compares hashes alone."""


@dataclass(frozen=True)
class Verdict:
    """What a table takes from a verdict; the file may say more.

    Attributes:
        schema_version: version of the file's layout.
        holds: whether everything that was checked held.
        level: ``integrity``, ``rescore``, ``sample`` or ``full``.
        record_sha256: hash of the ``record.json`` that was checked.
    """

    schema_version: int
    holds: bool
    level: str
    record_sha256: str


def read_verdict(path: Path) -> Verdict:
    """Read a verdict.

    Raises:
        UserError: malformed, or of a newer schema.
    """
    document = read_json(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > VERDICT_SCHEMA:
        raise UserError(
            f"verdict schema {version} is newer than this program's {VERDICT_SCHEMA}",
            str(path),
            "Update rass-bench.",
        )
    names = {field.name for field in dataclasses.fields(Verdict)}
    known = (
        {key: value for key, value in document.items() if key in names}
        if isinstance(document, dict)
        else document
    )
    try:
        return build(Verdict, known, "the verdict")
    except ValueError as error:
        raise UserError(f"malformed verdict: {error}", str(path), "Verify the run again.") from None
