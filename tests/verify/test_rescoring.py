"""Level rescore: what fits together in a run's folder and is not what its predictions score."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.evaluate.rescore import rescore
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.files import sha256_file
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import ClassCounts
from rass_bench.verify.bundle import write_bundle
from rass_bench.verify.verdict import Level, Part
from tests.builders import labelled_set, model_file
from tests.verify.forging import (
    change_pixel,
    edit_record,
    failures,
    quiet,
    read_record,
    rehash,
    rewrite_table,
    verdict_on,
    write_record,
)
from tests.verify.test_integrity import MIOU, better


def rescored(folder, **here):
    return verdict_on(folder, Level.RESCORE, **here)


@pytest.fixture
def tiny(tmp_path):
    """A finished run on four photos that may be tampered with, too."""
    data = labelled_set(tmp_path / "data")
    request = RunRequest(model=f"{model_file(tmp_path)}:Oracle", dataset=str(data))
    folder = tmp_path / "run"
    run(request, folder, resume=False, arguments_given={}, progress=quiet)
    return folder, data


def test_untouched_runs_hold(segmented, restored):
    for folder in (segmented, restored):
        verdict = rescored(folder)
        assert failures(verdict) == {}
        (data,) = [one for one in verdict.differences if one.part is Part.DATA]
        assert data.differs is False


def test_the_verdict_has_the_numbers_of_score(segmented):
    _, compared = rescore(segmented, data_root=None, extra_metrics=(), progress=quiet)
    shown = {check.name: check.found for check in rescored(segmented).checks}
    for entry in compared:
        found = shown[f"{entry.metric} from the predictions"]
        assert found.startswith(f"{entry.value.value:.10g} ({entry.value.ci95[0]:.10g} to ")


def test_a_changed_pixel_under_new_hashes_is_named(segmented):
    change_pixel(segmented / "predictions/scene_0002.png")
    rehash(segmented)
    assert verdict_on(segmented).holds
    found = failures(rescored(segmented))
    note = found["each image from its prediction"]
    assert "scene_0002: its prediction gives other counts of 2 classes" in note


def test_a_changed_pixel_of_a_restored_image_under_new_hashes_is_named(restored):
    change_pixel(restored / "predictions/scene_0001.png")
    rehash(restored)
    assert verdict_on(restored).holds
    found = failures(rescored(restored))
    assert "scene_0001: psnr/rgb is" in found["each image from its prediction"]


def forge_numbers(folder):
    """Make a record's numbers, intervals and classes follow from an edited table."""
    from rass_bench.evaluate.per_image import read_per_image
    from rass_bench.record import load_record
    from rass_bench.verify.numbers import classes_from_table, from_table

    loaded = load_record(folder)
    table = read_per_image(folder / "per_image.parquet", loaded)
    record = read_record(folder)
    for name, value in from_table(loaded, table, 0).items():
        record["metrics"][name] |= {"value": value.value, "ci95": value.ci95}
    record["per_class"] = classes_from_table(table)
    write_record(folder, record)


def consistent(table):
    """Better counts, with the metrics of each image made to follow."""
    table = better(table)
    counts = ClassCounts(
        *(np.stack(table[f"{name}_pixels"]) for name in ("truth", "predicted", "correct"))
    )
    for name in ("miou/gt-present", "miou/union", "macc", "aacc", "fwiou"):
        table[name] = get_metric(name).function(counts)
    return table


def test_better_numbers_that_fit_together_under_new_hashes_are_caught(segmented):
    before = read_record(segmented)["metrics"][MIOU]["value"]
    rewrite_table(segmented, consistent)
    forge_numbers(segmented)
    rehash(segmented)
    assert read_record(segmented)["metrics"][MIOU]["value"] > before
    assert verdict_on(segmented).holds
    found = failures(rescored(segmented))
    assert found.keys() >= {f"{MIOU} from the predictions", "each image from its prediction"}
    assert "scene_0000: its correct pixels" in found["each image from its prediction"]


def test_other_ground_truth_is_named_and_nothing_is_scored(tiny, tmp_path):
    folder, data = tiny
    write_bundle(folder, tmp_path / "run.zip", data_root=None)
    path = data / "annotations/test/p1.png"
    raw = np.array(Image.open(path))
    raw[6, 6] += 1
    Image.fromarray(raw).save(path)
    verdict = rescored(folder)
    assert failures(verdict).keys() == {"SHA-256 of the data"}
    (difference,) = [one for one in verdict.differences if one.part is Part.DATA]
    assert difference.differs
    bundled = failures(rescored(tmp_path / "run.zip"))
    assert "p1: another label map" in bundled["SHA-256 of the data"]


def test_another_photo_is_named(tiny):
    folder, data = tiny
    change_pixel(data / "images/test/p2.png")
    found = failures(rescored(folder))
    assert "p2: another photo than the prediction was made from" in found["SHA-256 of the data"]


def test_a_photo_that_is_gone_is_named(tiny):
    folder, data = tiny
    (data / "annotations/test/p2.png").unlink()
    found = failures(rescored(folder))
    assert "p2: no p2.png in the data" in found["images of the data set"]


def test_a_hard_image_that_was_left_out_is_named(tiny):
    """The forger claims that three photos are all that there are, in every file of the run."""
    folder, _ = tiny
    index = json.loads((folder / "predictions.json").read_text())
    del index["files"]["p0"]
    (folder / "predictions.json").write_text(json.dumps(index))
    (folder / "predictions/p0.png").unlink()
    lines = (folder / "journal.jsonl").read_text().splitlines()
    (folder / "journal.jsonl").write_text("\n".join(lines[1:]) + "\n")
    rewrite_table(folder, lambda table: table[table["id"] != "p0"])
    record = read_record(folder)
    record["scored"] = 3
    record["dataset"] |= {"found_images": 3, "defined_images": 3}
    for value in record["metrics"].values():
        value["n"] = 3
    write_record(folder, record)
    forge_numbers(folder)
    rehash(folder)
    assert verdict_on(folder).holds
    found = failures(rescored(folder))
    assert "p0: neither scored nor named as not scored" in found["images of the data set"]


def test_a_skipped_image_is_accounted_for(tmp_path):
    data = labelled_set(tmp_path / "data")
    (data / "annotations/test/p1.png").write_bytes(b"no picture")
    request = RunRequest(model=f"{model_file(tmp_path)}:Oracle", dataset=str(data), on_error="skip")
    run(request, tmp_path / "run", resume=False, arguments_given={}, progress=quiet)
    assert rescored(tmp_path / "run").holds
    edit_record(tmp_path / "run", ("not_scored",), lambda entries: [])
    assert not verdict_on(tmp_path / "run").holds


@pytest.mark.parametrize(
    ("place", "value"), [("defined_images", 5), ("label_space", "camvid-11"), ("version", "1.1")]
)
def test_another_definition_of_the_data_is_named(tiny, place, value):
    folder, data = tiny
    text = (data / "dataset.yaml").read_text()
    old = {"defined_images": "test: 4", "label_space": "ade20k-150", "version": "'1.0'"}[place]
    new = {"defined_images": "test: 5", "label_space": "camvid-11", "version": "'1.1'"}[place]
    assert old in text
    (data / "dataset.yaml").write_text(text.replace(old, new))
    found = failures(rescored(folder))
    assert f"{place} is {value!r}" in found["definition of the data"]


def test_a_metric_of_another_family_cannot_be_computed(segmented):
    """A PSNR of label maps, with a column of its own in the table."""
    record = read_record(segmented)
    record["metrics"]["psnr/rgb"] = {
        **record["metrics"][MIOU],
        "value": 30.0,
        "ci95": [30.0, 30.0],
    }
    write_record(segmented, record)
    rewrite_table(segmented, lambda table: table.assign(**{"psnr/rgb": 30.0}))
    rehash(segmented)
    assert verdict_on(segmented).holds
    assert failures(rescored(segmented)).keys() == {"psnr/rgb from the predictions"}


def test_a_class_id_that_is_no_class_is_named(segmented):
    change_pixel(segmented / "predictions/scene_0003.png", value=200)
    rehash(segmented)
    found = failures(rescored(segmented))
    assert (
        "scene_0003: the prediction holds class id 200" in found["each image from its prediction"]
    )


def test_a_leaderboards_record_has_nothing_to_score(segmented, tmp_path):
    record = tmp_path / "record"
    record.mkdir()
    for name in ("record.json", "per_image.parquet"):
        shutil.copy(segmented / name, record / name)
    with pytest.raises(UserError, match="no predictions lie beside this record"):
        rescored(record)


def test_a_level_that_was_not_come_to_is_said(segmented):
    change_pixel(segmented / "predictions/scene_0002.png")
    last = rescored(segmented).checks[-1]
    assert (last.name, last.holds) == ("level rescore", None)
    assert "a check before it does not hold" in last.note


def test_the_data_may_have_moved(tiny, tmp_path):
    folder, data = tiny
    data.rename(tmp_path / "moved")
    assert rescored(folder, data_root=str(tmp_path / "moved")).holds


def test_scoring_needs_neither_torch_nor_weights(segmented):
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'onnxruntime', 'pyiqa'):\n"
        "    sys.modules[name] = None\n"
        "from rass_bench.cli.main import main\n"
        "sys.argv = ['rass-bench', 'verify', sys.argv[1], '--level', 'rescore']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(segmented)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_checking_changes_no_file_of_the_run(segmented):
    before = {path: sha256_file(path) for path in segmented.rglob("*") if path.is_file()}
    rescored(segmented)
    assert before == {path: sha256_file(path) for path in segmented.rglob("*") if path.is_file()}
    assert len(pd.read_parquet(segmented / "per_image.parquet")) == 4
