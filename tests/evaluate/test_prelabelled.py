"""A model that began the masks it is measured on is told of, in one line, with how many."""

import json
import os
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from rass_bench.annotate.assess import assess
from rass_bench.annotate.build import build_dataset
from rass_bench.annotate.project import load_project, save_project
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.models.catalog import load_segmenter
from rass_bench.record import load_record
from tests.annotate import builders
from tests.annotate.projects import annotation, begin, drawn, hand_in, policy
from tests.builders import model_file
from tests.cli.command import rass_bench

MASK = np.full((builders.HEIGHT, builders.WIDTH), 3, np.uint8)


@pytest.fixture
def model(tmp_path):
    return f"{model_file(tmp_path)}:Oracle"


@pytest.fixture
def key(model):
    """Name and revision as `annotate push` notes them; a hash of the model's file is in them."""
    return load_segmenter(model).spec.key


@pytest.fixture
def annotated(tmp_path):
    """Build a data set of four photos that were annotated from these pre-annotations."""

    def annotated(*prelabels, unchanged=()):
        samples = builders.photos(tmp_path / "photos", 4)
        folder = begin(tmp_path / "project", samples)
        project = load_project(folder)
        tasks = [
            replace(task, prelabel=prelabel)
            for task, prelabel in zip(project.tasks, prelabels, strict=True)
        ]
        save_project(folder, project.with_tasks(tasks))
        hand_in(
            folder,
            {
                one.id: [annotation(2 * i + n, n, drawn_by(i in unchanged)) for n in (1, 2)]
                for i, one in enumerate(samples)
            },
        )
        lenient = policy(allow_untouched_prelabel=True)
        build_dataset(folder, assess(folder, lenient), tmp_path / "set")
        return tmp_path / "set"

    return annotated


def drawn_by(is_prediction):
    result = drawn(MASK)
    return [one | {"origin": "prediction"} for one in result] if is_prediction else result


@pytest.fixture
def warnings_of(tmp_path, model):
    """What a run of the model on a data set warns of."""

    def warnings_of(dataset, **changes):
        heard = []
        request = RunRequest(**{"model": model, "dataset": str(dataset), **changes})
        run(
            request,
            tmp_path / "run",
            resume=False,
            arguments_given={},
            progress=lambda what, total: nullcontext(lambda: None),
            warn=heard.append,
        )
        return heard

    return warnings_of


def test_it_names_model_data_set_and_how_many_images(annotated, key, warnings_of):
    (heard,) = warnings_of(annotated(key, key, None, key))
    assert key in heard
    assert "on 3 of the 4 images of reallq@1.0" in heard
    assert "unchanged" not in heard


def test_it_tells_how_many_nobody_changed(annotated, key, warnings_of):
    (heard,) = warnings_of(annotated(key, key, key, key, unchanged=(0, 2)))
    assert "on 4 of the 4 images" in heard
    assert "2 of which somebody handed in unchanged" in heard


def test_only_the_images_that_are_measured_count(annotated, key, warnings_of):
    (heard,) = warnings_of(annotated(key, None, None, key), limit=2)
    assert "on 1 of the 2 images" in heard


def test_another_model_and_another_revision_began_nothing_of_it(annotated, key, warnings_of):
    assert warnings_of(annotated("stripes@1", f"{key}0", None, "red-reader@1")) == []


def test_a_name_without_revision_is_enough(annotated, warnings_of):
    (heard,) = warnings_of(annotated("red-reader", "stripes", None, None))
    assert "on 1 of the 4 images" in heard


def test_under_r2s_it_is_the_segmenter_that_counts(annotated, key, warnings_of, tmp_path):
    dataset = annotated(key, "darken@1", "darken@1", None)
    restorer = f"{tmp_path / 'models.py'}:Darken"
    (heard,) = warnings_of(dataset, protocol="r2s", restorer=restorer)
    assert f"predictions of {key} on 1 of the 4 images" in heard


def test_the_provenance_is_found_beside_the_files_of_a_named_data_set(annotated, key, warnings_of):
    (heard,) = warnings_of("reallq", data_root=str(annotated(key, None, None, None)))
    assert "on 1 of the 4 images" in heard


def test_without_provenance_there_is_nothing_to_say(annotated, key, warnings_of):
    dataset = annotated(key, key, key, key)
    (dataset / "provenance.json").unlink()
    assert warnings_of(dataset) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"dataset": "huge@3.0"}, "that of 'huge@3.0'"), ({"masks": 5}, "malformed provenance")],
)
def test_a_provenance_that_says_nothing_of_the_masks_is_told(
    annotated, key, warnings_of, change, reason
):
    dataset = annotated(key, key, key, key)
    path = dataset / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (heard,) = warnings_of(dataset)
    assert "is not known" in heard
    assert reason in heard


@pytest.mark.parametrize(
    "put",
    [
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("nowhere.json"),
        os.mkfifo,
        # A regular file whose reading the system refuses, also to root.
        lambda path: path.symlink_to("/proc/self/mem"),
    ],
    ids=["folder", "dangling link", "pipe", "unreadable file"],
)
def test_a_provenance_that_cannot_be_read_is_told_and_ends_nothing(
    annotated, key, warnings_of, tmp_path, put
):
    path = annotated(key, key, key, key) / "provenance.json"
    path.unlink()
    put(path)
    (heard,) = warnings_of(path.parent)
    assert f"whether {key} began masks of reallq@1.0 is not known" in heard
    assert str(path) in heard
    assert load_record(tmp_path / "run").scored == 4


def test_the_command_line_prints_one_line_on_stderr(annotated, key, tmp_path, model):
    dataset, out = annotated(key, key, None, None), tmp_path / "run"
    done = rass_bench("run", "--model", model, "--dataset", dataset, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"warning: annotators started from predictions of {key} on 2 of the 4")
    assert json.loads(done.stdout) == json.loads(json.dumps(load_record(out).to_json()))
