"""A folder of label maps in a label space's encoding."""

import numpy as np
import pytest
from PIL import Image

from rass_bench.annotate.interchange.photos import Photo
from rass_bench.annotate.interchange.png import read_png_folder
from rass_bench.errors import UserError
from rass_bench.labels import LabelEncoding, load_label_space

ADE = load_label_space("ade20k-150")
ZERO, CONTIGUOUS = LabelEncoding.ZERO_IS_IGNORE, LabelEncoding.CONTIGUOUS


def save(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, dtype=np.uint8)).save(path)


@pytest.mark.parametrize(
    ("encoding", "labels"), [(ZERO, [[255, 0, 149]]), (CONTIGUOUS, [[0, 1, 149]])]
)
def test_files_are_read_in_their_encoding_sorted_by_sample_id(tmp_path, encoding, labels):
    stored = [[0, 1, 150]] if encoding is ZERO else [[0, 1, 149]]
    save(tmp_path / "z.png", stored)
    save(tmp_path / "a/b.png", stored)
    photos = [Photo("z.jpg", 1, 3), Photo("a/b.jpeg", 1, 3), Photo("unlabelled.jpg", 9, 9)]
    read = list(read_png_folder(tmp_path, photos, ADE, encoding))
    assert [photo.sample_id for photo, _ in read] == ["a/b", "z"]
    assert all(found.tolist() == labels for _, found in read)


def test_real_ade20k_masks_are_read_as_the_ids_less_one(shared_data):
    folder = shared_data("ade20k150/annotations/validation")
    stored = {path.stem: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))}
    photos = [Photo(f"{key}.jpg", *raw.shape) for key, raw in stored.items()]
    read = list(read_png_folder(folder, photos, ADE, ZERO))
    assert len(read) == len(stored)
    for photo, labels in read:
        raw = stored[photo.sample_id].astype(int)
        assert np.array_equal(labels, np.where(raw == 0, 255, raw - 1))


def test_a_mask_of_no_photo_is_refused_before_any_is_read(tmp_path):
    save(tmp_path / "a.png", [[0]])
    save(tmp_path / "stranger.png", [[0]])
    with pytest.raises(UserError, match="no photo is named 'stranger'"):
        next(read_png_folder(tmp_path, [Photo("a.jpg", 1, 1)], ADE, ZERO))


def test_a_mask_of_another_size_is_refused(tmp_path):
    save(tmp_path / "a.png", [[0, 0]])
    with pytest.raises(UserError, match="the mask is 2 x 1 pixels, its photo 1 x 2"):
        list(read_png_folder(tmp_path, [Photo("a.jpg", 2, 1)], ADE, ZERO))


def test_a_value_that_is_no_class_is_refused(tmp_path):
    save(tmp_path / "a.png", [[151]])
    with pytest.raises(UserError, match="label value 151"):
        list(read_png_folder(tmp_path, [Photo("a.jpg", 1, 1)], ADE, ZERO))


def test_a_picture_that_is_no_png_is_refused(tmp_path):
    save(tmp_path / "a.jpg", [[1]])
    with pytest.raises(UserError, match=r"no \.png file"):
        list(read_png_folder(tmp_path, [Photo("a.jpg", 1, 1)], ADE, ZERO))
