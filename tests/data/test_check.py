"""`data check` names every sample that a run would stumble over."""

import shutil

import numpy as np
from PIL import Image

from rass_bench.data.check import check_dataset
from rass_bench.data.dataset import open_dataset
from tests.builders import labelled_set


def check(root):
    return check_dataset(open_dataset(str(root)), advance=lambda: None)


def test_a_good_set_is_described(tmp_path):
    report = check(labelled_set(tmp_path))
    assert report.problems == ()
    assert (report.found, report.defined) == (4, 4)
    assert report.sizes == ((16, 12), (16, 12))
    assert report.ignored_share == 1 / 12
    assert report.class_images[40] == 4
    assert report.class_images[20] == 1
    assert sum(report.class_images) == 8
    assert report.manifest_sha256 is not None


def test_every_bad_file_is_named_with_its_reason(tmp_path):
    labelled_set(tmp_path, count=5)
    (tmp_path / "images/test/p0.png").write_bytes(b"<html>")
    (tmp_path / "annotations/test/p1.png").unlink()
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "annotations/test/p2.png")
    Image.fromarray(np.full((12, 16), 151, np.uint8)).save(tmp_path / "annotations/test/p3.png")
    report = check(tmp_path)
    reasons = {problem.id: problem.what for problem in report.problems}
    assert list(reasons) == ["p0", "p1", "p2", "p3"]
    assert "unknown format" in reasons["p0"]
    assert "not found" in reasons["p1"]
    assert "3 x 3 pixels, the photo 16 x 12" in reasons["p2"]
    assert "label value 151" in reasons["p3"]
    assert report.manifest_sha256 is None


def test_the_real_crops_are_the_published_ones_and_a_changed_one_is_named(shared_data, tmp_path):
    shutil.copytree(shared_data("realsr") / "test_LR", tmp_path / "test_LR")
    shutil.copytree(shared_data("realsr") / "test_HR", tmp_path / "test_HR")
    dataset = open_dataset("realsr", tmp_path)
    assert check_dataset(dataset, advance=lambda: None).unpublished == ()
    path = tmp_path / "test_HR/Canon_021_LR4.png"
    path.chmod(0o600)
    pixels = np.array(Image.open(path))
    pixels[7, 7, 1] ^= 1
    Image.fromarray(pixels).save(path)
    assert check_dataset(dataset, advance=lambda: None).unpublished == ("Canon_021_LR4",)


def test_a_set_without_published_hashes_is_not_compared(tmp_path):
    assert check(labelled_set(tmp_path)).unpublished is None


def test_progress_counts_every_sample(tmp_path):
    ticks = []
    check_dataset(open_dataset(str(labelled_set(tmp_path))), advance=lambda: ticks.append(1))
    assert len(ticks) == 4
