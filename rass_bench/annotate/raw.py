"""Annotations as the server gave them, kept for ever: one JSON file each, with its SHA-256.

``annotations/<sample>/<annotation>.json`` holds what stands on the server now, ``history/`` what
was replaced or deleted there, ``unassigned/`` annotations of tasks that the project did not push.
``pull.json`` lists the current ones, and says of each whether it can be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rass_bench.annotate.client import MAX_ANSWER
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import (
    canonical_json,
    inside,
    parse_json,
    sha256_bytes,
    write_bytes,
    write_json,
)
from rass_bench.structure import read_versioned

PULL_SCHEMA = 1

_MOVING = ("created_ago",)
"""Keys whose value depends on when the server is asked."""


@dataclass(frozen=True)
class Pulled:
    """One annotation that was pulled.

    Attributes:
        sample: the sample's id.
        annotation_id: its number on the server.
        sha256: of its file.
        annotator: number of the user who completed it; None when the server states none.
        updated_at: when it was last changed, as the server writes it.
        lead_time: seconds that the annotator spent, or None.
        is_skipped: whether the annotator skipped the photo instead of labelling it.
        problem: why it cannot be used, or None.
    """

    sample: str
    annotation_id: int
    sha256: str
    annotator: int | None
    updated_at: str
    lead_time: float | None = None
    is_skipped: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class PullState:
    """What was pulled so far.

    Attributes:
        schema_version: of this file.
        server_version: of Label Studio.
        config_sha256: fingerprint of the labelling configuration that annotations must fit.
        updated_at: the newest change of a task up to which all was pulled, as the server writes
            it; None before any. The next pull asks for what changed since.
        annotations: the annotations that stand on the server, by sample and number.
        drafts: samples with work that somebody began and did not submit.
        tasks: when each sample's task was last changed, as far as it was pulled.
        gone: samples whose task was deleted on the server.
        strangers: numbers of tasks that the project did not push.
        unreadable: samples whose annotations the server could not hand out, the last time it was
            asked; what was known of them before still stands.
    """

    schema_version: int
    server_version: str
    config_sha256: str
    updated_at: str | None
    annotations: tuple[Pulled, ...] = ()
    drafts: tuple[str, ...] = ()
    tasks: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    strangers: tuple[int, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def usable(self) -> tuple[Pulled, ...]:
        """Annotations to build on: neither refused nor skipped."""
        return tuple(one for one in self.annotations if one.problem is None and not one.is_skipped)


def load_state(folder: Path) -> PullState | None:
    """What was pulled into a project's folder; None before the first pull.

    Raises:
        UserError: the file is malformed or of a newer schema.
    """
    path = state_path(folder)
    if not path.is_file():
        return None
    do = "Remove it and pull again; raw files are kept."
    return read_versioned(path, PullState, PULL_SCHEMA, "file of what was pulled", do)


def save_state(folder: Path, state: PullState) -> None:
    """Write what was pulled, atomically."""
    write_json(state_path(folder), asdict(state))


def state_path(folder: Path) -> Path:
    """Where a project notes what it pulled."""
    return folder / "pull.json"


def keep_annotation(folder: Path, sample: str, annotation: Mapping[str, Any]) -> str:
    """Keep an annotation as it stands now; an earlier form of it moves to ``history/``.

    Args:
        folder: the project's folder.
        sample: the sample's id.
        annotation: as the server gave it.

    Returns:
        SHA-256 of the file.

    Raises:
        UserError: the sample id leads out of the folder.
        OSError: the write failed.
    """
    content = canonical_json({k: v for k, v in annotation.items() if k not in _MOVING})
    path = annotation_path(folder, sample, int(annotation["id"]))
    digest = sha256_bytes(content)
    if path.is_file():
        if sha256_bytes(path.read_bytes()) == digest:
            return digest
        retire_annotation(folder, sample, int(annotation["id"]))
    write_bytes(path, content)
    return digest


def keep_unassigned(folder: Path, task_id: int, annotation: Mapping[str, Any]) -> None:
    """Keep an annotation of a task that the project did not push."""
    content = canonical_json({k: v for k, v in annotation.items() if k not in _MOVING})
    write_bytes(folder / "unassigned" / str(task_id) / f"{int(annotation['id'])}.json", content)


def retire_annotation(folder: Path, sample: str, annotation_id: int) -> None:
    """Move an annotation that was replaced or deleted on the server to ``history/``."""
    path = annotation_path(folder, sample, annotation_id)
    if path.is_file():
        name = f"{annotation_id}-{sha256_bytes(path.read_bytes())[:12]}.json"
        target = inside(folder / "history", sample) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def read_annotation(folder: Path, pulled: Pulled) -> dict[str, Any]:
    """The annotation as the server gave it.

    Raises:
        UserError: its file is missing, longer than any answer of a server, or was changed since it
            was pulled.
    """
    path = annotation_path(folder, pulled.sample, pulled.annotation_id)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_ANSWER + 1)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise from_os_error(error, str(path)) from None
    if len(content) > MAX_ANSWER:
        raise UserError(
            f"the raw annotation is longer than {MAX_ANSWER:,} bytes",
            str(path),
            "No server gave it: remove it and pull.json, and pull again.",
        )
    if sha256_bytes(content) != pulled.sha256:
        raise UserError(
            "the raw annotation is missing or was changed since it was pulled",
            str(path),
            "Remove pull.json and pull again.",
        )
    annotation: dict[str, Any] = parse_json(content)
    return annotation


def annotation_path(folder: Path, sample: str, annotation_id: int) -> Path:
    """Where an annotation lies.

    Raises:
        UserError: the sample id leads out of the folder.
    """
    return inside(folder / "annotations", sample) / f"{annotation_id}.json"
