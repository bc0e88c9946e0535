"""`score`: the record's numbers again from the files, and what no longer fits is named."""

import dataclasses
import json
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image

from rass_bench.data.manifest import Manifest
from rass_bench.errors import UserError
from rass_bench.evaluate.rescore import rescore
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.record import load_record
from tests.builders import labelled_set, model_file


def quiet(what, total):
    return nullcontext(lambda: None)


@pytest.fixture
def finished(tmp_path):
    """A finished run with a wrong pixel or two, and its data."""
    data = labelled_set(tmp_path / "data")
    photo = np.array(Image.open(data / "images/test/p0.png"))
    photo[5, 5, 0] = 3
    Image.fromarray(photo).save(data / "images/test/p0.png")
    request = RunRequest(model=f"{model_file(tmp_path)}:Oracle", dataset=str(data))
    _, folder = run(request, tmp_path / "run", resume=False, arguments_given={}, progress=quiet)
    return folder, data


def score(folder, data_root=None, extra=()):
    return rescore(folder, data_root=data_root, extra_metrics=extra, progress=quiet)


def test_every_number_holds_when_nothing_was_touched(finished):
    folder, _ = finished
    before = (folder / "record.json").read_bytes()
    _, compared = score(folder)
    assert [entry.metric for entry in compared] == list(load_record(folder).metrics)
    assert all(entry.holds for entry in compared)
    assert (folder / "record.json").read_bytes() == before


def test_scoring_needs_neither_torch_nor_weights(finished):
    folder, _ = finished
    script = (
        "import sys, pathlib\n"
        "for name in ('torch', 'transformers', 'onnxruntime', 'spandrel'):\n"
        "    sys.modules[name] = None\n"
        "from rass_bench.cli.main import main\n"
        "sys.argv = ['rass-bench', 'score', sys.argv[1]]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal") == 5


def test_an_edited_number_is_caught(finished):
    folder, _ = finished
    document = json.loads((folder / "record.json").read_text())
    document["metrics"]["aacc"]["value"] += 0.001
    (folder / "record.json").write_text(json.dumps(document))
    _, compared = score(folder)
    assert [entry.metric for entry in compared if not entry.holds] == ["aacc"]


def test_one_changed_prediction_pixel_is_caught(finished):
    folder, _ = finished
    path = folder / "predictions/p3.png"
    labels = np.array(Image.open(path))
    labels[8, 8] ^= 1
    Image.fromarray(labels).save(path)
    with pytest.raises(UserError, match=r"was changed since the run.*p3\.png"):
        score(folder)


def test_a_removed_prediction_is_caught(finished):
    folder, _ = finished
    (folder / "predictions/p3.png").unlink()
    with pytest.raises(UserError, match=r"is missing since the run.*p3\.png"):
        score(folder)


def test_other_data_are_caught(finished):
    folder, data = finished
    path = data / "annotations/test/p1.png"
    raw = np.array(Image.open(path))
    raw[6, 6] += 1
    Image.fromarray(raw).save(path)
    with pytest.raises(UserError, match="the data differ from those of the run"):
        score(folder)


def test_the_data_may_have_moved(finished, tmp_path):
    folder, data = finished
    moved = tmp_path / "moved"
    (data / "dataset.yaml").rename(tmp_path / "dataset.yaml")
    data.rename(moved)
    data.mkdir()
    (tmp_path / "dataset.yaml").rename(data / "dataset.yaml")
    _, compared = score(folder, data_root=str(moved))
    assert all(entry.holds for entry in compared)


def test_a_data_set_may_have_moved_with_its_definition(finished, tmp_path):
    folder, data = finished
    data.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"not there.*data.*--data-root"):
        score(folder)
    _, compared = score(folder, data_root=str(tmp_path / "moved"))
    assert all(entry.holds for entry in compared)


def test_a_metric_of_another_protocol_is_refused(finished):
    folder, _ = finished
    with pytest.raises(UserError, match=r"psnr/rgb is a full-reference metric"):
        score(folder, extra=("psnr/rgb",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scored": 4000}, "counts 4000 scored images, 4 are there"),
        ({"arguments_resolved": {}}, "malformed record.*lacks the key 'model'"),
        ({"arguments_resolved": {"model": "m", "dataset": 5}}, "dataset is 5, not str"),
        ({"protocol": "guess"}, "unknown protocol 'guess'"),
    ],
)
def test_a_record_that_was_made_up_is_named(finished, changes, words):
    folder, _ = finished
    document = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**document, **changes}))
    with pytest.raises(UserError, match=words):
        score(folder)


def test_a_run_without_an_image_proves_nothing(finished):
    folder, _ = finished
    document = json.loads((folder / "record.json").read_text())
    nothing = Manifest(dataset="", split="", entries=()).sha256()
    document |= {"scored": 0, "dataset": {**document["dataset"], "manifest_sha256": nothing}}
    (folder / "record.json").write_text(json.dumps(document))
    (folder / "predictions.json").write_text('{"files": {}}')
    with pytest.raises(UserError, match="counts 0 scored images, 0 are there"):
        score(folder)


def test_a_number_of_an_older_metric_version_is_not_compared(finished):
    folder, _ = finished
    record = load_record(folder)
    old = dataclasses.replace(record.metrics["aacc"], version="0")
    dataclasses.replace(record, metrics={**record.metrics, "aacc": old}).save(folder)
    with pytest.raises(UserError, match=r"aacc was version 0 then and is 1 now"):
        score(folder)


def test_a_metric_can_be_added_later(tmp_path):
    data = labelled_set(tmp_path / "data", size=(24, 24))
    (data / "images/test").rename(data / "clean_source")
    (data / "images/test").mkdir(parents=True)
    (data / "clean/test").mkdir(parents=True)
    for path in (data / "clean_source").iterdir():
        photo = np.array(Image.open(path))
        Image.fromarray(photo).save(data / "clean/test" / path.name)
        Image.fromarray(photo // 2).save(data / "images/test" / path.name)
    request = RunRequest(
        model="identity", dataset=str(data), protocol="restore", metrics=("psnr/rgb",)
    )
    first, folder = run(request, tmp_path / "run", resume=False, arguments_given={}, progress=quiet)
    record, compared = score(folder, extra=("ssim/rgb",))
    assert {entry.metric: entry.is_new for entry in compared} == {
        "psnr/rgb": False,
        "ssim/rgb": True,
    }
    assert record == load_record(folder)
    assert record.metrics["psnr/rgb"] == first.metrics["psnr/rgb"]
    assert 0 < record.metrics["ssim/rgb"].value < 1
    _, again = score(folder)
    assert all(entry.holds and not entry.is_new for entry in again)
