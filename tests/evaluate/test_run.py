"""The main flow on small real files: what a run writes, and what it does when things go wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.errors import UserError
from rass_bench.evaluate.rescore import rescore
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.files import sha256_file
from rass_bench.record import load_record
from tests.builders import labelled_set, model_file


def quiet(what, total):
    return nullcontext(lambda: None)


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "data")


@pytest.fixture
def models(tmp_path):
    return model_file(tmp_path)


@pytest.fixture
def measure(tmp_path, data, models):
    """Run the right-by-construction model on the tiny set, with changes."""

    def measure(out="run", resume=False, **changes):
        request = RunRequest(**{"model": f"{models}:Oracle", "dataset": str(data), **changes})
        record, folder = run(
            request, tmp_path / out, resume=resume, arguments_given={}, progress=quiet
        )
        assert load_record(folder) == record
        return record, folder

    return measure


def test_a_perfect_model_scores_one_everywhere(measure):
    record, _ = measure()
    assert record.status == "complete"
    assert record.scored == 4
    assert {name: metric.value for name, metric in record.metrics.items()} == {
        "miou/gt-present": 1.0,
        "miou/union": 1.0,
        "macc": 1.0,
        "aacc": 1.0,
        "fwiou": 1.0,
    }
    assert all(metric.n == 4 for metric in record.metrics.values())
    assert record.metrics["aacc"].ci95 == (1.0, 1.0)


def test_a_record_holds_what_a_reviewer_asks_for(measure):
    record, folder = measure()
    assert (record.model.name, record.model.parameters, record.model.trainable_parameters) == (
        "red-reader",
        7,
        3,
    )
    assert record.dataset.manifest_sha256
    assert record.environment.packages["numpy"] == np.__version__
    assert record.timing.timed_images == 3  # the first image is the warm-up
    assert record.timing.fps > 0
    assert record.files["per_image.parquet"] == sha256_file(folder / "per_image.parquet")
    metric = json.loads((folder / "record.json").read_text())["metrics"]["miou/gt-present"]
    assert (metric["value"], metric["n"], metric["ci95"]) == (1.0, 4, [1.0, 1.0])


def test_classes_that_do_not_occur_are_null_not_zero(measure):
    record, _ = measure()
    iou = record.per_class["iou"]
    assert len(iou) == 150
    assert [index for index, value in enumerate(iou) if value is not None] == [20, 21, 22, 23, 40]


def test_predictions_are_stored_with_their_hashes(measure, data):
    _, folder = measure()
    index = json.loads((folder / "predictions.json").read_text())["files"]
    for key, entry in index.items():
        path = folder / entry["file"]
        assert sha256_file(path) == entry["sha256"]
        red = np.asarray(Image.open(data / f"images/test/{key}.png"))[:, :, 0]
        assert np.array_equal(np.asarray(Image.open(path)), red)


def test_the_per_image_table_is_enough_to_compute_the_score_again(measure, data):
    ids = np.array(Image.open(data / "images/test/p1.png"))
    ids[4:, 3:9, 0] = 77  # a wrong patch
    Image.fromarray(ids).save(data / "images/test/p1.png")
    record, folder = measure()
    table = pd.read_parquet(folder / "per_image.parquet")
    truth, predicted, correct = (
        np.stack(table[name]).sum(axis=0)
        for name in ("truth_pixels", "predicted_pixels", "correct_pixels")
    )
    present = truth > 0
    iou = correct[present] / (truth + predicted - correct)[present]
    assert record.metrics["miou/gt-present"].value == pytest.approx(iou.mean(), rel=1e-12)
    assert record.metrics["aacc"].value == pytest.approx(correct.sum() / truth.sum(), rel=1e-12)
    assert record.metrics["miou/union"].value < record.metrics["miou/gt-present"].value
    assert table["id"].tolist() == ["p0", "p1", "p2", "p3"]
    assert table.set_index("id").loc["p0", "aacc"] == 1.0


def test_a_restorer_goes_before_the_model_under_r2s(measure, models):
    record, _ = measure(protocol="r2s", restorer=f"{models}:Darken")
    assert record.protocol == "r2s"
    assert record.restorer.name == "darken"
    assert record.metrics["aacc"].value == 0.0


def test_a_model_trained_on_degraded_photos_is_tested_as_it_is_and_told_apart(measure):
    tuned, folder = measure(out="ft", protocol="ft")
    direct, _ = measure(out="dt")
    assert (tuned.protocol, direct.protocol) == ("ft", "dt")
    assert tuned.metrics == direct.metrics
    _, scored = rescore(folder, data_root=None, extra_metrics=(), progress=quiet)
    assert all(entry.holds for entry in scored)


def test_a_restored_photo_is_made_once_and_segmented_by_many(measure, models):
    first, _ = measure(out="first", protocol="r2s", restorer=f"{models}:Darken")
    second, _ = measure(out="second", protocol="r2s", restorer=f"{models}:Darken")
    assert second.metrics == first.metrics
    assert second.timing.fps is None  # everything came from the cache: nothing was timed
    assert second.timing.timed_images == 0


def test_an_enlarging_restorer_is_brought_back_to_the_photos_size(measure):
    record, folder = measure(protocol="r2s", restorer="bicubic")
    assert record.restorer.scale == 4
    assert Image.open(folder / "predictions/p0.png").size == (16, 12)


@pytest.mark.parametrize("resume", [False, True])
def test_a_limit_makes_the_record_partial(measure, resume):
    record, _ = measure(limit=2, resume=resume)
    assert record.status == "partial"
    assert record.partial_because == ("--limit 2 of 4 images",)
    assert record.scored == 2


def test_fewer_files_than_defined_make_the_record_partial(measure, data):
    (data / "images/test/p3.png").unlink()
    record, _ = measure()
    assert record.status == "partial"
    assert record.partial_because == ("the data root holds 3 of 4 images",)


BREAKAGES = {
    "missing label": lambda data: (data / "annotations/test/p1.png").unlink(),
    "truncated photo": lambda data: (data / "images/test/p1.png").write_bytes(
        (data / "images/test/p1.png").read_bytes()[:55]
    ),
    "label of another size": lambda data: Image.fromarray(np.zeros((3, 3), np.uint8)).save(
        data / "annotations/test/p1.png"
    ),
    "label id outside the space": lambda data: Image.fromarray(
        np.full((12, 16), 200, np.uint8)
    ).save(data / "annotations/test/p1.png"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_bad_file_stops_the_run_and_is_named(measure, data, breakage):
    BREAKAGES[breakage](data)
    with pytest.raises(UserError, match=r"p1\.png"):
        measure()


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_bad_file_can_be_skipped_and_is_counted_and_named(measure, data, breakage):
    BREAKAGES[breakage](data)
    record, _ = measure(on_error="skip")
    assert record.scored == 3
    assert [entry.id for entry in record.not_scored] == ["p1"]
    assert record.not_scored[0].reason
    assert record.status == "partial"
    assert record.metrics["aacc"].n == 3


def test_when_nothing_can_be_scored_the_first_reason_is_told(measure, data):
    for index in range(4):
        (data / f"annotations/test/p{index}.png").unlink()
        Image.fromarray(np.full((12, 16), 200, np.uint8)).save(
            data / f"annotations/test/p{index}.png"
        )
    with pytest.raises(UserError, match=r"not one image could be scored.*p0: label value 200"):
        measure(on_error="skip")


def test_a_folder_with_a_run_is_not_written_over(measure):
    measure()
    with pytest.raises(UserError, match="holds a run already"):
        measure()


def test_a_folder_with_other_files_is_not_touched(measure, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("irreplaceable")
    with pytest.raises(UserError, match="not empty"):
        measure()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_resumed_run_must_be_the_same_run(measure, models):
    measure(limit=2)
    with pytest.raises(UserError, match="the run to resume has limit = 2, now it is 3"):
        measure(limit=3, resume=True)


def test_a_damaged_prediction_is_made_again_on_resume(measure):
    before, folder = measure()
    (folder / "predictions/p2.png").write_bytes(b"damaged")
    after, _ = measure(resume=True)
    assert after.metrics == before.metrics
    assert after.files["predictions.json"] == before.files["predictions.json"]


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"null", b"[" * 100_000, b'{"id": ["p0"], "seconds": 1}', b'{"seconds": NaN}'],
    ids=["bytes", "null", "deep", "types", "NaN"],
)
def test_garbage_in_the_journal_is_passed_over_on_resume(measure, line):
    first, out = measure()
    with (out / "journal.jsonl").open("ab") as journal:
        journal.write(line + b"\n")
    again, _ = measure(resume=True)
    assert again.metrics == first.metrics


def test_a_plan_that_is_no_plan_is_named(measure):
    _, out = measure()
    (out / "plan.json").write_text("[]")
    with pytest.raises(UserError, match=r"plan.*plan\.json"):
        measure(resume=True)


def test_a_photo_that_changed_since_is_predicted_again_on_resume(measure, data):
    measure()
    photo = np.array(Image.open(data / "images/test/p0.png"))
    photo[:, :, 0] = 99
    Image.fromarray(photo).save(data / "images/test/p0.png")
    after, _ = measure(resume=True)
    assert after.metrics["aacc"].value == pytest.approx(3 / 4)


def test_a_plugin_that_was_edited_is_another_model(measure, models):
    before, _ = measure(limit=2)
    models.write_text(models.read_text().replace("149)", "148)"))
    with pytest.raises(UserError, match="the run to resume has model = 'red-reader@1\\+"):
        measure(limit=2, resume=True)
    after, _ = measure(out="again", limit=2)
    assert before.model.revision != after.model.revision


def test_a_run_that_failed_at_its_first_image_leaves_the_folder_free(measure, data):
    path = data / "images/test/p0.png"
    whole = path.read_bytes()
    path.write_bytes(b"no image")
    with pytest.raises(UserError, match="unknown format"):
        measure()
    path.write_bytes(whole)
    record, _ = measure()
    assert record.scored == 4


def test_a_model_of_another_label_space_is_refused(measure, data):
    path = data / "dataset.yaml"
    text = (
        path.read_text().replace("ade20k-150", "camvid-11").replace("zero-is-ignore", "contiguous")
    )
    path.write_text(text)
    with pytest.raises(UserError, match=r"predicts ade20k-150.*labelled in camvid-11"):
        measure()


def test_a_metric_of_another_protocol_is_refused(measure):
    with pytest.raises(UserError, match=r"psnr/rgb is a full-reference metric"):
        measure(metrics=("psnr/rgb",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "r2s"}, "no restorer is named"),
        ({"protocol": "ft", "restorer": "nlm"}, "protocol ft takes no restorer"),
        ({"restorer": "nlm"}, "protocol dt takes no restorer"),
        ({"protocol": "dts"}, "unknown protocol 'dts'.*Did you mean dt"),
        ({"model": "bicubic"}, "a segmenter is needed here"),
        ({"metrics": ("miou",)}, "unknown metric 'miou'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"device": "cuda:99"}, "no such device: cuda:99"),
    ],
)
def test_arguments_that_do_not_fit_are_named(measure, changes, words):
    with pytest.raises(UserError, match=words):
        measure(**changes)


def test_a_metric_without_its_weights_ends_a_run_before_it_restores(measure, tmp_path, monkeypatch):
    for variable in ("RASS_BENCH_WEIGHTS", "TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    with pytest.raises(UserError, match="weights not found"):
        measure(model="identity", protocol="restore", metrics=("musiq/koniq",))
    assert not (tmp_path / "run").exists()


def test_restore_scores_against_the_reference(measure, data):
    (data / "clean/test").mkdir(parents=True)
    for index in range(4):
        photo = np.asarray(Image.open(data / f"images/test/p{index}.png")).astype(int)
        clean = np.clip(photo + 8, 0, 255).astype(np.uint8)
        Image.fromarray(clean).save(data / f"clean/test/p{index}.png")
    record, _ = measure(model="identity", protocol="restore", metrics=("psnr/rgb",))
    errors = []
    for index in range(4):
        photo = np.asarray(Image.open(data / f"images/test/p{index}.png")).astype(float)
        clean = np.asarray(Image.open(data / f"clean/test/p{index}.png")).astype(float)
        errors.append(10 * np.log10(255**2 / ((photo - clean) ** 2).mean()))
    assert record.metrics["psnr/rgb"].value == pytest.approx(np.mean(errors), abs=1e-9)


def test_without_references_it_says_what_restored_photos_can_be_measured_on(
    measure, data, tmp_path
):
    """The photos of this set have labels, so that "no ground truth" would mislead."""
    with pytest.raises(UserError) as refused:
        measure(model="identity", protocol="restore")
    message = str(refused.value)
    assert message.startswith("tiny has no reference photos to compare restored ones with")
    assert "ground truth" not in message
    assert "`rass-bench degrade --out DIR`" in message
    assert "--dataset DIR" in message
    assert "--metric piqe --metric niqe (pip install 'rass-bench[iqa]')" in message
    assert not (tmp_path / "run").exists()
    degrade_dataset(open_dataset(str(data)), "noise-3", 0, tmp_path / "degraded")
    record, _ = measure(model="identity", protocol="restore", dataset=str(tmp_path / "degraded"))
    assert record.metrics


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path, models, measure):
    data = labelled_set(tmp_path / "big", count=60, size=(64, 64))
    whole, whole_folder = measure(out="whole", dataset=str(data))
    slow = models.read_text().replace(
        "return [np.minimum", "__import__('time').sleep(0.02)\n        return [np.minimum"
    )
    models.write_text(slow)
    out = tmp_path / "killed"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "rass_bench.cli.main", "run", "--model", f"{models}:Oracle"),
            *("--dataset", str(data), "--out", str(out)),
        ],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("predictions/p*.png"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = len(list(out.glob("predictions/p*.png")))
    assert 5 <= finished < 60
    assert not (out / "record.json").exists()
    resumed, _ = measure(out="killed", dataset=str(data), resume=True)
    assert resumed.metrics == whole.metrics
    assert resumed.files["predictions.json"] == whole.files["predictions.json"]
    for path in (whole_folder / "predictions").iterdir():
        assert (out / "predictions" / path.name).read_bytes() == path.read_bytes()
