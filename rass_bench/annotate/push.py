"""Photos to the server, as tasks keyed by sample id, with a model's prediction to start from.

Everything can be repeated: what is on the server already is left alone, and a push that was
killed at any moment goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.brush_rle import encode_brush
from rass_bench.annotate.client import Client, list_tasks
from rass_bench.annotate.labeling_config import (
    IMAGE_TAG,
    LABELS_TAG,
    SAMPLE_KEY,
    alias,
    config_fingerprint,
    labeling_config,
)
from rass_bench.annotate.photos import PHOTOS, ServedPhoto, photo_url, serve_photo
from rass_bench.annotate.project import (
    Project,
    Task,
    load_project,
    new_project,
    save_project,
    tasks_path,
)
from rass_bench.annotate.server import files_root
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import canonical_json, sha256_bytes
from rass_bench.images import read_image
from rass_bench.labels import LabelSpace, load_label_space
from rass_bench.models.protocols import Segmenter
from rass_bench.models.sizing import segment

BATCH_BYTES = 40_000_000
"""Of one request. The server refuses 250 MiB, and needs several times a request in memory."""

BATCH_ITEMS = 200


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Attributes:
        project_id: the project's number on the server.
        tasks_added: samples that were not on the server.
        tasks_kept: samples that were.
        prelabelled: tasks that were given a prediction.
    """

    project_id: int
    tasks_added: int
    tasks_kept: int
    prelabelled: int


def push(
    client: Client,
    folder: Path,
    samples: Sequence[Sample],
    space: LabelSpace,
    *,
    name: str = "rass-bench",
    annotators: int = 1,
    segmenter: Segmenter | None = None,
    advance: Callable[[], None] = lambda: None,
) -> PushReport:
    """Make sure that each sample is a task, and has the segmenter's prediction.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        samples: the photos.
        space: what is labelled.
        name: begins the project's title on the server.
        annotators: how many annotate each photo, none of them seeing another's work.
        segmenter: predicts what annotators start from; None lets them start from nothing.
        advance: called once for each sample, and once more for each that needs a prediction.

    Raises:
        UserError: a photo is unreadable or was changed since it was pushed, the project on the
            server has another labelling configuration, or the segmenter another label space.
    """
    if segmenter is not None and segmenter.spec.label_space != space.name:
        raise UserError(
            f"the model predicts {segmenter.spec.label_space}, the project labels {space.name}",
            segmenter.spec.key,
            "Choose a model of the project's label space.",
        )
    try:
        project = _open_project(folder, name, space)
        project = _find_or_make(client, folder, project, space, annotators)
        before = len(project.tasks)
        project = _add_tasks(client, folder, project, samples, advance)
        prelabelled = 0
        if segmenter is not None:
            prelabelled = _prelabel(client, folder, project, samples, segmenter, advance=advance)
    except OSError as error:
        raise from_os_error(error, str(folder)) from None
    added = len(project.tasks) - before
    return PushReport(_number(project), added, len(samples) - added, prelabelled)


def prediction_result(labels: NDArray[np.uint8], space: LabelSpace) -> list[dict[str, Any]]:
    """A label map as brush regions, one a class, in order of the class id.

    Args:
        labels: uint8 (H, W), ids 0..K-1; other ids (255 = ignore) become no region.
        space: the label space.

    Returns:
        A Label Studio ``result``. Equal maps give equal region ids.
    """
    height, width = labels.shape
    digest = sha256_bytes(labels.tobytes())
    return [
        {
            "id": f"{digest[:6]}-{class_id:03d}",
            "type": "brushlabels",
            "from_name": LABELS_TAG,
            "to_name": IMAGE_TAG,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": encode_brush(np.where(labels == class_id, 255, 0).astype(np.uint8)),
                "brushlabels": [alias(class_id)],
            },
        }
        for class_id in (int(value) for value in np.unique(labels))
        if class_id < space.size
    ]


def batches(items: Iterator[tuple[str, bytes]]) -> Iterator[tuple[list[str], bytes]]:
    """Join JSON texts into arrays of at most ``BATCH_BYTES`` bytes and ``BATCH_ITEMS`` items.

    Args:
        items: names and JSON texts.

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


def _open_project(folder: Path, name: str, space: LabelSpace) -> Project:
    """The folder's project, or a new one.

    Raises:
        UserError: it labels something else.
    """
    config = labeling_config(space)
    if not tasks_path(folder).is_file():
        return new_project(folder, name, config)
    project = load_project(folder)
    if project.config_sha256 != config_fingerprint(config):
        raise UserError(
            f"the project was made with other labels than those of {space.name}",
            str(folder),
            "Use another folder for another label space.",
        )
    return project


def _find_or_make(
    client: Client, folder: Path, project: Project, space: LabelSpace, annotators: int
) -> Project:
    """Make sure that the server has the project, with its configuration and its photos' folder."""
    if project.project_id is None:
        found = [
            one["id"]
            for one in client.get("/api/projects", title=project.title, page_size=100)["results"]
            if one["title"] == project.title
        ]
        made = found or [_make(client, project, space)]
        project = replace(project, project_id=made[0])
        save_project(folder, project)
    number = _number(project)
    state = client.get(f"/api/projects/{number}")
    if config_fingerprint(state["label_config"]) != project.config_sha256:
        raise UserError(
            "the labelling configuration was changed on the server",
            f"project {number} at {client.url}",
            "Restore it there (labeling_config.xml in the project's folder) and push again.",
        )
    if state["maximum_annotations"] != annotators:
        client.patch(f"/api/projects/{number}", {"maximum_annotations": annotators})
    photos = files_root(folder).resolve() / PHOTOS
    photos.mkdir(parents=True, exist_ok=True)
    storages = client.get("/api/storages/localfiles", project=number)
    if str(photos) not in [one["path"] for one in storages]:
        # Without a storage above them, the server shows no local files.
        body = {"project": number, "path": str(photos), "use_blob_urls": True, "title": PHOTOS}
        client.post("/api/storages/localfiles", body)
    return project


def _make(client: Client, project: Project, space: LabelSpace) -> int:
    body = {"title": project.title, "label_config": labeling_config(space)}
    return int(client.post("/api/projects", body)["id"])


def _number(project: Project) -> int:
    if project.project_id is None:
        raise RuntimeError("the project was not made yet")
    return project.project_id


def _add_tasks(
    client: Client,
    folder: Path,
    project: Project,
    samples: Sequence[Sample],
    advance: Callable[[], None],
) -> Project:
    """Import the samples that the server lacks; note those that an earlier push imported."""
    known = {task.sample: task for task in project.tasks}
    served: dict[str, ServedPhoto] = {}
    for sample in samples:
        photo = serve_photo(sample, files_root(folder))
        if sample.id in known and known[sample.id].source_sha256 != photo.source_sha256:
            raise UserError(
                "the photo was changed since it was pushed",
                f"sample {sample.id}",
                "Annotations belong to the photo they were drawn on; restore it, or give the "
                "changed one another name.",
            )
        if sample.id not in known:
            served[sample.id] = photo
        advance()
    on_server = _numbers_on_server(client, project, served) if served else {}
    missing = [sample for sample in served if sample not in on_server]
    texts = ((sample, canonical_json(_task(sample, served[sample]))) for sample in missing)
    for names, body in batches(texts):
        path = f"/api/projects/{_number(project)}/import"
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


def _task(sample: str, photo: ServedPhoto) -> dict[str, Any]:
    return {"data": {IMAGE_TAG: photo.url, SAMPLE_KEY: sample}}


def _numbers_on_server(
    client: Client, project: Project, served: dict[str, ServedPhoto]
) -> dict[str, int]:
    """Tasks of these samples that are on the server though they were not noted."""
    noted = {task.task_id for task in project.tasks}
    return {
        task["data"][SAMPLE_KEY]: task["id"]
        for task in list_tasks(client, _number(project), ("id", "data"))
        if task["id"] not in noted
        and task["data"].get(SAMPLE_KEY) in served
        and task["data"].get(IMAGE_TAG) == photo_url(served[task["data"][SAMPLE_KEY]].path)
    }


def _prelabel(
    client: Client,
    folder: Path,
    project: Project,
    samples: Sequence[Sample],
    segmenter: Segmenter,
    *,
    advance: Callable[[], None],
) -> int:
    """Give a prediction to the samples' tasks that have none of the model; return how many."""
    key, number = segmenter.spec.key, _number(project)
    tasks = {task.sample: task for task in project.tasks}
    wanted = {one.id: one for one in samples if tasks[one.id].prelabel != key}
    unsure = _with_predictions(client, number) if wanted else set()
    done = {
        name
        for name in wanted
        if tasks[name].task_id in unsure and _has_prediction(client, tasks[name].task_id, key)
    }
    project = _note(folder, project, done, key)
    fresh = [sample for name, sample in wanted.items() if name not in done]
    texts = _predictions(fresh, tasks, segmenter, advance)
    for names, body in batches(texts):
        client.post(f"/api/projects/{number}/import/predictions", body)
        project = _note(folder, project, set(names), key)
    _show_predictions(client, number, key)
    return len(fresh)


def _show_predictions(client: Client, number: int, key: str) -> None:
    """Choose whose predictions annotators start from; the server must have one of them."""
    state = client.get(f"/api/projects/{number}")
    if state["model_version"] != key or not state["show_collab_predictions"]:
        choice = {"model_version": key, "show_collab_predictions": True}
        client.patch(f"/api/projects/{number}", choice)


def _with_predictions(client: Client, number: int) -> set[int]:
    """Tasks with any prediction: of another model, or of a push that was killed before noting."""
    listed = list_tasks(client, number, ("id", "total_predictions"))
    return {task["id"] for task in listed if task["total_predictions"]}


def _has_prediction(client: Client, task_id: int, key: str) -> bool:
    found = client.get("/api/predictions", task=task_id)
    return any(prediction["model_version"] == key for prediction in found)


def _note(folder: Path, project: Project, names: Collection[str], key: str) -> Project:
    tasks = [replace(task, prelabel=key) for task in project.tasks if task.sample in names]
    project = project.with_tasks(tasks)
    save_project(folder, project)
    return project


def _predictions(
    samples: Sequence[Sample],
    tasks: dict[str, Task],
    segmenter: Segmenter,
    advance: Callable[[], None],
) -> Iterator[tuple[str, bytes]]:
    """Segment photo by photo; yield sample ids and predictions as JSON."""
    space = load_label_space(segmenter.spec.label_space or "")
    for sample in samples:
        labels = segment(segmenter, [read_image(sample.image)])[0]
        prediction: dict[str, Any] = {
            "task": tasks[sample.id].task_id,
            "model_version": segmenter.spec.key,
            "result": prediction_result(labels, space),
        }
        advance()
        yield sample.id, canonical_json(prediction)
