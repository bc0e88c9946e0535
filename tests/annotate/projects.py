"""Projects on disk as a pull leaves them, for tests that need no server."""

import dataclasses

import numpy as np

from rass_bench.annotate.acceptance import acceptance
from rass_bench.annotate.guidelines import GUIDELINES_FILE
from rass_bench.annotate.handed_in import ADJUDICATION
from rass_bench.annotate.initialise import initialise
from rass_bench.annotate.labeling_config import config_fingerprint
from rass_bench.annotate.photos import photo_url, serve_photo
from rass_bench.annotate.policy import load_policy
from rass_bench.annotate.project import (
    TASKS_SCHEMA,
    Project,
    Task,
    load_config,
    load_project,
    save_project,
)
from rass_bench.annotate.raw import PULL_SCHEMA, Pulled, PullState, keep_annotation, save_state
from rass_bench.annotate.server import files_root
from tests.annotate.builders import region

SERVER_VERSION = "1.23.2"
CONFIG_SHA256 = "c" * 64


def begin(folder, samples, dataset="reallq", prelabel=None):
    """A project whose photos were pushed; tasks are numbered from 1 in the samples' order."""
    folder.mkdir(parents=True, exist_ok=True)
    # What is there is kept: drawing the guidelines' pictures takes seconds.
    (folder / GUIDELINES_FILE).touch()
    initialise(folder, dataset)
    drawn_under = config_fingerprint(load_config(folder))
    tasks = []
    for number, sample in enumerate(samples, start=1):
        served = serve_photo(sample, files_root(folder))
        tasks.append(
            Task(
                sample.id,
                number,
                served.path,
                served.source_sha256,
                served.width,
                served.height,
                prelabel,
            )
        )
    save_project(folder, Project(TASKS_SCHEMA, "test 00000000", drawn_under, 1, tuple(tasks)))
    return folder


def annotation(number, annotator, result, **changes):
    """An annotation as the server gives it."""
    made = {
        "id": number,
        "completed_by": annotator,
        "result": result,
        "lead_time": 60.0,
        "updated_at": f"2026-01-01T00:00:{number:02d}Z",
        "was_cancelled": False,
    }
    return made | changes


def drawn(labels, ignored=None, **changes):
    """A label map, uint8 (H, W), as regions by hand, one a class; and a region of ignore."""
    regions = [
        region(str(class_id), labels == class_id, origin="manual", **changes)
        for class_id in np.unique(labels[labels != 255]).tolist()
    ]
    if ignored is not None:
        regions.append(region("ignore", ignored, origin="manual", **changes))
    return regions


def hand_in(folder, annotations, config_of=None, **state):
    """Keep the annotations of each sample and note them, all as a pull would.

    ``config_of`` is the project whose labelling configuration counts; None takes the folder's own.
    """
    tasks = {task.sample: task for task in load_project(folder).tasks}
    config = load_config(config_of or folder)
    accept = acceptance(config, config)
    noted = tuple(
        keep(folder, tasks[sample], one, accept)
        for sample in sorted(annotations)
        for one in annotations[sample]
    )
    state = {"annotations": noted, **state}
    save_state(folder, PullState(PULL_SCHEMA, SERVER_VERSION, CONFIG_SHA256, None, **state))


def keep(folder, task, one, accept):
    """Keep one annotation, and what a pull notes of it."""
    return Pulled(
        sample=task.sample,
        annotation_id=one["id"],
        sha256=keep_annotation(folder, task.sample, one),
        annotator=one["completed_by"],
        updated_at=one["updated_at"],
        lead_time=one["lead_time"],
        is_skipped=one["was_cancelled"],
        problem=accept.problem(one, task, {"image": photo_url(task.photo), "sample": task.sample}),
    )


def adjudicate(folder, annotations, **state):
    """Put the samples before an adjudicator, who hands in these annotations."""
    home = folder / ADJUDICATION
    tasks = [task for task in load_project(folder).tasks if task.sample in annotations]
    project = Project(TASKS_SCHEMA, "test adjudication 00000000", CONFIG_SHA256, 2, tuple(tasks))
    save_project(home, project)
    hand_in(home, annotations, config_of=folder, **state)


def policy(**changes):
    """The shipped policy, changed; its limits for outlines are for larger photos."""
    return dataclasses.replace(load_policy(), **{"max_roughness": None, **changes})
