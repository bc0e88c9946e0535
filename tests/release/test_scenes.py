"""The example: the embedded data set is released, loaded, and has the published pixels."""

import json

import datasets
import numpy as np
import pytest

from rass_bench.data.scenes import pixel_sha256
from rass_bench.data.spec import definitions_dir
from rass_bench.images import read_image
from rass_bench.labels import LabelEncoding, load_label_space, read_label_map
from rass_bench.release.build import build_release
from rass_bench.release.check import check_release
from rass_bench.release.source import open_source


@pytest.fixture(scope="module")
def source():
    return open_source("scenes", splits=["val"])


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("scenes") / "release"
    build_release(source, out)
    return out


def test_every_loaded_pixel_is_the_rendered_one(source, folder, tmp_path):
    rows = datasets.load_dataset(str(folder), split="val", cache_dir=str(tmp_path))
    (opened,) = source.splits
    space = load_label_space("ade20k-150")
    assert rows["id"][:] == [sample.id for sample in opened.samples]
    assert len(rows) == 40
    for row, sample in zip(rows, opened.samples, strict=True):
        assert np.array_equal(np.asarray(row["image"]), read_image(sample.image))
        labels = read_label_map(sample.label, space, LabelEncoding.ZERO_IS_IGNORE)
        assert np.array_equal(np.asarray(row["label"]) - np.uint8(1), labels)


def test_the_loaded_scenes_have_the_published_hashes(folder, tmp_path):
    published = json.loads((definitions_dir() / "scenes/pixels-val.json").read_text())["scenes"]
    rows = datasets.load_dataset(str(folder), split="val", cache_dir=str(tmp_path))
    found = {
        row["id"]: pixel_sha256(np.asarray(row["image"]), np.asarray(row["label"]) - np.uint8(1))
        for row in rows
    }
    assert found == published


def test_the_release_holds_against_the_scenes(source, folder):
    assert check_release(folder, source) == []


def test_scenes_whose_png_bytes_differ_are_the_same_scenes(source, folder, tmp_path):
    """Another encoder gives other bytes of the same pixels, and the pixels are the data set."""
    (opened,) = source.splits
    root = tmp_path / "rendered"
    for sample in opened.samples:
        for path in (sample.image, sample.label):
            copy = root / path.relative_to(opened.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes() + b"\0")
    assert check_release(folder, open_source("scenes", root, ["val"])) == []


def test_the_card_says_that_it_is_a_demonstration(folder):
    card = (folder / "README.md").read_text()
    assert "license: apache-2.0" in card
    assert "demonstration and a test bed" in card
    assert "../" not in card
