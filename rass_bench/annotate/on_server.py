"""A project, its tasks and their predictions on the server: made once, found again after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rass_bench.annotate.client import Client, ServerError, list_tasks
from rass_bench.annotate.handed_in import ADJUDICATION
from rass_bench.annotate.labeling_config import (
    IMAGE_TAG,
    SAMPLE_KEY,
    config_fingerprint,
    labeling_config,
)
from rass_bench.annotate.photos import PHOTOS, ServedPhoto, photo_url
from rass_bench.annotate.project import (
    Project,
    Task,
    begin_command,
    config_path,
    load_config,
    load_project,
    new_project,
    save_project,
    tasks_path,
)
from rass_bench.errors import UserError
from rass_bench.files import canonical_json
from rass_bench.labels import LabelSpace

BATCH_BYTES = 40_000_000
"""Of one request. The server refuses 250 MiB, and needs several times a request in memory."""

BATCH_ITEMS = 200

_REFUSED, _NOT_FOUND = 400, 404


def open_project(folder: Path, name: str, space: LabelSpace) -> Project:
    """The folder's project, or a new one under the labelling configuration that lies there.

    Args:
        folder: the project's folder.
        name: begins the title of a new project on the server.
        space: what is labelled.

    Raises:
        UserError: the configuration names other labels than those of the label space.
    """
    made = labeling_config(space)
    config = load_config(folder) if config_path(folder).is_file() else made
    if config_fingerprint(config) != config_fingerprint(made):
        raise UserError(
            f"the labelling configuration has other labels than those of {space.name}",
            str(config_path(folder)),
            "Use another folder for another label space, or remove the file and begin again.",
        )
    return (
        load_project(folder) if tasks_path(folder).is_file() else new_project(folder, name, config)
    )


def ensure_project(
    client: Client, folder: Path, project: Project, files: Path, annotators: int | None
) -> Project:
    """Make sure that the server has the project, with its configuration and its photos' folder.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        project: as the folder knows it.
        files: the folder whose subfolders the server may show.
        annotators: how many annotate each photo, none of them seeing another's work; None leaves
            it as it is.

    Returns:
        The project with its number, which the folder knows, too.

    Raises:
        UserError: the project is gone from the server, its configuration was changed there, or
            the server refuses ours.
    """
    if project.project_id is None:
        found = [
            one["id"]
            for one in client.get("/api/projects", title=project.title, page_size=100)["results"]
            if one["title"] == project.title
        ]
        made = found or [_make(client, folder, project)]
        project = replace(project, project_id=made[0])
        save_project(folder, project)
    number = project_number(project)
    state = project_state(client, folder, project)
    if config_fingerprint(state["label_config"]) != project.config_sha256:
        raise UserError(
            "the labelling configuration was changed on the server",
            f"project {number} at {client.url}",
            "Restore it there (labeling_config.xml in the project's folder) and push again.",
        )
    # The server cuts white space off the end.
    if state["label_config"].strip() != load_config(folder).strip():
        with _config_told(folder):
            client.patch(f"/api/projects/{number}", {"label_config": load_config(folder)})
    if annotators is not None and state["maximum_annotations"] != annotators:
        client.patch(f"/api/projects/{number}", {"maximum_annotations": annotators})
    _ensure_storage(client, number, files.resolve() / PHOTOS)
    return project


def ensure_tasks(
    client: Client, folder: Path, project: Project, served: Mapping[str, ServedPhoto]
) -> Project:
    """Import the samples that the server lacks; note those that an earlier push imported.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        project: on the server.
        served: photos that the project knows no task of, or whose task it knows to be gone, by
            sample.

    Returns:
        The project with these tasks, which the folder knows, too.
    """
    on_server = _numbers_on_server(client, project, served) if served else {}
    missing = [sample for sample in served if sample not in on_server]
    texts = ((sample, canonical_json(_task(sample, served[sample]))) for sample in missing)
    for names, body in batches(texts):
        path = f"/api/projects/{project_number(project)}/import"
        numbers = client.post(path, body, return_task_ids="true")["task_ids"]
        on_server |= dict(zip(names, numbers, strict=True))
    added = [
        Task(
            sample=sample,
            task_id=on_server[sample],
            photo=photo.path,
            source_sha256=photo.source_sha256,
            width=photo.width,
            height=photo.height,
        )
        for sample, photo in served.items()
    ]
    project = project.with_tasks(added)
    save_project(folder, project)
    return project


def ensure_predictions(
    client: Client,
    folder: Path,
    project: Project,
    wanted: Mapping[str, tuple[str, ...]],
    draw: Callable[[str, str], list[dict[str, Any]]],
) -> int:
    """Give tasks the predictions that they lack, in bounded requests that a kill interrupts safely.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        project: on the server, with a task for each sample.
        wanted: by sample, whose predictions it shall have (``name@revision``).
        draw: a sample's prediction by one of those, as a Label Studio ``result``.

    Returns:
        How many samples lacked theirs.
    """
    tasks = {task.sample: task for task in project.tasks}
    number = project_number(project)
    lacking = {
        sample: versions
        for sample, versions in wanted.items()
        if tasks[sample].prelabel != "+".join(versions)
    }
    unsure = _with_predictions(client, number) if lacking else set()
    fresh = {}
    for sample, versions in lacking.items():
        task_id = tasks[sample].task_id
        there = _versions(client, task_id) if task_id in unsure else set()
        fresh[sample] = tuple(one for one in versions if one not in there)
    done = {sample: lacking[sample] for sample, missing in fresh.items() if not missing}
    project = _note(folder, project, done)
    fresh = {sample: missing for sample, missing in fresh.items() if missing}
    for names, body in batches(_predictions(fresh, tasks, draw)):
        client.post(f"/api/projects/{number}/import/predictions", body)
        project = _note(folder, project, {sample: lacking[sample] for sample in names})
    return len(fresh)


def batches(items: Iterator[tuple[str, bytes]]) -> Iterator[tuple[list[str], bytes]]:
    """Join JSON texts into arrays of at most ``BATCH_BYTES`` bytes and ``BATCH_ITEMS`` items.

    Args:
        items: names and JSON texts, each of one value or of several joined by commas.

    Yields:
        The names in an array, and the array. A single item that is longer comes alone.
    """
    names: list[str] = []
    texts: list[bytes] = []
    length = 2
    for name, text in items:
        if names and (length + len(text) + 1 > BATCH_BYTES or len(names) == BATCH_ITEMS):
            yield names, b"[" + b",".join(texts) + b"]"
            names, texts, length = [], [], 2
        names.append(name)
        texts.append(text)
        length += len(text) + 1
    if names:
        yield names, b"[" + b",".join(texts) + b"]"


def project_number(project: Project) -> int:
    """The project's number on the server.

    Raises:
        UserError: it was not made there: the last push was killed early.
    """
    if project.project_id is None:
        raise UserError("the last push did not get far", project.title, "Push again.")
    return project.project_id


def project_state(client: Client, folder: Path, project: Project) -> dict[str, Any]:
    """What the server says of a project itself.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        project: which was pushed.

    Raises:
        UserError: somebody deleted it on the server. Nothing is changed in the folder.
    """
    number = project_number(project)
    try:
        state: dict[str, Any] = client.get(f"/api/projects/{number}")
    except ServerError as error:
        if error.status != _NOT_FOUND:
            raise
        raise UserError(
            f"the project {project.title!r} is gone from the server",
            f"project {number} at {client.url}",
            _how_to_go_on(folder),
        ) from None
    return state


def _how_to_go_on(folder: Path) -> str:
    """What to do when a project was deleted on the server."""
    if folder.name == ADJUDICATION:
        return (
            f"Stop the server and restore {folder.parent / 'server'} from a backup; or move "
            f"{folder} elsewhere, with the decisions in it, and put the disputes before a third "
            "person anew: rass-bench annotate adjudicate."
        )
    return (
        f"What was pulled is kept in {folder}, where qa and build still read it. Stop the server "
        f"and restore {folder / 'server'} from a backup; or make the project anew in another "
        "folder: rass-bench annotate init --dir NEW, then serve and push with the same --dir."
    )


def _make(client: Client, folder: Path, project: Project) -> int:
    body = {"title": project.title, "label_config": load_config(folder)}
    with _config_told(folder):
        return int(client.post("/api/projects", body)["id"])


@contextmanager
def _config_told(folder: Path) -> Iterator[None]:
    """Name the file of the labelling configuration where the server refuses what it holds."""
    try:
        yield
    except ServerError as error:
        told = error.reason.lower().replace("_", " ")
        if error.status != _REFUSED or "label config" not in told:
            raise
        anew = "have it copied anew from the project's"
        if folder.name != ADJUDICATION:
            anew = f"have it written anew ({begin_command(folder)})"
        raise UserError(
            f"the server refuses the labelling configuration: {error.reason}",
            str(config_path(folder)),
            f"Correct the file, or remove it and {anew}; then repeat the command.",
        ) from None


def _ensure_storage(client: Client, number: int, photos: Path) -> None:
    """Without a storage above them, the server shows no local files."""
    photos.mkdir(parents=True, exist_ok=True)
    storages = client.get("/api/storages/localfiles", project=number)
    if str(photos) not in [one["path"] for one in storages]:
        body = {"project": number, "path": str(photos), "use_blob_urls": True, "title": PHOTOS}
        client.post("/api/storages/localfiles", body)


def _task(sample: str, photo: ServedPhoto) -> dict[str, Any]:
    return {"data": {IMAGE_TAG: photo.url, SAMPLE_KEY: sample}}


def _numbers_on_server(
    client: Client, project: Project, served: Mapping[str, ServedPhoto]
) -> dict[str, int]:
    """Tasks of these samples that are on the server though they were not noted."""
    noted = {task.task_id for task in project.tasks if task.sample not in served}
    return {
        task["data"][SAMPLE_KEY]: task["id"]
        for task in list_tasks(client, project_number(project), ("id", "data"))
        if task["id"] not in noted
        and task["data"].get(SAMPLE_KEY) in served
        and task["data"].get(IMAGE_TAG) == photo_url(served[task["data"][SAMPLE_KEY]].path)
    }


def _with_predictions(client: Client, number: int) -> set[int]:
    """Tasks with any prediction: of another model, or of a push that was killed before noting."""
    listed = list_tasks(client, number, ("id", "total_predictions"))
    return {task["id"] for task in listed if task["total_predictions"]}


def _versions(client: Client, task_id: int) -> set[str]:
    """Whose predictions a task has."""
    found = client.get("/api/predictions", task=task_id)
    return {str(prediction["model_version"]) for prediction in found}


def _note(folder: Path, project: Project, done: Mapping[str, tuple[str, ...]]) -> Project:
    tasks = [
        replace(task, prelabel="+".join(done[task.sample]))
        for task in project.tasks
        if task.sample in done
    ]
    project = project.with_tasks(tasks)
    save_project(folder, project)
    return project


def _predictions(
    wanted: Mapping[str, tuple[str, ...]],
    tasks: Mapping[str, Task],
    draw: Callable[[str, str], list[dict[str, Any]]],
) -> Iterator[tuple[str, bytes]]:
    """Sample ids, and all predictions of each as JSON joined by commas: they are sent together."""
    for sample, versions in wanted.items():
        yield (
            sample,
            b",".join(
                canonical_json(
                    {
                        "task": tasks[sample].task_id,
                        "model_version": version,
                        "result": draw(sample, version),
                    }
                )
                for version in versions
            ),
        )
