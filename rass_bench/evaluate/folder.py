"""A run's folder: the plan, the predictions and the journal that makes it resumable.

plan.json           what was asked for and what it came to; a resumed run must match it
journal.jsonl       one line a finished or skipped image, appended as it happens
predictions/ID.png  label maps (8-bit grey, contiguous ids) or restored images (RGB)
predictions.json    the predictions with their SHA-256, written when all are there
per_image.parquet   one row an image: metric values, pixel counts, seconds
record.json         the record, written last: where it stands, the run is finished
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError
from rass_bench.files import inside, parse_json, read_json, sha256_file, write_bytes, write_json
from rass_bench.record import RECORD_NAME, NotScored
from rass_bench.structure import build

PLAN, JOURNAL, PREDICTIONS, PER_IMAGE = (
    "plan.json",
    "journal.jsonl",
    "predictions.json",
    "per_image.parquet",
)

PREDICTIONS_SCHEMA = 1


@dataclass(frozen=True)
class Done:
    """One finished image.

    Attributes:
        id: the sample.
        image_sha256: hash of the photo's file.
        sha256: hash of the prediction file.
        seconds: time in the networks, resizing included.
        timed: whether ``seconds`` counts for FPS (not a warm-up, nothing from a cache).
        restored_sha256: hash of the restored image that was segmented, under R2S.
    """

    id: str
    image_sha256: str
    sha256: str
    seconds: float
    timed: bool
    restored_sha256: str | None = None


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run's folder."""

    path: Path

    def prediction(self, sample_id: str) -> Path:
        """Where the prediction for a sample lies, refusing ids that lead out of the folder."""
        return inside(self.path / "predictions", f"{sample_id}.png")

    def begin(self, plan: dict[str, Any], *, resume: bool) -> None:
        """Start a new run, or check that an old one had the same plan.

        A plan without a finished image, left by a run that failed at its first, is replaced.

        Raises:
            UserError: the folder holds a run and ``resume`` is off, or the plans differ.
        """
        path = self.path / PLAN
        if path.is_file() and [entry.name for entry in self.path.iterdir()] == [PLAN]:
            path.unlink()
        if path.is_file() and not resume:
            raise UserError(
                "the folder holds a run already",
                str(self.path),
                "Add --resume to go on with it, or choose another --out.",
            )
        if not path.is_file():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise UserError(
                    "the folder is not empty and holds no run",
                    str(self.path),
                    "Choose another --out; nothing was touched.",
                )
            write_json(path, plan)
            return
        earlier = read_json(path)
        if not isinstance(earlier, dict):
            raise UserError("the plan is damaged", str(path), "Choose another --out.")
        for key in sorted(plan.keys() | earlier.keys()):
            if plan.get(key) != earlier.get(key):
                raise UserError(
                    f"the run to resume has {key} = {earlier.get(key)!r}, now it is "
                    f"{plan.get(key)!r}",
                    str(self.path),
                    "Repeat the first command exactly, or choose another --out.",
                )
        (self.path / RECORD_NAME).unlink(missing_ok=True)

    def finished(self) -> dict[str, Done]:
        """The images whose prediction is whole: listed in the journal and matching its hash.

        A last line cut by a kill is ignored; so is a file that does not match, which is then made
        again.
        """
        path = self.path / JOURNAL
        done: dict[str, Done] = {}
        if not path.is_file():
            return done
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                entry = build(Done, parse_json(line))
            except ValueError:
                continue  # the line that a kill cut short: its image is simply made again
            done[entry.id] = entry
        return {
            key: entry
            for key, entry in done.items()
            if self.prediction(key).is_file() and sha256_file(self.prediction(key)) == entry.sha256
        }

    def add(self, content: bytes, entry: Done) -> None:
        """Store one prediction, then its journal line, in that order."""
        write_bytes(self.prediction(entry.id), content)
        path = self.path / JOURNAL
        torn = _is_torn(path)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(("\n" if torn else "") + json.dumps(asdict(entry)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def save_index(self, done: dict[str, Done], kind: str) -> None:
        """Write ``predictions.json``: every prediction with its hash, sorted by id."""
        files = {
            key: {"file": f"predictions/{key}.png", "sha256": done[key].sha256}
            for key in sorted(done)
        }
        document = {"schema_version": PREDICTIONS_SCHEMA, "kind": kind, "files": files}
        write_json(self.path / PREDICTIONS, document)

    def load_index(self) -> dict[str, str]:
        """The predictions' SHA-256 by sample id, checked against the files.

        Raises:
            UserError: the index is missing, or a file is missing or was changed since.
        """
        index = read_json(self.path / PREDICTIONS)
        try:
            hashes = {str(key): str(entry["sha256"]) for key, entry in index["files"].items()}
        except (KeyError, TypeError, AttributeError):
            raise UserError(
                "malformed predictions.json", str(self.path), "Run again with --resume."
            ) from None
        for key, expected in hashes.items():
            path = self.prediction(key)
            if not path.is_file() or sha256_file(path) != expected:
                state = "was changed" if path.is_file() else "is missing"
                raise UserError(
                    f"a stored prediction {state} since the run",
                    str(path),
                    "Restore it, or run again with --resume, which makes it anew.",
                )
        return hashes


def reason(error: UserError, sample_id: str) -> NotScored:
    """Why a sample was left out, in one line."""
    return NotScored(id=sample_id, reason=f"{error.what} ({Path(error.where).name})")


def _is_torn(path: Path) -> bool:
    """Whether a kill cut the journal's last line short."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"
