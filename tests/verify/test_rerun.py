"""Levels sample and full: what scores as the record says, and is not what the model predicts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.data.reading import read_truth
from rass_bench.errors import UserError
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.images import read_image, write_image
from rass_bench.verify.rerun import draw_samples
from rass_bench.verify.verdict import Level, Part
from tests.builders import labelled_set, model_file
from tests.verify.forging import (
    change_pixel,
    edit_record,
    failures,
    quiet,
    read_record,
    score_anew,
    verdict_on,
)


def again(verdict):
    """The check that compares predictions."""
    (check,) = [check for check in verdict.checks if check.name.endswith("images, run again")]
    return check


def test_a_sample_of_an_untouched_run_has_the_same_bits(segmented):
    verdict = verdict_on(segmented, Level.SAMPLE, samples=2, seed=7)
    assert failures(verdict) == {}
    assert (verdict.seed, len(verdict.samples)) == (7, 2)
    assert (again(verdict).expected, again(verdict).found) == (
        "every pixel equal",
        "2 of 2 equal",
    )
    parts = {one.part: one.differs for one in verdict.differences}
    assert (parts[Part.DATA], parts[Part.WEIGHTS], parts[Part.ENVIRONMENT]) == (False,) * 3


def test_all_of_an_untouched_run_gives_the_same_numbers(restored):
    verdict = verdict_on(restored, Level.FULL)
    assert failures(verdict) == {}
    assert len(verdict.samples) == 3 and verdict.seed is None
    value = read_record(restored)["metrics"]["psnr/rgb"]["value"]
    numbers = {check.name: check.found for check in verdict.checks}
    assert numbers["psnr/rgb, run again"] == str(value)


def test_the_truth_handed_in_as_a_prediction_is_caught(segmented):
    """Every hash, row and number fits: only the model can tell."""
    dataset = open_dataset("scenes")
    for sample in dataset.samples[:4]:
        Image.fromarray(read_truth(dataset, sample)).save(
            segmented / f"predictions/{sample.id}.png"
        )
    score_anew(segmented)
    assert read_record(segmented)["metrics"]["aacc"]["value"] == 1
    assert verdict_on(segmented, Level.RESCORE).holds
    verdict = verdict_on(segmented, Level.SAMPLE, samples=1)
    assert failures(verdict).keys() == {"1 images, run again"}
    assert f"{verdict.samples[0]}: " in again(verdict).note


def test_one_changed_pixel_that_everything_fits_is_caught_on_the_same_machine(segmented):
    change_pixel(segmented / "predictions/scene_0001.png")
    score_anew(segmented)
    assert verdict_on(segmented, Level.RESCORE).holds
    found = failures(verdict_on(segmented, Level.FULL))
    assert "scene_0001: 99.9985 % of the pixels equal" in found["4 images, run again"]


@pytest.mark.parametrize(("pixels", "holds"), [(1, True), (2000, False)])
def test_elsewhere_the_tolerance_of_float32_is_asked_for(segmented, pixels, holds):
    path = segmented / "predictions/scene_0001.png"
    labels = np.array(Image.open(path))
    labels.reshape(-1)[:pixels] = 2 - labels.reshape(-1)[:pixels] // 2
    Image.fromarray(labels).save(path)
    score_anew(segmented)
    edit_record(segmented, ("environment", "packages", "torch"), lambda version: "1.0")
    verdict = verdict_on(segmented, Level.FULL)
    check = again(verdict)
    assert (check.holds, "float32" in check.note) == (holds, True)
    (environment,) = [one for one in verdict.differences if one.part is Part.ENVIRONMENT]
    assert environment.differs and "torch 1.0 then" in environment.words


def test_a_run_on_a_gpu_is_checked_on_a_cpu_when_asked(segmented):
    edit_record(segmented, ("arguments_resolved", "device"), lambda device: "cuda:7")
    edit_record(segmented, ("environment", "device"), lambda device: "cuda:7 (A GPU)")
    with pytest.raises(UserError, match=r"no such device: cuda:7|unknown device"):
        verdict_on(segmented, Level.SAMPLE, samples=1)
    check = again(verdict_on(segmented, Level.SAMPLE, samples=1, device="cpu"))
    assert check.holds and check.note.startswith("TF32")


def test_other_weights_are_named_and_nothing_is_run(segmented):
    verdict = verdict_on(segmented, Level.FULL, model="segformer-mini-scenes-ft")
    (note,) = failures(verdict).values()
    assert "revision is" in note and "weights_sha256 is" in note
    assert not any("run again" in check.name for check in verdict.checks)
    (weights,) = [one for one in verdict.differences if one.part is Part.WEIGHTS]
    assert weights.differs


@pytest.mark.parametrize("name", ["parameters", "trainable_parameters", "scale"])
def test_an_edited_fact_of_the_model_is_named(segmented, name):
    edit_record(segmented, ("model", name), lambda number: number + 1)
    (note,) = failures(verdict_on(segmented, Level.SAMPLE)).values()
    assert f"{name} is" in note


@pytest.fixture
def plugged(tmp_path):
    """Measure the tiny set under R2S, with models from a plug-in file."""
    data, models = labelled_set(tmp_path / "data"), model_file(tmp_path)
    names = {"model": f"{models}:Oracle", "restorer": f"{models}:Darken"}

    def measure(out):
        request = RunRequest(**names, dataset=str(data), protocol="r2s")
        run(request, tmp_path / out, resume=False, arguments_given={}, progress=quiet)
        return tmp_path / out

    return measure, data, names


def test_a_strangers_choice_of_code_is_not_run_unasked(plugged):
    measure, _, names = plugged
    folder = measure("run")
    with pytest.raises(UserError, match=r"names a plug-in file.*models\.py:Oracle.*--model"):
        verdict_on(folder, Level.SAMPLE)
    with pytest.raises(UserError, match=r"names a plug-in file.*models\.py:Darken.*--restorer"):
        verdict_on(folder, Level.SAMPLE, model=names["model"])
    assert verdict_on(folder, Level.FULL, **names).holds


def test_photos_from_a_tampered_cache_are_not_taken(plugged, tmp_path, monkeypatch):
    """Restored photos are made good again where they are kept: a run with them is too good."""
    monkeypatch.setenv("RASS_BENCH_CACHE", str(tmp_path / "cache"))
    measure, _, names = plugged
    assert read_record(measure("honest"))["metrics"]["aacc"]["value"] == 0
    for path in (tmp_path / "cache").rglob("*.png"):
        write_image(path, read_image(path) + 10)  # what Darken took away
    cheated = measure("cheated")
    assert read_record(cheated)["metrics"]["aacc"]["value"] == 1
    assert verdict_on(cheated, Level.RESCORE).holds
    found = failures(verdict_on(cheated, Level.FULL, **names))
    assert "p0: the restored photo differs" in found["4 images, run again"]
    assert "aacc, run again" in found


def test_a_record_of_other_restored_photos_is_named(plugged):
    measure, _, names = plugged
    folder = measure("run")
    path = folder / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[2]["restored_sha256"] = "0" * 64
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (note,) = failures(verdict_on(folder, Level.FULL, **names)).values()
    assert "p2: the restored photo differs" in note


@given(
    count=st.integers(1, 50),
    ids=st.sets(st.text(max_size=5), min_size=1, max_size=40).map(sorted),
    seed=st.integers(0, 2**32),
)
def test_images_are_drawn_once_each_and_alike_for_one_seed(count, ids, seed):
    drawn = draw_samples(tuple(ids), count, seed, "ab" * 32)
    assert len(drawn) == len(set(drawn)) == min(count, len(ids))
    assert set(drawn) <= set(ids) and drawn == sorted(drawn)
    assert drawn == draw_samples(tuple(ids), count, seed, "ab" * 32)


def test_every_image_is_drawn_as_often():
    ids = tuple(f"{index:02}" for index in range(20))
    drawn = [one for seed in range(1000) for one in draw_samples(ids, 4, seed, "ab" * 32)]
    counts = np.array([drawn.count(one) for one in ids])
    # 1000 draws of 4 of 20: 200 each, with a standard deviation of sqrt(1000 * 0.2 * 0.8) = 12.6.
    assert np.abs(counts - 200).max() < 5 * math.sqrt(1000 * 0.2 * 0.8)


def test_another_record_is_asked_for_other_images():
    ids = tuple(f"{index:02}" for index in range(50))
    draws = {tuple(draw_samples(ids, 5, 0, f"{record:064x}")) for record in range(20)}
    assert len(draws) == 20
