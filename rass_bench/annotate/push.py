"""Photos to the server, as tasks keyed by sample id, with a model's prediction to start from.

Everything can be repeated: what is on the server already is left alone, and a push that was
killed at any moment goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.brush_rle import encode_brush
from rass_bench.annotate.client import Client
from rass_bench.annotate.labeling_config import IGNORE_ALIAS, IMAGE_TAG, LABELS_TAG, alias
from rass_bench.annotate.on_server import (
    ensure_predictions,
    ensure_project,
    ensure_tasks,
    open_project,
    project_number,
)
from rass_bench.annotate.photos import ServedPhoto, serve_photo
from rass_bench.annotate.project import Project
from rass_bench.annotate.raw import load_state
from rass_bench.annotate.server import files_root
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import alone_in, sha256_bytes
from rass_bench.images import read_image
from rass_bench.labels import LabelSpace
from rass_bench.models.protocols import Segmenter
from rass_bench.models.sizing import segment


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
    annotators: int | None = None,
    segmenter: Segmenter | None = None,
    advance: Callable[[], None] = lambda: None,
) -> PushReport:
    """Make sure that each sample is a task, and has the segmenter's prediction.

    Predictions in a project are of one model, for photos that come later, too: the server shows
    annotators those of one model alone, and a mask's provenance names one that it began with.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        samples: the photos.
        space: what is labelled.
        name: begins the project's title on the server.
        annotators: how many annotate each photo, none of them seeing another's work; None leaves
            it as it is, and is one in a new project.
        segmenter: predicts what annotators start from; None lets them start from nothing.
        advance: called once for each sample, and once more for each that needs a prediction.

    Raises:
        UserError: a photo is unreadable or was changed since it was pushed, the project on the
            server has another labelling configuration, the segmenter another label space, or the
            tasks predictions of another model.
    """
    if segmenter is not None and segmenter.spec.label_space != space.name:
        raise UserError(
            f"the model predicts {segmenter.spec.label_space}, the project labels {space.name}",
            segmenter.spec.key,
            "Choose a model of the project's label space.",
        )
    try:
        with alone_in(folder):
            project = open_project(folder, name, space)
            if segmenter is not None:
                _check_same_model(folder, project, segmenter.spec.key)
            project = ensure_project(client, folder, project, files_root(folder), annotators)
            served = _serve(folder, project, samples, advance)
            project = ensure_tasks(client, folder, project, served)
            prelabelled = 0
            if segmenter is not None:
                prelabelled = _prelabel(
                    client,
                    folder,
                    project,
                    samples,
                    segmenter=segmenter,
                    space=space,
                    advance=advance,
                )
    except OSError as error:
        raise from_os_error(error, str(folder)) from None
    added = len(served)
    return PushReport(project_number(project), added, len(samples) - added, prelabelled)


def prediction_result(
    labels: NDArray[np.uint8], space: LabelSpace, ignored: NDArray[np.bool_] | None = None
) -> list[dict[str, Any]]:
    """A label map as brush regions, one a class in order of the class id, then one of ignore.

    Args:
        labels: uint8 (H, W), ids 0..K-1; other ids (255 = ignore) become no region.
        space: the label space.
        ignored: bool (H, W), what an ignore region shall cover; None makes none.

    Returns:
        A Label Studio ``result``. Equal maps give equal region ids.
    """
    digest = sha256_bytes(labels.tobytes())[:6]
    present = [value for value in np.unique(labels).tolist() if value < space.size]
    result = [_region(f"{digest}-{k:03d}", alias(k), labels == k) for k in present]
    if ignored is not None and ignored.any():
        result.append(_region(f"{digest}-{IGNORE_ALIAS}", IGNORE_ALIAS, ignored))
    return result


def _region(region_id: str, label: str, mask: NDArray[np.bool_]) -> dict[str, Any]:
    height, width = mask.shape
    return {
        "id": region_id,
        "type": "brushlabels",
        "from_name": LABELS_TAG,
        "to_name": IMAGE_TAG,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": encode_brush(np.where(mask, 255, 0).astype(np.uint8)),
            "brushlabels": [label],
        },
    }


def _check_same_model(folder: Path, project: Project, key: str) -> None:
    """Refuse a second model's predictions.

    Raises:
        UserError: a task of the project was given another model's.
    """
    others = {task.prelabel for task in project.tasks if task.prelabel} - {key}
    if others:
        raise UserError(
            f"annotators of this project start from predictions of {', '.join(sorted(others))}, "
            f"not of {key}",
            str(folder),
            "Push with that model, or without --prelabel; for another model, make a project of "
            "its own: rass-bench annotate init --dir NEW, then serve and push with the same --dir.",
        )


def _serve(
    folder: Path, project: Project, samples: Sequence[Sample], advance: Callable[[], None]
) -> dict[str, ServedPhoto]:
    """Put the photos where the server shows them; those that the server has no task of, by sample.

    Raises:
        UserError: a photo was changed since it was pushed.
    """
    state = load_state(folder)
    gone = set(state.gone if state else ())
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
        if sample.id not in known or sample.id in gone:
            served[sample.id] = photo
        advance()
    return served


def _prelabel(
    client: Client,
    folder: Path,
    project: Project,
    samples: Sequence[Sample],
    *,
    segmenter: Segmenter,
    space: LabelSpace,
    advance: Callable[[], None],
) -> int:
    """Give the model's prediction to the tasks that have none of it; return how many."""
    photos = {sample.id: sample.image for sample in samples}
    key = segmenter.spec.key

    def draw(sample: str, _: str) -> list[dict[str, Any]]:
        labels = segment(segmenter, [read_image(photos[sample])])[0]
        advance()
        return prediction_result(labels, space)

    wanted = {sample.id: (key,) for sample in samples}
    count = ensure_predictions(client, folder, project, wanted, draw)
    _show_predictions(client, project_number(project), key)
    return count


def _show_predictions(client: Client, number: int, key: str) -> None:
    """Choose whose predictions annotators start from; the server must have one of them."""
    state = client.get(f"/api/projects/{number}")
    if state["model_version"] != key or not state["show_collab_predictions"]:
        choice = {"model_version": key, "show_collab_predictions": True}
        client.patch(f"/api/projects/{number}", choice)
