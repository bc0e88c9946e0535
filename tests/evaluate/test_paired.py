"""Differences of two runs on the same images: what they are, and which runs are no pairs."""

import dataclasses
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.evaluate import paired
from rass_bench.evaluate.paired import paired_difference
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.metrics.bootstrap import interval, resample
from rass_bench.metrics.catalog import get_metric
from tests.builders import labelled_set, model_file

METRIC = "miou/gt-present"


@pytest.fixture
def data(tmp_path):
    """Photos whose classes are read right but for a patch, of another size in each."""
    root = labelled_set(tmp_path / "data", count=6)
    for index in range(6):
        path = root / f"images/test/p{index}.png"
        photo = np.array(Image.open(path))
        photo[4:, : index + 1, 0] = 77
        Image.fromarray(photo).save(path)
    return root


@pytest.fixture
def measure(tmp_path, data):
    """Measure a model that reads the classes off the photos; return the record and its folder."""
    models = model_file(tmp_path)

    def measure(out, **changes):
        request = RunRequest(**{"model": f"{models}:Oracle", "dataset": str(data), **changes})
        return run(
            request,
            tmp_path / out,
            resume=False,
            arguments_given={},
            progress=lambda what, total: nullcontext(lambda: None),
        )

    return measure


def test_the_value_is_second_minus_first_of_the_records(measure, tmp_path):
    right, first = measure("right")
    dark, second = measure("dark", protocol="r2s", restorer=f"{tmp_path / 'models.py'}:Darken")
    behind = paired_difference(first, second, METRIC)
    assert behind.value == dark.metrics[METRIC].value - right.metrics[METRIC].value < 0
    low, high = behind.ci95
    assert low <= behind.value <= high < 0
    ahead = paired_difference(second, first, METRIC)
    assert (ahead.value, ahead.ci95) == (-behind.value, pytest.approx((-high, -low)))


def test_a_run_is_no_better_than_itself(measure):
    _, first = measure("first")
    _, second = measure("second")
    assert paired_difference(first, second, METRIC).ci95 == (0, 0)


def test_the_interval_of_a_mean_is_that_of_the_images_differences(measure, degraded):
    """Resampling pairs of values is resampling their differences, where a mean is taken."""
    runs = [
        measure(name, model=name, dataset=str(degraded), protocol="restore")[1]
        for name in ("identity", "nlm")
    ]
    before, after = (pd.read_parquet(one / "per_image.parquet")["psnr/rgb"] for one in runs)
    metric = get_metric("psnr/rgb")
    found = paired_difference(*runs, "psnr/rgb")
    assert found.value == pytest.approx((after - before).mean())
    assert found.ci95 == pytest.approx(interval(metric, (after - before).to_numpy(), seed=0))


@pytest.fixture
def degraded(tmp_path, data):
    from rass_bench.data.dataset import open_dataset
    from rass_bench.degrade.dataset import degrade_dataset

    degrade_dataset(open_dataset(str(data)), "noise-3", 0, tmp_path / "degraded")
    return tmp_path / "degraded"


# No pairs


def test_other_images_are_no_pairs(measure):
    _, first = measure("all")
    _, second = measure("some", limit=5)
    found = paired_difference(first, second, METRIC)
    assert (found.value, found.ci95) == (None, None)
    assert found.why_not == "1 images are in one run alone, p5 first"


def test_images_of_equal_names_and_other_labels_are_no_pairs(measure, data):
    _, first = measure("first")
    path = data / "annotations/test/p2.png"
    labels = np.array(Image.open(path))
    labels[5] = 1
    Image.fromarray(labels).save(path)
    _, second = measure("second")
    assert paired_difference(first, second, METRIC).why_not == "the label maps differ"


def test_other_photos_are_no_pairs_for_a_metric_of_photos(measure, degraded):
    _, first = measure("first", model="nlm", dataset=str(degraded), protocol="restore")
    path = degraded / "images/test/p0.png"
    Image.fromarray(255 - np.array(Image.open(path))).save(path)
    _, second = measure("second", model="nlm", dataset=str(degraded), protocol="restore")
    reason = paired_difference(first, second, "psnr/rgb").why_not
    assert reason == "the photos or their references differ"


def test_a_run_without_what_it_kept_of_each_image_is_no_pair(measure):
    record, first = measure("first")
    _, second = measure("second")
    table = second / "per_image.parquet"
    table.write_bytes(table.read_bytes() + b" ")
    assert "was changed since the run" in paired_difference(first, second, METRIC).why_not
    table.unlink()
    assert "has no per_image.parquet" in paired_difference(first, second, METRIC).why_not
    dataclasses.replace(record, metrics={}).save(first)
    assert "has no miou/gt-present" in paired_difference(first, second, METRIC).why_not


def test_a_folder_without_a_run_is_a_mistake(measure, tmp_path):
    _, first = measure("first")
    with pytest.raises(UserError, match=r"no record\.json"):
        paired_difference(first, tmp_path, METRIC)


def test_all_runs_of_a_board_are_drawn_once_each(measure, monkeypatch):
    """The time of a board follows from the number of its runs, not from that of their pairs."""
    folders = [measure(name)[1] for name in ("a", "b", "c", "d")]
    drawn = []

    def count(*arguments):
        drawn.append(arguments)
        return resample(*arguments)

    monkeypatch.setattr(paired, "resample", count)
    paired._kept_draws.cache_clear()
    for first in folders:
        for second in folders:
            assert paired_difference(first, second, METRIC).ci95 == (0, 0)
    assert len(drawn) == 4
