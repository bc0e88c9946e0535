"""Disputed photos back to the server, for a third person, with every opinion to start from.

They get a project of their own on the same server: whoever labels the first one never meets them.
Its files lie in the subfolder ``adjudication/``; ``pull`` fetches both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rass_bench.annotate.assess import Assessment
from rass_bench.annotate.client import Client
from rass_bench.annotate.handed_in import ADJUDICATION, Photo, read_work
from rass_bench.annotate.on_server import (
    ensure_predictions,
    ensure_project,
    ensure_tasks,
    open_project,
    project_number,
)
from rass_bench.annotate.photos import ServedPhoto
from rass_bench.annotate.project import Project, config_path, load_config
from rass_bench.annotate.push import prediction_result
from rass_bench.annotate.qa.findings import Decision
from rass_bench.annotate.raw import load_state
from rass_bench.annotate.server import files_root
from rass_bench.errors import from_os_error
from rass_bench.files import alone_in, write_bytes
from rass_bench.labels import IGNORE


@dataclass(frozen=True)
class AdjudicationReport:
    """What was put before an adjudicator.

    Attributes:
        project_id: number of the project of disputes; None where nothing was ever disputed.
        disputed: samples that await a decision.
        added: those of them that were not there yet.
    """

    project_id: int | None
    disputed: tuple[str, ...]
    added: int


def adjudicate(
    client: Client,
    folder: Path,
    assessment: Assessment,
    name: str = "rass-bench",
    advance: Callable[[], None] = lambda: None,
) -> AdjudicationReport:
    """Make sure that each disputed photo is a task whose predictions are the current opinions.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        assessment: of that project.
        name: begins the title of the project of disputes.
        advance: called once for each opinion that is sent.

    Raises:
        UserError: the labelling configuration was changed on the server, or the disk is full.
    """
    disputed = {
        photo.sample: photo
        for photo, verdict in zip(assessment.photos, assessment.verdicts, strict=True)
        if verdict.decision is Decision.ADJUDICATE
    }
    if not disputed:
        return AdjudicationReport(None, (), 0)
    home = folder / ADJUDICATION
    try:
        with alone_in(home):
            if not config_path(home).is_file():
                write_bytes(config_path(home), load_config(folder).encode())
            project = open_project(home, f"{name} adjudication", assessment.space)
            project = ensure_project(client, home, project, files_root(folder), annotators=1)
            # A task that was deleted on the server is put there again: the dispute still stands.
            state = load_state(home)
            known = {task.sample for task in project.tasks} - set(state.gone if state else ())
            served = {
                sample: _served(folder, photo)
                for sample, photo in disputed.items()
                if sample not in known
            }
            project = ensure_tasks(client, home, project, served)
            _send_opinions(client, folder, project, assessment, disputed, advance=advance)
    except OSError as error:
        raise from_os_error(error, str(home)) from None
    return AdjudicationReport(project_number(project), tuple(disputed), len(served))


def _served(folder: Path, photo: Photo) -> ServedPhoto:
    path = photo.path.relative_to(files_root(folder)).as_posix()
    return ServedPhoto(path, photo.source_sha256, photo.width, photo.height)


def _send_opinions(
    client: Client,
    folder: Path,
    project: Project,
    assessment: Assessment,
    disputed: dict[str, Photo],
    *,
    advance: Callable[[], None],
) -> None:
    """Give each task the opinions on its photo; those that were changed since replace the old."""
    works = {
        (photo.sample, work.version): (photo, work)
        for photo in disputed.values()
        for work in photo.works
    }

    def draw(sample: str, version: str) -> list[dict[str, Any]]:
        drawn = read_work(folder, *works[sample, version], assessment.space).opinion
        advance()
        ignored = drawn.covered & (drawn.labels == IGNORE)
        return prediction_result(drawn.labels, assessment.space, ignored)

    wanted = {
        sample: tuple(work.version for work in photo.works) for sample, photo in disputed.items()
    }
    _remove_outdated(client, project, wanted)
    ensure_predictions(client, folder / ADJUDICATION, project, wanted, draw)
    # No model version chosen: the page offers every opinion, each in a tab.
    choice = {"model_version": "", "show_collab_predictions": True}
    client.patch(f"/api/projects/{project_number(project)}", choice)


def _remove_outdated(
    client: Client, project: Project, wanted: Mapping[str, tuple[str, ...]]
) -> None:
    """Take opinions off the server that their annotators changed since."""
    for task in project.tasks:
        versions = wanted.get(task.sample, ())
        if task.prelabel is None or not versions or task.prelabel == "+".join(versions):
            continue
        for shown in client.get("/api/predictions", task=task.task_id):
            if shown["model_version"] not in versions:
                client.delete(f"/api/predictions/{shown['id']}/")
