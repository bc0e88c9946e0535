"""What a user meets when the server lacks the project, refuses it, or says too much at once."""

import numpy as np
import pytest

from rass_bench.annotate import client as client_module
from rass_bench.annotate.adjudicate import adjudicate
from rass_bench.annotate.assess import assess
from rass_bench.annotate.project import load_config
from rass_bench.annotate.pull import pull
from rass_bench.annotate.push import push
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from tests.annotate import projects
from tests.annotate.answering import FAILED, TASKS, answering, project_answers
from tests.annotate.builders import HEIGHT, WIDTH, photos
from tests.annotate.projects import annotation, begin, drawn, hand_in

ADE = load_label_space("ade20k-150")
REFUSED = {
    "id": "5d054b9a",
    "status_code": 400,
    "detail": "Validation error",
    "validation_errors": {"label_config": ["Label config contains non-unique names"]},
}
"""As Label Studio 1.23 words it."""

WHOLE = drawn(np.full((HEIGHT, WIDTH), 3, dtype=np.uint8))


@pytest.fixture
def samples(tmp_path):
    return photos(tmp_path / "photos", 3)


@pytest.fixture
def folder(tmp_path, samples):
    """A project that was pulled: of the first photo there are two opinions, which differ."""
    made = begin(tmp_path / "project", samples)
    whole = np.full((HEIGHT, WIDTH), 3, dtype=np.uint8)
    other = np.where(np.arange(WIDTH) < WIDTH // 2, whole, np.uint8(7))
    opinions = [annotation(1, 1, drawn(whole)), annotation(2, 2, drawn(other))]
    hand_in(made, {samples[0].id: opinions})
    return made


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command",
    [
        lambda client, folder, samples: push(client, folder, samples, ADE),
        lambda client, folder, _: pull(client, folder),
    ],
    ids=["push", "pull"],
)
def test_a_project_that_was_deleted_is_told_and_nothing_here_is_touched(folder, samples, command):
    before = content(folder)
    with (
        answering({}) as client,
        pytest.raises(UserError, match="'test 00000000' is gone from the server") as caught,
    ):
        command(client, folder, samples)
    assert caught.value.where == f"project 1 at {client.url}"
    assert f"What was pulled is kept in {folder}" in caught.value.do
    assert f"restore {folder / 'server'} from a backup" in caught.value.do
    assert "rass-bench annotate init --dir NEW" in caught.value.do
    assert content(folder) == before


def test_after_the_projects_end_its_work_is_still_judged(folder, samples):
    before = assess(folder, projects.policy())
    with answering({}) as client, pytest.raises(UserError, match="gone"):
        pull(client, folder)
    after = assess(folder, projects.policy())
    assert (after.photos, after.verdicts) == (before.photos, before.verdicts)
    assert [len(photo.works) for photo in after.photos] == [2, 0, 0]


def test_disputes_that_were_deleted_are_told_with_the_command_that_makes_them_anew(folder, samples):
    projects.adjudicate(folder, {samples[0].id: []})
    home = folder / "adjudication"
    assessment = assess(folder, projects.policy())
    with answering({}) as client:
        for command in (lambda: adjudicate(client, folder, assessment), lambda: pull(client, home)):
            with pytest.raises(UserError, match="gone") as caught:
                command()
            assert "'test adjudication 00000000'" in caught.value.what
            assert f"move {home} elsewhere" in caught.value.do
            assert "rass-bench annotate adjudicate" in caught.value.do
    home.rename(folder.parent / "elsewhere")
    with (
        answering({"GET /api/projects": (200, {"results": []})}) as client,
        pytest.raises(UserError, match="POST /api/projects"),
    ):
        adjudicate(client, folder, assessment)


def test_another_refusal_to_show_the_project_keeps_its_reason(folder):
    answers = {"GET /api/projects/1": (500, {"detail": "database is locked"})}
    with answering(answers) as client, pytest.raises(UserError, match="500: database is locked"):
        pull(client, folder)


def test_a_new_project_whose_configuration_is_refused_is_told_by_the_reason(tmp_path, samples):
    answers = {
        "GET /api/projects": (200, {"results": []}),
        "POST /api/projects": (400, REFUSED),
    }
    with answering(answers) as client, pytest.raises(UserError) as caught:
        push(client, tmp_path / "project", samples, ADE)
    assert caught.value.what == (
        "the server refuses the labelling configuration: "
        "label_config: Label config contains non-unique names"
    )
    assert caught.value.where == str(tmp_path / "project" / "labeling_config.xml")
    assert f"annotate init --dataset {tmp_path / 'project'} --dir " in caught.value.do
    answers["POST /api/projects"] = (400, {"validation_errors": {"title": ["Too long."]}})
    with answering(answers) as client, pytest.raises(UserError, match="with 400: title: Too long"):
        push(client, tmp_path / "project", samples, ADE)


def test_only_a_refused_configuration_is_put_down_to_its_file(folder, samples):
    state = {"label_config": load_config(folder), "maximum_annotations": 1}
    reason = {"validation_errors": {"maximum_annotations": ["Ensure it is less."]}}
    answers = {"GET /api/projects/1": (200, state), "PATCH /api/projects/1": (400, reason)}
    with answering(answers) as client, pytest.raises(UserError) as caught:
        push(client, folder, samples, ADE, annotators=10**12)
    assert caught.value.what.endswith("with 400: maximum_annotations: Ensure it is less.")
    edited = load_config(folder).replace("Find a class", "Look for a class")
    (folder / "labeling_config.xml").write_text(edited)
    answers["PATCH /api/projects/1"] = (400, REFUSED)
    with answering(answers) as client, pytest.raises(UserError, match="refuses the labelling"):
        push(client, folder, samples, ADE)


def test_one_answer_that_is_too_long_hides_no_other_photo(folder, samples, monkeypatch):
    """The list of a task's annotations is one answer; the limit is lowered instead of reached."""
    monkeypatch.setattr(client_module, "MAX_ANSWER", 40_000)
    known = content(folder / "annotations")
    answers = project_answers(folder, [1, 2, 3])
    answers |= {
        "GET /api/tasks/1/annotations/": (200, [annotation(1, 1, [" " * 50_000])]),
        "GET /api/tasks/2/annotations/": (200, [annotation(5, 1, WHOLE)]),
        "GET /api/tasks/3/annotations/": (200, [annotation(6, 1, WHOLE)]),
    }
    with answering(answers) as client:
        report = pull(client, folder)
    assert report.new == ((samples[1].id, 5), (samples[2].id, 6))
    assert report.state.unreadable == (samples[0].id,)
    assert "more than 40,000 bytes" in report.unreadable[samples[0].id]
    assert "can be deleted" in report.unreadable[samples[0].id]
    assert (report.deleted, report.changed) == ((), ())
    assert content(folder / "annotations").items() >= known.items()


@pytest.mark.parametrize("number", [1, 9], ids=["own", "stranger"])
def test_a_task_that_was_not_handed_out_once_is_asked_for_until_it_comes(folder, samples, number):
    """It changed days before the others, which came: a time is not enough to go by."""
    answers = project_answers(folder, sorted({1, 2, 3, number}, key=lambda one: one != number))
    for one in (1, 2, 3, 9):
        answers[f"GET /api/tasks/{one}/annotations/"] = (200, [annotation(10 + one, 1, WHOLE)])
    asked = f"GET /api/tasks/{number}/annotations/"
    name = samples[0].id if number == 1 else "task 9"
    with answering(answers | {asked: FAILED}) as client:
        for _ in range(2):
            report = pull(client, folder)
            assert report.unreadable.keys() == {name}
            assert "500: database is locked" in report.unreadable[name]
            assert {samples[1].id, samples[2].id} <= {one.sample for one in report.state.usable}
    with answering(answers) as client:
        report = pull(client, folder)
    assert report.unreadable == {}
    assert report.state.unreadable == ()
    assert report.state.updated_at == max(
        one["updated_at"] for one in answers[TASKS][1]({})["tasks"]
    )
    kept = folder / ("unassigned" if number == 9 else f"annotations/{samples[0].id}")
    assert f"{10 + number}.json" in {path.name for path in kept.rglob("*.json")}


def test_a_task_that_was_deleted_is_no_longer_waited_for(folder, samples):
    answers = project_answers(folder, [1, 2, 3])
    for one in (2, 3):
        answers[f"GET /api/tasks/{one}/annotations/"] = (200, [annotation(10 + one, 1, WHOLE)])
    with answering(answers | {"GET /api/tasks/1/annotations/": FAILED}) as client:
        assert pull(client, folder).state.unreadable == (samples[0].id,)
    with answering(answers | project_answers(folder, [2, 3])) as client:
        report = pull(client, folder)
    assert report.deleted_tasks == (samples[0].id,)
    assert report.state.unreadable == ()
