"""Push and pull against the real server: repeatable, incremental, and nothing is lost."""

import json
import re
import shutil
from dataclasses import replace

import httpx
import numpy as np
import pytest

from rass_bench.annotate.adjudicate import adjudicate
from rass_bench.annotate.annotators import add_annotator
from rass_bench.annotate.assess import assess
from rass_bench.annotate.client import Client, ServerError, list_tasks
from rass_bench.annotate.compose import compose
from rass_bench.annotate.credentials import load_credentials
from rass_bench.annotate.labeling_config import labeling_config
from rass_bench.annotate.policy import load_policy
from rass_bench.annotate.project import load_project, save_project
from rass_bench.annotate.pull import pull
from rass_bench.annotate.push import push
from rass_bench.annotate.raw import read_annotation
from rass_bench.annotate.regions import read_regions
from rass_bench.annotate.server import connect, running_server
from rass_bench.data.spec import definition_file
from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.labels import load_label_space
from tests.annotate.builders import HEIGHT, WIDTH, Stripes, photos, region

pytestmark = pytest.mark.server

ADE = load_label_space("ade20k-150")
OWN = (
    "tasks.json",
    "pull.json",
    "annotations",
    "history",
    "unassigned",
    "labeling_config.xml",
    "adjudication",
)


@pytest.fixture
def folder(served):
    """The served folder without what an earlier test noted in it: a project of its own."""
    for name in OWN:
        path = served / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return served


@pytest.fixture
def samples(tmp_path):
    return photos(tmp_path, 8)


def listed(client, folder):
    fields = ("id", "data", "updated_at", "total_predictions", "total_annotations")
    return list_tasks(client, load_project(folder).project_id, fields)


def numbers(folder):
    return {task.sample: task.task_id for task in load_project(folder).tasks}


def annotate(client, task_id, *regions, **fields):
    body = {"result": list(regions), "lead_time": 4.5, **fields}
    return client.post(f"/api/tasks/{task_id}/annotations/", body)["id"]


def test_pushing_twice_changes_nothing(client, folder, samples):
    first = push(client, folder, samples, ADE, annotators=2)
    assert (first.tasks_added, first.tasks_kept, first.prelabelled) == (8, 0, 0)
    tasks, noted = listed(client, folder), (folder / "tasks.json").read_bytes()
    assert [task["data"]["sample"] for task in tasks] == [sample.id for sample in samples]
    second = push(client, folder, samples, ADE, annotators=2)
    assert (second.tasks_added, second.tasks_kept) == (0, 8)
    assert listed(client, folder) == tasks
    assert (folder / "tasks.json").read_bytes() == noted
    project = client.get(f"/api/projects/{first.project_id}")
    assert project["maximum_annotations"] == 2


def test_the_server_shows_the_photos_to_those_who_logged_in(client, folder, samples):
    push(client, folder, samples[:2], ADE)
    token = load_credentials(folder).admin.token
    for sample, task in zip(samples[:2], listed(client, folder), strict=True):
        url = client.url + task["data"]["image"]
        shown = httpx.get(url, headers={"Authorization": f"Token {token}"}, timeout=60)
        assert shown.content == sample.image.read_bytes()
        assert httpx.get(url, timeout=60).status_code == 401


def test_a_push_that_was_killed_goes_on_without_making_tasks_twice(client, folder, samples):
    push(client, folder, samples[:3], ADE)
    early = load_project(folder)
    push(client, folder, samples, ADE)
    whole = load_project(folder)
    for forgotten in (early, replace(early, tasks=()), replace(early, tasks=(), project_id=None)):
        save_project(folder, forgotten)
        push(client, folder, samples, ADE)
        assert load_project(folder) == whole
    assert len(listed(client, folder)) == 8


def test_a_changed_photo_is_refused_by_name(client, folder, samples):
    push(client, folder, samples[:2], ADE)
    samples[1].image.write_bytes(samples[5].image.read_bytes())
    with pytest.raises(UserError, match=r"changed since it was pushed.*sample set/photo 1"):
        push(client, folder, samples[:2], ADE)


def test_predictions_are_the_models_maps_and_are_given_once(client, folder, samples):
    model = Stripes()
    assert push(client, folder, samples, ADE, segmenter=model).prelabelled == 8
    assert push(client, folder, samples, ADE, segmenter=model).prelabelled == 0
    project = load_project(folder)
    # As if a push had been killed before it noted what it sent.
    save_project(folder, replace(project, tasks=tuple(replace(t, prelabel=None) for t in project.tasks)))  # fmt: skip  # noqa: E501
    assert push(client, folder, samples, ADE, segmenter=model).prelabelled == 0
    assert load_project(folder) == project
    for sample in samples:
        (found,) = client.get("/api/predictions", task=numbers(folder)[sample.id])
        assert found["model_version"] == "stripes@1"
        regions = read_regions(found["result"], HEIGHT, WIDTH, "test")
        expected = model.labels(read_image(sample.image))
        assert np.array_equal(compose(regions, HEIGHT, WIDTH, ADE, "test").labels, expected)
    with pytest.raises(UserError, match="start from predictions of stripes@1, not of stripes@2"):
        push(client, folder, samples, ADE, segmenter=Stripes(revision="2"))
    assert [task["total_predictions"] for task in listed(client, folder)] == [1] * 8
    state = client.get(f"/api/projects/{project.project_id}")
    assert (state["model_version"], state["show_collab_predictions"]) == ("stripes@1", True)


def test_a_pull_sees_what_became_of_each_task_and_only_that(client, folder, samples):
    push(client, folder, samples, ADE)
    task = numbers(folder)
    one, two, three, four, five = (sample.id for sample in samples[:5])
    first = annotate(client, task[one], region("13"), region("2"))
    second = annotate(client, task[two], region("13"))
    skipped = annotate(client, task[three], was_cancelled=True)
    fourth = annotate(client, task[four], region("ignore"))
    client.post(f"/api/tasks/{task[five]}/drafts", {"result": [region("13")]})

    report = pull(client, folder)
    assert report.new == ((one, first), (two, second), (three, skipped), (four, fourth))
    assert not (report.changed or report.deleted or report.refused or report.strangers)
    assert report.state.drafts == (five,)
    assert report.strangers == ()
    assert [entry.sample for entry in report.state.usable] == [one, two, four]
    assert [entry.is_skipped for entry in report.state.annotations] == [False, False, True, False]
    raw = read_annotation(folder, report.state.annotations[0])
    assert raw["result"] == [region("13"), region("2")]
    assert report.state.annotations[0].lead_time == 4.5

    again = pull(client, folder)
    assert not (again.new or again.changed or again.deleted)
    assert again.state == report.state

    client.patch(f"/api/annotations/{first}/", {"result": [region("2")]})
    client.delete(f"/api/annotations/{second}/")
    client.delete(f"/api/tasks/{task[four]}/")
    report = pull(client, folder)
    assert report.new == ()
    assert report.changed == ((one, first),)
    assert sorted(report.deleted) == [(two, second), (four, fourth)]
    assert report.deleted_tasks == (four,)
    assert [entry.sample for entry in report.state.annotations] == [one, three]
    kept = sorted(path.parent.name for path in (folder / "history").rglob("*.json"))
    assert kept == sorted(sample.rpartition("/")[2] for sample in (one, two, four))


def test_a_pull_that_was_killed_is_repeated_without_loss(client, folder, samples):
    push(client, folder, samples[:2], ADE)
    number = annotate(client, numbers(folder)[samples[0].id], region("13"))
    whole = pull(client, folder).state
    (folder / "pull.json").unlink()
    report = pull(client, folder)
    assert report.new == ((samples[0].id, number),)
    assert report.state == whole
    assert not (folder / "history").exists()


def test_bad_annotations_are_kept_and_refused_by_name(client, folder, samples):
    push(client, folder, samples, ADE)
    damaged = region("5") | {"value": {"format": "rle", "rle": [1, 2, 3], "brushlabels": ["5"]}}
    cases = {
        samples[0].id: (region("150"), "unknown label '150'"),
        samples[1].id: (damaged, "set/photo 1"),
        samples[2].id: (region("5", original_width=WIDTH * 2), "set/photo 2"),
        samples[3].id: (region("5", from_name="other"), "unknown control 'other'"),
        samples[4].id: (region("<img src=x onerror=alert(1)>"), "unknown label '<img"),
        samples[5].id: (region("5"), None),
    }
    task = numbers(folder)
    for sample, (drawn, _) in cases.items():
        annotate(client, task[sample], drawn)
    report = pull(client, folder)
    problems = {entry.sample: entry.problem for entry in report.state.annotations}
    assert problems.keys() == cases.keys()
    for entry in report.state.annotations:
        drawn, words = cases[entry.sample]
        assert (entry.problem is None) if words is None else (words in entry.problem)
        assert read_annotation(folder, entry)["result"] == [drawn]
    assert [entry.sample for entry in report.state.usable] == [samples[5].id]


def test_what_was_annotated_under_another_configuration_waits_until_it_is_restored(
    client, folder, samples
):
    number = push(client, folder, samples[:2], ADE).project_id
    annotate(client, numbers(folder)[samples[0].id], region("13"))
    config = labeling_config(ADE)
    edited = config.replace('value="sky"', 'value="heaven"')
    client.patch(f"/api/projects/{number}", {"label_config": edited})
    report = pull(client, folder)
    assert report.config_differences == ("label '2' is 'heaven' instead of 'sky'",)
    assert "heaven" in report.refused[0].problem
    assert read_annotation(folder, report.refused[0])["result"] == [region("13")]
    with pytest.raises(UserError, match="changed on the server"):
        push(client, folder, samples[:2], ADE)
    client.patch(f"/api/projects/{number}", {"label_config": config})
    report = pull(client, folder)
    assert (report.config_differences, report.refused) == ((), ())
    assert len(report.state.usable) == 1


def test_tasks_that_others_made_or_changed_are_told_apart(client, folder, samples):
    number = push(client, folder, samples[:2], ADE).project_id
    foreign = {"data": {"image": "/data/local-files/?d=photos/x.png", "sample": "../../evil"}}
    made = client.post(f"/api/projects/{number}/import", [foreign], return_task_ids="true")
    (stranger,) = made["task_ids"]
    annotation = annotate(client, stranger, region("13"))
    task = numbers(folder)[samples[0].id]
    client.patch(f"/api/tasks/{task}/", {"data": foreign["data"]})
    annotate(client, task, region("13"))
    report = pull(client, folder)
    assert report.strangers == (stranger,)
    kept = json.loads((folder / f"unassigned/{stranger}/{annotation}.json").read_text())
    assert kept["result"] == [region("13")]
    assert [entry.sample for entry in report.refused] == [samples[0].id]
    assert "shows another photo" in report.refused[0].problem


def test_a_project_that_is_gone_is_told(client, folder, samples):
    number = push(client, folder, samples[:1], ADE).project_id
    title = load_project(folder).title
    client.delete(f"/api/projects/{number}")
    for command in (lambda: pull(client, folder), lambda: push(client, folder, samples[:1], ADE)):
        with pytest.raises(UserError, match=f"'{title}' is gone from the server .project {number}"):
            command()


def test_a_configuration_that_the_server_refuses_is_named_with_the_reason(client, folder, samples):
    push(client, folder, samples[:1], ADE)
    path = folder / "labeling_config.xml"
    path.write_text(path.read_text().replace('name="filter" toName="classes"', 'name="filter" toName="nothing"'))  # fmt: skip  # noqa: E501
    with pytest.raises(UserError, match="refuses the labelling configuration") as caught:
        push(client, folder, samples[:1], ADE)
    assert 'label_config: toName="nothing" not found in names' in caught.value.what
    assert caught.value.where == str(path)


def test_annotators_log_in_and_are_told_apart(client, folder, samples):
    push(client, folder, samples[:1], ADE, annotators=2)
    people = [add_annotator(client, folder, f"{name}@example.org") for name in ("ann", "bob")]
    assert add_annotator(client, folder, "ANN@example.org") == people[0]
    assert load_credentials(folder).annotators[-2:] == tuple(people)
    task = numbers(folder)[samples[0].id]
    for person in people:
        with Client(client.url, person.token) as own:
            assert own.get("/api/current-user/whoami")["email"] == person.email
            annotate(own, task, region("13"))
    who = [entry.annotator for entry in pull(client, folder).state.annotations]
    assert len(set(who)) == 2
    assert None not in who
    with httpx.Client(base_url=client.url, timeout=120) as session:
        page = session.get("/user/login/").text
        proof = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page).group(1)
        form = {"email": people[0].email, "password": people[0].password}
        session.post("/user/login/", data={**form, "csrfmiddlewaretoken": proof})
        assert session.get("/api/current-user/whoami").json()["email"] == people[0].email


def test_a_dispute_whose_task_was_deleted_is_put_before_an_adjudicator_again(
    client, folder, samples
):
    (folder / "dataset.yaml").write_bytes(definition_file("reallq").read_bytes())
    push(client, folder, samples[:1], ADE, annotators=2)
    for name, label in (("ann", "13"), ("bob", "2")):
        person = add_annotator(client, folder, f"{name}@example.org")
        with Client(client.url, person.token) as own:
            whole = region(label, np.ones((HEIGHT, WIDTH), bool))
            annotate(own, numbers(folder)[samples[0].id], whole, lead_time=60.0)
    pull(client, folder)

    def disputes():
        return adjudicate(client, folder, assess(folder, load_policy()))

    home = folder / "adjudication"
    assert disputes().added == 1
    assert disputes().added == 0
    (task,) = load_project(home).tasks
    pull(client, home)
    client.delete(f"/api/tasks/{task.task_id}/")
    assert pull(client, home).deleted_tasks == (samples[0].id,)
    assert disputes().added == 1
    (again,) = load_project(home).tasks  # the server may give the same number again
    shown = client.get("/api/predictions", task=again.task_id)
    assert len({one["model_version"] for one in shown}) == 2
    assert pull(client, home).state.gone == ()


def test_an_opinion_that_was_changed_replaces_the_one_before_it(client, folder, samples):
    (folder / "dataset.yaml").write_bytes(definition_file("reallq").read_bytes())
    push(client, folder, samples[:1], ADE, annotators=2)
    task, numbers_of = numbers(folder)[samples[0].id], []
    for name, label in (("ann", "13"), ("bob", "2")):
        person = add_annotator(client, folder, f"{name}@example.org")
        with Client(client.url, person.token) as own:
            whole = region(label, np.ones((HEIGHT, WIDTH), bool))
            numbers_of.append(annotate(own, task, whole, lead_time=60.0))
    for label in ("2", "4", "5"):
        client.patch(
            f"/api/annotations/{numbers_of[1]}/",
            {"result": [region(label, np.ones((HEIGHT, WIDTH), bool))]},
        )
        pull(client, folder)
        adjudicate(client, folder, assess(folder, load_policy()))
        (dispute,) = load_project(folder / "adjudication").tasks
        shown = client.get("/api/predictions", task=dispute.task_id)
        labels = sorted(one["result"][0]["value"]["brushlabels"][0] for one in shown)
        assert labels == sorted(["13", label])


def test_a_task_that_was_deleted_is_pushed_again(client, folder, samples):
    model = Stripes()
    push(client, folder, samples[:2], ADE, segmenter=model)
    pull(client, folder)
    gone = samples[1].id
    client.delete(f"/api/tasks/{numbers(folder)[gone]}/")
    assert pull(client, folder).deleted_tasks == (gone,)
    report = push(client, folder, samples[:2], ADE, segmenter=model)
    assert (report.tasks_added, report.prelabelled) == (1, 1)
    assert push(client, folder, samples[:2], ADE, segmenter=model).prelabelled == 0
    assert len(listed(client, folder)) == 2
    assert pull(client, folder).state.gone == ()


def test_one_annotation_that_the_server_cannot_hand_out_hides_no_other(client, folder, samples):
    push(client, folder, samples[:3], ADE)
    task = numbers(folder)
    with pytest.raises(ServerError):
        client.post(
            f"/api/tasks/{task[samples[0].id]}/annotations/", b'{"result": [], "lead_time": 1e999}'
        )
    number = annotate(client, task[samples[2].id], region("13"))
    report = pull(client, folder)
    assert report.new == ((samples[2].id, number),)
    assert report.unreadable.keys() == {samples[0].id}
    assert "<" not in report.unreadable[samples[0].id]
    assert pull(client, folder).state.unreadable == (samples[0].id,)


def test_a_layout_that_was_edited_reaches_the_server(client, folder, samples):
    number = push(client, folder, samples[:1], ADE).project_id
    path = folder / "labeling_config.xml"
    path.write_text(path.read_text().replace("Find a class", "Look for a class"))
    push(client, folder, samples[:1], ADE)
    assert "Look for a class" in client.get(f"/api/projects/{number}")["label_config"]


def test_strangers_stay_outside(client, folder):
    form = {"email": "eve@example.org", "password": "Password-1"}
    assert httpx.post(f"{client.url}/user/signup/", data=form, timeout=60).status_code == 403
    assert httpx.get(f"{client.url}/api/projects", timeout=60).status_code == 401
    elsewhere = httpx.get(client.url, headers={"Host": "evil.example"}, timeout=60)
    assert elsewhere.status_code == 400
    with pytest.raises(UserError, match="no e-mail address"):
        add_annotator(client, folder, "x' OR 1=1 --")
    with pytest.raises(UserError, match="does not accept the token: Invalid token"):
        Client(client.url, "0" * 40).get("/api/projects")


def test_no_secret_is_in_the_log(client, folder):
    log = (folder / "server.log").read_text()
    assert not [secret for secret in load_credentials(folder).secrets if secret in log]


@pytest.mark.slow
def test_a_project_outlives_its_server(installation, tmp_path, samples):
    folder = tmp_path / "project"
    with running_server(folder, installation=installation), connect(folder) as client:
        push(client, folder, samples[:1], ADE)
        annotate(client, numbers(folder)[samples[0].id], region("13"))
        person = add_annotator(client, folder, "ann@example.org")
    with running_server(folder, installation=installation), connect(folder) as client:
        assert len(pull(client, folder).new) == 1
        with Client(client.url, person.token) as own:
            assert own.get("/api/current-user/whoami")["email"] == person.email
