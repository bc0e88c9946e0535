"""`rass-bench annotate` without a server: what each command prints, writes and refuses."""

import json
import os
import shlex
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from rass_bench.annotate.credentials import load_or_create_credentials
from rass_bench.annotate.guidelines import GUIDELINES_FILE
from rass_bench.annotate.imports import load_imports
from rass_bench.cli.main import app
from rass_bench.data.dataset import open_dataset
from rass_bench.errors import UserError
from rass_bench.record import load_record
from tests.annotate import builders
from tests.annotate.answering import answering, project_answers
from tests.annotate.builders import HEIGHT, WIDTH, region
from tests.annotate.projects import annotation, begin, drawn, hand_in
from tests.builders import labelled_set, model_file

COMMANDS = [
    *("init", "serve", "annotator", "push", "pull", "qa", "adjudicate", "build"),
    *("import", "export"),
]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command line in an empty folder; return what it printed and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


@pytest.fixture
def annotate(run):
    def annotate(*arguments, code=0):
        done = run("annotate", *arguments)
        assert done.exit_code == code, done.output
        return done.output

    return annotate


@pytest.fixture
def samples(tmp_path):
    return builders.photos(tmp_path / "photos", 3)


@pytest.fixture
def project(tmp_path, samples):
    """The default project: a photo that passes, one disputed, one with an unusable annotation."""
    folder = begin(tmp_path / "annotation", samples)
    whole = np.full((HEIGHT, WIDTH), 3, dtype=np.uint8)
    other = np.where(np.arange(WIDTH) < WIDTH // 2, whole, np.uint8(7))
    hand_in(
        folder,
        {
            samples[0].id: [annotation(n, n, drawn(whole)) for n in (1, 2)],
            samples[1].id: [annotation(3, 1, drawn(whole)), annotation(4, 2, drawn(other))],
            samples[2].id: [annotation(5, 1, drawn(whole)), annotation(6, 2, [region("[red]")])],
        },
    )
    return folder


def flat(text):
    """What was printed, without the lines' ends that a terminal's width makes."""
    return " ".join(text.split())


# Help


def test_help_names_every_command_in_the_order_of_work(annotate):
    commands, example = annotate("--help").split("Example", 1)
    places = [commands.index(f"│ {command} ") for command in COMMANDS]
    assert sorted(places) == places
    assert "rass-bench annotate build --out" in example


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_and_where(annotate, command):
    printed = annotate(command, "--help")
    assert "Usage:" in printed
    if command != "export":  # works on a data set, not on a project
        assert "--dir" in printed


# Without a project, an annotation, a server


IN_A_PROJECT = [
    ["serve"],
    ["annotator", "ann@example.org"],
    ["push", "--images", "photos"],
    ["pull"],
    ["qa"],
    ["adjudicate"],
    ["build", "--out", "made"],
    ["import", "--images", "photos", "--masks", "masks", "--annotator", "ann"],
]


@pytest.mark.parametrize("command", IN_A_PROJECT, ids=lambda command: command[0])
def test_without_a_project_the_command_that_begins_one_is_named(run, tmp_path, command):
    words = r"no annotation project was begun here: there is no such folder \(my set\)"
    with pytest.raises(UserError, match=words) as caught:
        run("annotate", *command, "--dir", "my set")
    assert "rass-bench annotate init --dataset reallq --dir 'my set'" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", IN_A_PROJECT, ids=lambda command: command[0])
def test_a_folder_that_holds_something_else_is_no_project(run, tmp_path, command):
    other = tmp_path / "photos of mine"
    builders.photos(other, 1)
    with pytest.raises(UserError, match=r"begun here \(photos of mine\).*annotate init"):
        run("annotate", *command, "--dir", "photos of mine")
    assert [path.name for path in other.iterdir()] == ["photo 0.png"]


@pytest.mark.parametrize("command", IN_A_PROJECT, ids=lambda command: command[0])
def test_a_data_set_is_no_project(run, tmp_path, command):
    data = labelled_set(tmp_path / "my set")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"no labeling_config\.xml: a data set, no annot") as caught:
        run("annotate", *command, "--dir", "my set")
    assert "Name the project's folder with --dir" in caught.value.do
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_a_project_that_lost_its_configuration_is_told_the_command_that_writes_it(
    run, annotate, tmp_path
):
    folder = begin(tmp_path / "scenes", [], dataset="camvid")  # named like a shipped data set
    config = (folder / "labeling_config.xml").read_bytes()
    (folder / "labeling_config.xml").unlink()
    with pytest.raises(UserError, match="no labeling_config") as caught:
        run("annotate", "qa", "--dir", "scenes")
    command = caught.value.do.partition("rass-bench annotate ")[2]
    assert "written: scenes/labeling_config.xml" in annotate(*shlex.split(command))
    assert (folder / "labeling_config.xml").read_bytes() == config


@pytest.mark.parametrize("command", [["init"], *IN_A_PROJECT], ids=lambda command: command[0])
def test_a_file_in_the_place_of_the_project_is_told(run, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"a file lies where .* should be \(file\).*--dir"):
        run("annotate", *command, "--dir", "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", [["qa"], ["build", "--out", "made"], ["adjudicate"]])
def test_before_anything_is_pushed_the_commands_that_bring_photos_are_named(run, tmp_path, command):
    begin(tmp_path / "annotation", [])
    (tmp_path / "annotation" / "tasks.json").unlink()
    with pytest.raises(UserError, match=r"nothing was pushed or imported.*push.*import"):
        run("annotate", *command)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "command",
    [["pull"], ["push", "--images", "photos"], ["annotator", "ann@example.org"], ["adjudicate"]],
)
def test_where_no_server_runs_the_command_that_starts_it_is_named(run, project, command):
    secrets = load_or_create_credentials(project).secrets
    with pytest.raises(UserError, match="annotate serve") as caught:
        run("annotate", *command)
    assert not any(secret in str(caught.value) for secret in secrets)


@pytest.mark.parametrize("command", [["push"], ["import", "--masks", "m", "--annotator", "ann"]])
def test_photos_that_are_not_there_are_told_by_their_option(run, project, command):
    with pytest.raises(UserError, match=r"no such folder \(--images nowhere\)"):
        run("annotate", *command, "--images", "nowhere")


# What a terminal would obey

OBEYED = "\x1b]0;title\x07\x1b[2J"
SPELLED = r"\x1b]0;title\x07\x1b[2J"


def test_a_terminal_obeys_nothing_that_the_server_says(annotate, project):
    answers = project_answers(project, [1, 2, 3])
    for number in (1, 2, 3):
        answers[f"GET /api/tasks/{number}/annotations/"] = (500, {"detail": OBEYED})
    load_or_create_credentials(project)
    with answering(answers) as client:
        address = {"url": client.url, "process_id": os.getpid()}
        (project / "address.json").write_text(json.dumps(address))
        printed = annotate("pull", code=1)
    assert printed.count(f"answered with 500: {SPELLED}") == 3
    assert "\x1b" not in printed


def test_a_terminal_obeys_no_name_of_a_photo(annotate, tmp_path, samples):
    folder = begin(tmp_path / "annotation", [replace(samples[0], id=OBEYED), *samples[1:]])
    whole = np.full((HEIGHT, WIDTH), 3, dtype=np.uint8)
    hand_in(folder, {samples[1].id: [annotation(n, n, drawn(whole)) for n in (1, 2)]})
    assert f"fix: {SPELLED} (task 1): " in annotate("qa")
    printed = annotate("build", "--out", "made", "--on-error", "skip")
    assert f"left out: {SPELLED}: fix" in printed
    assert "\x1b" not in printed


# init


def test_init_writes_a_project_and_keeps_what_is_there(annotate, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / GUIDELINES_FILE).write_text("our own")
    printed = annotate("init", "--dataset", "camvid", "--dir", "here")
    assert printed.splitlines() == [
        "written: here/dataset.yaml",
        "written: here/labeling_config.xml",
        "written: here/policy.yaml",
        "written: here/.gitignore",
        f"kept: here/{GUIDELINES_FILE}",
    ]
    assert annotate("init", "--dataset", "camvid", "--dir", "here").count("kept: ") == 5


# qa


def test_qa_prints_decisions_agreement_and_the_reason_of_each_photo(annotate, project, samples):
    printed = annotate("qa").splitlines()
    assert sorted(printed[0].split(", ")) == ["1 adjudicate", "1 fix", "1 pass"]
    assert printed[1].startswith("Agreement over all photos: equal pixels 0.7")
    reasons = [line for line in printed if line.startswith(("fix:", "adjudicate:"))]
    assert any(line.startswith(f"adjudicate: {samples[1].id} (task 2): ") for line in reasons)
    assert any(f"{samples[2].id} (task 3): 1 of 2 annotations" in line for line in reasons)
    assert any("refused (fix)" in line for line in printed)
    assert printed[-1] == "Page: annotation/qa/index.html"
    made = {path.name for path in (project / "qa").iterdir()}
    assert made >= {"index.html", "verdicts.json", "annotations.csv", "pairs.csv"}


def test_qa_writes_elsewhere_and_judges_by_another_policy(annotate, project, tmp_path, samples):
    (tmp_path / "lenient.yaml").write_text(
        "min_annotators: 1\nmin_pixel_agreement: null\nmin_kappa: null\nmin_mean_iou: null\n"
        "min_alpha: null\nmin_class_iou: null\nmin_boundary_f1: null\n"
    )
    printed = annotate("qa", "--policy", "lenient.yaml", "--out", "elsewhere", "--workers", "2")
    assert sorted(printed.splitlines()[0].split(", "))[-1] == "2 pass"
    assert (tmp_path / "elsewhere" / "index.html").is_file()
    assert not (project / "qa").exists()


def test_an_unknown_model_is_told(run, project):
    with pytest.raises(UserError, match="no-such-model"):
        run("annotate", "qa", "--model", "no-such-model")


# build


def test_build_refuses_or_leaves_out_by_name(run, annotate, project, tmp_path, samples):
    with pytest.raises(UserError, match="2 of 3 photos did not pass"):
        run("annotate", "build", "--out", "my set")
    assert not (tmp_path / "my set").exists()
    printed = flat(annotate("build", "--out", "my set", "--on-error", "skip"))
    assert "written to my set" in printed
    assert f"left out: {samples[1].id}: adjudicate" in printed
    assert f"left out: {samples[2].id}: fix" in printed
    assert "rass-bench run --dataset reallq --data-root 'my set' --model M" in printed
    assert [one.id for one in open_dataset("reallq", "my set").samples] == [samples[0].id]


def test_masks_drawn_elsewhere_are_checked_built_and_measured_on(run, annotate, tmp_path):
    """Photos hold their class ids in red: a model that reads them is right everywhere."""
    data = labelled_set(tmp_path / "data")
    folder = tmp_path / "annotation"
    folder.mkdir()
    (folder / GUIDELINES_FILE).touch()
    annotate("init", "--dataset", data)
    masks = ("--images", data / "images/test", "--masks", data / "annotations/test")
    for name in ("ann", "bob"):
        assert "4 added" in annotate("import", *masks, "--annotator", name)
    printed = annotate("qa").splitlines()
    assert printed[0].startswith("4 pass")
    assert "Cohen's kappa 1.000" in printed[1]
    annotate("build", "--out", "made")
    for label in (data / "annotations/test").iterdir():
        made = np.asarray(Image.open(tmp_path / "made/annotations/test" / label.name))
        assert np.array_equal(made, np.asarray(Image.open(label)))
    model = f"{model_file(tmp_path)}:Oracle"
    assert run("run", "-m", model, "-d", "made", "--out", "runs/made").exit_code == 0
    record = load_record(tmp_path / "runs/made")
    assert record.scored == 4
    assert record.metrics["miou/gt-present"].value == 1


def test_a_mask_that_was_changed_after_its_import_is_refused_by_name(run, annotate, tmp_path):
    data = labelled_set(tmp_path / "data")
    folder = tmp_path / "annotation"
    folder.mkdir()
    shutil.copy(data / "dataset.yaml", folder)
    (folder / GUIDELINES_FILE).touch()
    annotate("init", "--dataset", data)
    masks = ("--images", data / "images/test", "--masks", data / "annotations/test")
    annotate("import", *masks, "--annotator", "ann")
    mask = folder / load_imports(folder)[1].mask
    mask.write_bytes(mask.read_bytes() + b" ")
    with pytest.raises(UserError, match="was changed since it was imported") as caught:
        run("annotate", "qa")
    assert str(mask.relative_to(folder)) in str(caught.value)
