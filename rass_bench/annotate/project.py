"""What a project knows of its tasks: which photo of which sample is which task of the server."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rass_bench.annotate.labeling_config import config_fingerprint
from rass_bench.errors import UserError
from rass_bench.files import write_bytes, write_json
from rass_bench.structure import read_versioned

TASKS_SCHEMA = 1


@dataclass(frozen=True)
class Task:
    """A photo on the server.

    Attributes:
        sample: the sample's id.
        task_id: its number on the server.
        photo: the file that the server shows, relative to the project's ``files/``.
        source_sha256: SHA-256 of the sample's own file, which the server may show converted.
        width: of the upright photo, in pixels.
        height: of the upright photo, in pixels.
        prelabel: ``name@revision`` of the model whose prediction annotators start from, or None.
    """

    sample: str
    task_id: int
    photo: str
    source_sha256: str
    width: int
    height: int
    prelabel: str | None = None


@dataclass(frozen=True)
class Project:
    """A project on the server, and its tasks sorted by sample id.

    Attributes:
        schema_version: of this file.
        title: what the server's page calls it; holds random digits, by which it is found again
            when its number was not noted.
        config_sha256: fingerprint of the labelling configuration it was made with.
        project_id: its number on the server; None before it was made.
        tasks: what is on the server.
    """

    schema_version: int
    title: str
    config_sha256: str
    project_id: int | None = None
    tasks: tuple[Task, ...] = ()

    def with_tasks(self, tasks: Iterable[Task]) -> Project:
        """The project with tasks added, or replaced by ones of the same sample."""
        merged = {task.sample: task for task in (*self.tasks, *tasks)}
        return replace(self, tasks=tuple(merged[sample] for sample in sorted(merged)))


def new_project(folder: Path, name: str, config: str) -> Project:
    """Begin a project in a folder: write its configuration and, last, its file of tasks."""
    write_bytes(config_path(folder), config.encode())
    project = Project(TASKS_SCHEMA, f"{name} {secrets.token_hex(4)}", config_fingerprint(config))
    save_project(folder, project)
    return project


def load_project(folder: Path) -> Project:
    """Read a project's file of tasks.

    Raises:
        UserError: nothing was pushed yet, or the file is malformed or of a newer schema.
    """
    path = tasks_path(folder)
    if not path.is_file():
        raise UserError(
            "nothing was pushed to this project yet",
            str(folder),
            "Push photos first: rass-bench annotate push.",
        )
    return read_versioned(path, Project, TASKS_SCHEMA, "file of tasks", "Restore it from a backup.")


def save_project(folder: Path, project: Project) -> None:
    """Write a project's file of tasks, atomically."""
    write_json(tasks_path(folder), asdict(project))


def load_config(folder: Path) -> str:
    """The labelling configuration that the project was made with.

    Raises:
        UserError: no such file.
    """
    try:
        return config_path(folder).read_text("utf-8")
    except UnicodeDecodeError:
        raise UserError(
            "the labelling configuration is no UTF-8 text",
            str(config_path(folder)),
            "Remove it and write it anew with `rass-bench annotate init`.",
        ) from None
    except FileNotFoundError:
        raise UserError(
            "the project has no labelling configuration", str(config_path(folder)), "Push first."
        ) from None


def begin_command(folder: Path) -> str:
    """The command that writes what a folder lacks of a project's beginning, by its own labels."""
    # In full: a shipped data set's name would win over a folder of that name.
    definition = shlex.quote(str(folder.resolve()))
    return f"rass-bench annotate init --dataset {definition} --dir {shlex.quote(str(folder))}"


def tasks_path(folder: Path) -> Path:
    """Where a project notes its tasks."""
    return folder / "tasks.json"


def config_path(folder: Path) -> Path:
    """Where a project keeps its labelling configuration."""
    return folder / "labeling_config.xml"
