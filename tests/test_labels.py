"""Label spaces, and raw label files to contiguous ids, once."""

import csv

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.labels import (
    IGNORE,
    LabelEncoding,
    decode_labels,
    encode_labels,
    label_space_names,
    load_label_space,
    read_label_map,
)

ADE = load_label_space("ade20k-150")


def save(path, array):
    Image.fromarray(np.asarray(array)).save(path)
    return path


@pytest.mark.parametrize("name", label_space_names())
def test_every_label_space_is_complete(name):
    space = load_label_space(name)
    assert [entry.id for entry in space.classes] == list(range(space.size))
    assert all(entry.name for entry in space.classes)
    assert space.palette().shape == (256, 3)
    assert not space.palette()[IGNORE].any()


def test_ade20k_150_agrees_with_the_official_tables(shared_data):
    folder = shared_data("ade20k_meta")
    colours = scipy.io.loadmat(folder / "color150.mat")["colors"]
    with (folder / "object150_info.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for entry, row, colour in zip(ADE.classes, rows, colours, strict=True):
        assert [entry.name, *entry.synonyms] == [name.strip() for name in row["Name"].split(";")]
        assert entry.is_stuff == (row["Stuff"] == "1")
        assert entry.colour == tuple(colour)


def test_ade20k_150_has_35_stuff_and_115_thing_classes():
    assert sum(entry.is_stuff for entry in ADE.classes) == 35
    assert ADE.size == 150


def test_colours_are_for_pictures_only_since_ade20k_gives_two_classes_one_colour():
    assert len({entry.colour for entry in ADE.classes}) == 149


def test_a_class_is_found_by_name_and_by_synonym():
    assert ADE.id_of("building") == ADE.id_of("edifice") == 1
    with pytest.raises(UserError, match="Did you mean building"):
        ADE.id_of("bulding")


def test_zero_becomes_ignore_and_the_others_lose_one(tmp_path):
    path = save(tmp_path / "a.png", np.array([[0, 1, 150]], dtype=np.uint8))
    labels = read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE)
    assert labels.tolist() == [[255, 0, 149]]
    assert labels.dtype == np.uint8


def test_contiguous_files_are_read_as_they_are(tmp_path):
    space = load_label_space("camvid-11")
    path = save(tmp_path / "a.png", np.array([[0, 10, 255]], dtype=np.uint8))
    assert read_label_map(path, space, LabelEncoding.CONTIGUOUS).tolist() == [[0, 10, 255]]


@given(st.integers(0, 255), st.sampled_from(LabelEncoding))
def test_encoding_undoes_decoding(value, encoding):
    raw = np.array([[value]], dtype=np.uint8)
    assert encode_labels(decode_labels(raw, encoding), encoding) == raw


def test_a_jpeg_is_no_label_map_since_its_ids_are_not_the_ones_saved(tmp_path):
    path = save(tmp_path / "a.jpg", np.full((8, 8), 40, dtype=np.uint8))
    with pytest.raises(UserError, match=r"JPEG.*a\.jpg"):
        read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE)


def test_a_label_map_that_exif_data_ask_to_turn_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((2, 2), dtype=np.uint8)).save(path, exif=exif)
    with pytest.raises(UserError, match=r"turn.*a\.png"):
        read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE)


def test_a_palette_file_gives_its_indices_not_its_colours(tmp_path):
    image = Image.fromarray(np.array([[3, 5]], dtype=np.uint8), mode="P")
    image.putpalette([9, 90, 200] * 256)
    image.save(tmp_path / "palette.png")
    labels = read_label_map(tmp_path / "palette.png", ADE, LabelEncoding.ZERO_IS_IGNORE)
    assert labels.tolist() == [[2, 4]]


def test_a_sixteen_bit_file_is_read_when_its_values_fit(tmp_path):
    path = save(tmp_path / "wide.png", np.array([[0, 7]], dtype=np.uint16))
    assert read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE).tolist() == [[255, 6]]


def test_the_full_ade20k_is_recognised_by_its_ids(tmp_path):
    path = save(tmp_path / "full.png", np.array([[2978]], dtype=np.uint16))
    with pytest.raises(UserError, match="ADEChallengeData2016"):
        read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE)


def test_labels_that_were_shifted_already_are_recognised(tmp_path):
    path = save(tmp_path / "shifted.png", np.array([[0, 149, 255]], dtype=np.uint8))
    with pytest.raises(UserError, match="shifted already"):
        read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE)


def test_an_id_outside_the_space_is_named_with_file_and_range(tmp_path):
    path = save(tmp_path / "outside.png", np.array([[11, 40]], dtype=np.uint8))
    with pytest.raises(UserError, match=r"label value 11 .* 0\.\.10 and 255.*outside\.png"):
        read_label_map(path, load_label_space("camvid-11"), LabelEncoding.CONTIGUOUS)


def test_a_colour_image_is_no_label_map(tmp_path):
    path = save(tmp_path / "colour.png", np.zeros((2, 2, 3), dtype=np.uint8))
    with pytest.raises(UserError, match="one channel"):
        read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE)


def test_an_unknown_label_space_is_named():
    with pytest.raises(UserError, match="Did you mean ade20k-150"):
        load_label_space("ade20k-15")


@pytest.mark.parametrize("split", ["training", "validation"])
def test_real_ade20k_labels_are_read(shared_data, split):
    for path in sorted((shared_data("ade20k150") / "annotations" / split).glob("*.png")):
        raw = np.asarray(Image.open(path)).astype(int)
        labels = read_label_map(path, ADE, LabelEncoding.ZERO_IS_IGNORE).astype(int)
        assert np.array_equal(labels[raw > 0], raw[raw > 0] - 1)
        assert (labels[raw == 0] == IGNORE).all()
