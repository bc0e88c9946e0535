"""Annotations from the server: only what changed, every raw answer kept, what is wrong named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rass_bench.annotate.acceptance import Acceptance, acceptance
from rass_bench.annotate.client import Client, ServerError, list_tasks
from rass_bench.annotate.on_server import project_number, project_state
from rass_bench.annotate.project import Task, load_config, load_project
from rass_bench.annotate.raw import (
    PULL_SCHEMA,
    Pulled,
    PullState,
    keep_annotation,
    keep_unassigned,
    load_state,
    retire_annotation,
    save_state,
)
from rass_bench.errors import from_os_error
from rass_bench.files import alone_in

SAVE_EVERY = 50
"""Tasks after which a pull notes how far it came."""

LISTED = ("id", "data", "updated_at", "total_annotations", "cancelled_annotations")
"""What the list of tasks is asked for."""

OVERLAP = timedelta(minutes=1)
"""How far before the newest known change a pull begins to look: a change may be stored a little
later than another that bears a later time."""


@dataclass(frozen=True)
class PullReport:
    """What a pull found.

    Attributes:
        state: what is known now; its annotations carry their problems.
        new: annotations that were not known, as (sample, number).
        changed: annotations that were edited since the last pull.
        deleted: annotations that are no longer on the server; their raw files are in history/.
        deleted_tasks: samples whose task is gone from the server since the last pull.
        strangers: numbers of tasks that this project did not push.
        config_differences: how the server's labelling configuration differs from the project's;
            empty when it does not. What was annotated under another one is kept and refused.
        unreadable: why the server could not hand out a sample's annotations, by sample, or by
            ``task N`` those of a stranger. Every pull asks for them until they come.
    """

    state: PullState
    new: tuple[tuple[str, int], ...]
    changed: tuple[tuple[str, int], ...]
    deleted: tuple[tuple[str, int], ...]
    deleted_tasks: tuple[str, ...]
    strangers: tuple[int, ...]
    config_differences: tuple[str, ...]
    unreadable: dict[str, str]

    @property
    def refused(self) -> tuple[Pulled, ...]:
        """Annotations that cannot be used; each says why."""
        return tuple(one for one in self.state.annotations if one.problem is not None)


def pull(
    client: Client, folder: Path, advance: Callable[[int], None] = lambda _: None
) -> PullReport:
    """Fetch the annotations of every task that changed since the last pull.

    Args:
        client: a connection in the name of the admin.
        folder: the project's folder.
        advance: told how many tasks are left, before each one.

    Raises:
        UserError: nothing was pushed, the project is gone from the server, or the disk is full.
    """
    load_project(folder)  # a folder without a project is told before it is locked
    try:
        with alone_in(folder):
            return _pull(client, folder, advance)
    except OSError as error:
        raise from_os_error(error, str(folder)) from None


def _pull(client: Client, folder: Path, advance: Callable[[int], None]) -> PullReport:
    """The work of :func:`pull`."""
    project = load_project(folder)
    number = project_number(project)
    theirs = str(project_state(client, folder, project)["label_config"])
    accept = acceptance(load_config(folder), theirs)
    before = load_state(folder) or PullState(PULL_SCHEMA, "", "", None)
    own = {task.task_id: task for task in project.tasks}
    listed = _changed_tasks(client, number, before.updated_at)
    gone = _gone(client, number, own, listed, before)
    work = _Work(client, folder, before)
    for sample in gone:
        work.forget(sample)
    work.fetch_news(own, listed, accept, advance)
    strangers = {task_id: task for task_id, task in listed.items() if task_id not in own}
    work.keep_strangers(strangers)
    there = {own[task_id].sample for task_id in listed if task_id in own}
    unread_before = {*before.unreadable} - there - {*gone}
    state = replace(
        work.state,
        server_version=str(client.get("/api/version")["release"]),
        config_sha256=project.config_sha256,
        drafts=_drafts(client, number, own),
        gone=tuple(sorted({*before.gone, *gone} - there)),
        strangers=tuple(sorted({*before.strangers, *strangers})),
        unreadable=tuple(sorted(unread_before | (work.unreadable.keys() & there))),
    )
    if not (accept.config_differences or work.unreadable):
        # Otherwise the next pull looks at the same tasks again: the configuration may be restored,
        # and what the server failed to hand out asked for once more.
        newest = max((_stamp(task) for task in listed.values()), default=before.updated_at)
        state = replace(state, updated_at=newest)
    save_state(folder, state)
    return PullReport(
        state=state,
        new=tuple(work.new),
        changed=tuple(work.changed),
        deleted=tuple(work.deleted),
        deleted_tasks=gone,
        strangers=state.strangers,
        config_differences=accept.config_differences,
        unreadable=work.unreadable,
    )


class _Work:
    """The state while a pull goes through the changed tasks, and what it met."""

    def __init__(self, client: Client, folder: Path, before: PullState) -> None:
        self._client = client
        self._folder = folder
        self._before = before
        self._tasks = dict(before.tasks)
        self._known: dict[str, dict[int, Pulled]] = {}
        for one in before.annotations:
            self._known.setdefault(one.sample, {})[one.annotation_id] = one
        self.new: list[tuple[str, int]] = []
        self.changed: list[tuple[str, int]] = []
        self.deleted: list[tuple[str, int]] = []
        self.unreadable: dict[str, str] = {}

    @property
    def state(self) -> PullState:
        """What is known so far, sorted by sample and number."""
        annotations = tuple(
            self._known[sample][number]
            for sample in sorted(self._known)
            for number in sorted(self._known[sample])
        )
        return replace(self._before, annotations=annotations, tasks=dict(self._tasks))

    def fetch_news(
        self,
        own: dict[int, Task],
        listed: dict[int, dict[str, Any]],
        accept: Acceptance,
        advance: Callable[[int], None],
    ) -> None:
        """Fetch every listed task of the project's that changed, and note now and then."""
        news = [one for one in listed if one in own and self.is_news(own[one], listed[one])]
        for done, task_id in enumerate(news):
            advance(len(news) - done)
            try:
                self.fetch(own[task_id], listed[task_id], accept)
            except ServerError as error:
                # One annotation that the server cannot hand out must not hide all others.
                self.unreadable[own[task_id].sample] = f"{error.what}. {error.do}"
            if done % SAVE_EVERY == SAVE_EVERY - 1:
                save_state(self._folder, self.state)

    def keep_strangers(self, listed: dict[int, dict[str, Any]]) -> None:
        """Keep the annotations of tasks that somebody else made."""
        for task_id, task in listed.items():
            try:
                annotations = _annotations(self._client, task)
            except ServerError as error:
                self.unreadable[f"task {task_id}"] = f"{error.what}. {error.do}"
                continue
            for annotation in annotations:
                keep_unassigned(self._folder, task_id, annotation)

    def is_news(self, task: Task, listed: dict[str, Any]) -> bool:
        """Whether a task changed since it was last pulled."""
        return self._before.tasks.get(task.sample) != _stamp(listed)

    def fetch(self, task: Task, listed: dict[str, Any], accept: Acceptance) -> None:
        """Fetch the annotations of one task, keep them, and note what became of each."""
        found = {}
        for annotation in _annotations(self._client, listed):
            digest = keep_annotation(self._folder, task.sample, annotation)
            problem = accept.problem(annotation, task, listed["data"])
            found[int(annotation["id"])] = _pulled(task.sample, annotation, digest, problem)
        known = self._known.get(task.sample, {})
        self._note_gone(task.sample, known.keys() - found.keys())
        for number, pulled in found.items():
            if number not in known:
                self.new.append((task.sample, number))
            elif known[number].sha256 != pulled.sha256:
                self.changed.append((task.sample, number))
        self._known[task.sample] = found
        self._tasks.pop(task.sample, None)
        if not accept.config_differences:
            self._tasks[task.sample] = _stamp(listed)

    def forget(self, sample: str) -> None:
        """Note that a sample's task is gone with its annotations."""
        self._note_gone(sample, self._known.pop(sample, {}).keys())
        self._tasks.pop(sample, None)

    def _note_gone(self, sample: str, numbers: Iterable[int]) -> None:
        for number in sorted(numbers):
            retire_annotation(self._folder, sample, number)
            self.deleted.append((sample, number))


def _changed_tasks(client: Client, number: int, since: str | None) -> dict[int, dict[str, Any]]:
    """Tasks that were changed since a time, by number; all of them without one."""
    parameters = {}
    if since is not None:
        moment = datetime.fromisoformat(since) - OVERLAP
        value = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        parameters["query"] = _filter("updated_at", "greater", "Datetime", value)
    return {int(task["id"]): task for task in list_tasks(client, number, LISTED, **parameters)}


def _gone(
    client: Client,
    number: int,
    own: dict[int, Task],
    listed: dict[int, dict[str, Any]],
    before: PullState,
) -> tuple[str, ...]:
    """Samples whose task was deleted since the last pull.

    Only where the server has fewer tasks than are known are all of them listed, which costs it
    far more than to count them.
    """
    expected = {one for one, task in own.items() if task.sample not in before.gone}
    known = expected | set(before.strangers) | listed.keys()
    counted = client.get("/api/tasks", project=number, include="id", page_size=1)["total"]
    if counted == len(known):
        return ()
    there = {int(task["id"]) for task in list_tasks(client, number, ("id",))}
    return tuple(own[one].sample for one in sorted(expected - there))


def _filter(column: str, operator: str, kind: str, value: object) -> str:
    """A filter of the data manager."""
    item = {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }
    return json.dumps({"filters": {"conjunction": "and", "items": [item]}})


def _annotations(client: Client, listed: dict[str, Any]) -> list[dict[str, Any]]:
    """The annotations of a task, skips among them; none is not worth a request."""
    found: list[dict[str, Any]] = []
    if listed["total_annotations"]:
        found += client.get(f"/api/tasks/{listed['id']}/annotations/")
    if listed["cancelled_annotations"]:
        # The list above leaves skips out, and the task shows annotations in another form.
        shown = client.get(f"/api/tasks/{listed['id']}")["annotations"]
        skipped = [one["id"] for one in shown if one["was_cancelled"]]
        found += [client.get(f"/api/annotations/{number}/") for number in skipped]
    return found


def _pulled(sample: str, annotation: dict[str, Any], digest: str, problem: str | None) -> Pulled:
    who, seconds = annotation.get("completed_by"), annotation.get("lead_time")
    return Pulled(
        sample=sample,
        annotation_id=int(annotation["id"]),
        sha256=digest,
        annotator=who if isinstance(who, int) else None,
        updated_at=str(annotation["updated_at"]),
        lead_time=float(seconds) if isinstance(seconds, int | float) else None,
        is_skipped=bool(annotation.get("was_cancelled")),
        problem=problem,
    )


def _drafts(client: Client, number: int, own: dict[int, Task]) -> tuple[str, ...]:
    # Drafts leave a task's time of change alone.
    query = _filter("draft_exists", "equal", "Boolean", True)
    listed = list_tasks(client, number, ("id",), query=query)
    return tuple(sorted(own[one["id"]].sample for one in listed if one["id"] in own))


def _stamp(listed: dict[str, Any]) -> str:
    return str(listed["updated_at"])
