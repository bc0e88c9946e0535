"""Opening data sets in each layout, and what is said of files that are missing."""

import os

import numpy as np
import pytest
from PIL import Image

from rass_bench.data.dataset import build_manifest, open_dataset
from rass_bench.data.manifest import load_manifest
from rass_bench.errors import UserError
from tests.builders import labelled_set


def photo(path, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def test_samples_are_paired_with_their_labels_and_sorted(tmp_path):
    dataset = open_dataset(str(labelled_set(tmp_path)))
    assert [sample.id for sample in dataset.samples] == ["p0", "p1", "p2", "p3"]
    assert dataset.samples[0].label == tmp_path / "annotations/test/p0.png"
    assert dataset.samples[0].reference is None
    assert dataset.missing == 0


def test_subfolders_become_part_of_the_id(tmp_path):
    labelled_set(tmp_path, count=1)
    for folder in ("images", "annotations"):
        (tmp_path / folder / "test/street").mkdir()
        (tmp_path / folder / "test/p0.png").rename(tmp_path / folder / "test/street/p0.png")
    assert [sample.id for sample in open_dataset(str(tmp_path)).samples] == ["street/p0"]


def test_a_photo_without_label_stays_listed_with_the_path_it_lacks(tmp_path):
    labelled_set(tmp_path)
    (tmp_path / "annotations/test/p1.png").unlink()
    sample = open_dataset(str(tmp_path)).samples[1]
    assert sample.label == tmp_path / "annotations/test/p1.png"


def test_clean_photos_become_references(tmp_path):
    labelled_set(tmp_path, count=1)
    photo(tmp_path / "clean/test/p0.jpg")
    assert open_dataset(str(tmp_path)).samples[0].reference == tmp_path / "clean/test/p0.jpg"


def test_two_files_of_one_id_are_refused(tmp_path):
    labelled_set(tmp_path)
    photo(tmp_path / "images/test/p0.jpg")
    with pytest.raises(UserError, match="two files for one id"):
        open_dataset(str(tmp_path))


def test_an_empty_folder_says_how_the_layout_looks(tmp_path):
    (tmp_path / "images/validation").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no photos found.*images/<split>/"):
        open_dataset("ade20k", tmp_path)


def test_without_a_data_root_the_user_hears_where_to_get_the_data(monkeypatch):
    monkeypatch.delenv("RASS_BENCH_DATA", raising=False)
    with pytest.raises(UserError, match=r"--data-root.*ADEChallengeData2016"):
        open_dataset("ade20k")


def test_the_environment_names_the_folder_that_holds_data_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_DATA", str(tmp_path))
    photo(tmp_path / "realsr/test_LR/a.png")
    photo(tmp_path / "realsr/test_HR/a.png")
    dataset = open_dataset("realsr")
    assert dataset.root == tmp_path / "realsr"
    assert dataset.missing == 99


def test_pairs_find_their_high_resolution_partner(tmp_path):
    photo(tmp_path / "test_LR/a.png")
    photo(tmp_path / "test_HR/a.png", size=(16, 12))
    (sample,) = open_dataset("realsr", tmp_path).samples
    assert sample.reference == tmp_path / "test_HR/a.png"
    assert sample.label is None


def test_any_folder_of_photos_is_a_data_set(tmp_path):
    photo(tmp_path / "holiday/one.jpg")
    photo(tmp_path / "two.PNG")
    (tmp_path / "notes.txt").write_text("not a photo")
    assert [sample.id for sample in open_dataset("photos", tmp_path).samples] == [
        "holiday/one",
        "two",
    ]


def test_degraded_photos_without_labels_find_their_clean_ones(tmp_path):
    photo(tmp_path / "images/a.png")
    photo(tmp_path / "clean/a.jpg")
    (sample,) = open_dataset("photos", tmp_path).samples
    assert (sample.id, sample.reference) == ("a", tmp_path / "clean/a.jpg")


def test_a_folder_is_no_photo_whatever_its_name(tmp_path):
    labelled_set(tmp_path)
    (tmp_path / "images/test/thumbnails.jpg").mkdir()
    assert len(open_dataset(str(tmp_path)).samples) == 4


def test_a_name_that_is_no_text_is_named(tmp_path):
    labelled_set(tmp_path)
    photo = tmp_path / "images/test/p0.png"
    photo.rename(photo.with_name(os.fsdecode(b"caf\xe9.png")))
    with pytest.raises(UserError, match=r"no valid UTF-8.*Rename"):
        open_dataset(str(tmp_path))


def test_a_name_that_would_command_a_terminal_is_named(tmp_path):
    labelled_set(tmp_path)
    photo = tmp_path / "images/test/p0.png"
    photo.rename(photo.with_name("\x1b[2Jp0.png"))
    with pytest.raises(UserError, match=r"control characters.*Rename") as caught:
        open_dataset(str(tmp_path))
    assert "\x1b" not in str(caught.value)


def test_the_manifest_identifies_content_not_place(tmp_path):
    one = build_manifest(open_dataset(str(labelled_set(tmp_path / "one"))))
    other = build_manifest(open_dataset(str(labelled_set(tmp_path / "elsewhere"))))
    assert one.sha256() == other.sha256()
    assert (one.entries[0].width, one.entries[0].height) == (16, 12)


@pytest.mark.parametrize("folder", ["images", "annotations"])
def test_one_changed_pixel_changes_the_manifest(tmp_path, folder):
    labelled_set(tmp_path)
    before = build_manifest(open_dataset(str(tmp_path))).sha256()
    path = tmp_path / folder / "test/p2.png"
    pixels = np.array(Image.open(path))
    pixels.flat[-1] ^= 1
    Image.fromarray(pixels).save(path)
    assert build_manifest(open_dataset(str(tmp_path))).sha256() != before


def test_a_manifest_is_read_back_as_it_was_written(tmp_path):
    manifest = build_manifest(open_dataset(str(labelled_set(tmp_path))))
    manifest.save(tmp_path / "manifest-test.json")
    assert load_manifest(tmp_path / "manifest-test.json") == manifest


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"image": "images/test/p0.png"', '"image": "../../secret.png"', "leads out of the folder"),
        ('"schema_version": 1', '"schema_version": 99', "newer than this program"),
        ('"id": "p0"', '"id": "p9"', "does not fit its entries"),
        ('"width"', '"wdith"', "malformed manifest"),
        ('"image": "images/test/p0.png"', '"image": null', "malformed manifest: image is None"),
        ('"image": "images/test/p0.png"', '"image": "a\\u0000"', "can name no file"),
        ('"id": "p0"', '"id": ["p0"]', r"malformed manifest: id is \['p0'\], not str"),
        ('"id": "p0"', '"id": NaN', "malformed manifest: id is nan, not str"),
        ('"schema_version": 1', '"schema_version": "1"', "the manifest states no schema version"),
    ],
)
def test_a_manifest_that_was_tampered_with_is_refused(tmp_path, old, new, words):
    path = tmp_path / "manifest-test.json"
    build_manifest(open_dataset(str(labelled_set(tmp_path)))).save(path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=words):
        load_manifest(path)


def test_the_real_ade20k_sample_is_paired(shared_data):
    dataset = open_dataset("ade20k", shared_data("ade20k150"))
    assert len(dataset.samples) == 9
    assert dataset.missing == 1991
    assert all(sample.label is not None and sample.label.is_file() for sample in dataset.samples)
