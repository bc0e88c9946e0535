"""COCO panoptic files: segments numbered by colour."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate.interchange.panoptic import read_panoptic, write_panoptic
from rass_bench.annotate.interchange.photos import Photo
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space

ADE = load_label_space("ade20k-150")
PHOTO = Photo("a.jpg", 2, 3)
IMAGE = {"id": 7, "file_name": "a.jpg", "height": 2, "width": 3}
CATEGORIES = [{"id": 40, "name": "sky"}, {"id": 41, "name": "tree"}]
NUMBERS = [[0, 70_000, 70_000], [300, 300, 1]]
SEGMENTS = [
    {"id": 70_000, "category_id": 40},
    {"id": 300, "category_id": 41},
    {"id": 1, "category_id": 40},
]


def save(path, numbers):
    numbers = np.array(numbers, dtype=np.int64)
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=-1)
    Image.fromarray(colours.astype(np.uint8)).save(path)


def read(folder, numbers=NUMBERS, segments=SEGMENTS, name="a.png", **changes):
    (folder / "png").mkdir()
    save(folder / "png/a.png", numbers)
    annotation = {"image_id": 7, "file_name": name, "segments_info": segments}
    document = {"images": [IMAGE], "annotations": [annotation], "categories": CATEGORIES}
    (folder / "panoptic.json").write_text(json.dumps({**document, **changes}))
    ((photo, labels),) = read_panoptic(folder / "panoptic.json", folder / "png", [PHOTO], ADE)
    assert photo == PHOTO
    return labels


def test_segments_are_red_and_256_green_and_65536_blue(tmp_path):
    assert read(tmp_path).tolist() == [[255, 2, 2], [4, 4, 2]]


label_maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 1, 114, 130, 149, 255]),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(label_maps, min_size=1, max_size=3))
def test_what_is_written_comes_back(tmp_path_factory, maps):
    folder = tmp_path_factory.mktemp("panoptic")
    photos = [Photo(f"f/{index}.jpg", *labels.shape) for index, labels in enumerate(maps)]
    write_panoptic(folder / "p.json", folder / "p", zip(photos, maps, strict=True), ADE)
    found = list(read_panoptic(folder / "p.json", folder / "p", photos, ADE))
    assert [photo for photo, _ in found] == photos
    assert all(np.array_equal(one, labels) for (_, one), labels in zip(found, maps, strict=True))


def test_the_written_file_is_what_the_format_says(tmp_path):
    labels = np.array([[255, 2, 2], [149, 2, 255]], dtype=np.uint8)
    write_panoptic(tmp_path / "p.json", tmp_path / "p", [(PHOTO, labels)], ADE)
    document = json.loads((tmp_path / "p.json").read_text())
    (annotation,) = document["annotations"]
    names = {one["id"]: one["name"] for one in document["categories"]}
    colours = np.asarray(Image.open(tmp_path / "p" / annotation["file_name"])).astype(int)
    numbers = colours @ [1, 256, 65536]
    for segment in annotation["segments_info"]:
        rows, columns = np.nonzero(numbers == segment["id"])
        assert segment["area"] == rows.size
        left, top, width, height = segment["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
        class_id = ADE.id_of(names[segment["category_id"]])
        assert (labels[rows, columns] == class_id).all()
    assert np.array_equal(numbers == 0, labels == 255)
    things = {one["name"]: one["isthing"] for one in document["categories"]}
    assert (things["sky"], things["person"]) == (0, 1)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "a\0.png"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, name):
    save(tmp_path / "secret.png", NUMBERS)
    with pytest.raises(UserError, match=r"leads out of the folder|can name no file"):
        read(tmp_path, name=name)


def test_a_photo_whose_path_leads_out_of_the_folder_is_not_written(tmp_path):
    stranger = Photo("../a.jpg", 1, 1)
    with pytest.raises(UserError, match="leads out of the folder"):
        write_panoptic(
            tmp_path / "p.json", tmp_path / "p", [(stranger, np.zeros((1, 1), np.uint8))], ADE
        )
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("name", [None, 5, "", "absent.png"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"file name|image not found"):
        read(tmp_path, name=name)


def test_a_segment_in_the_png_alone_is_refused(tmp_path):
    with pytest.raises(UserError, match="the segment 1 is in the PNG or in the list alone"):
        read(tmp_path, segments=SEGMENTS[:2])


def test_a_segment_in_the_list_alone_is_refused(tmp_path):
    with pytest.raises(UserError, match="the segment 9 is in the PNG or in the list alone"):
        read(tmp_path, segments=[*SEGMENTS, {"id": 9, "category_id": 40}])


@pytest.mark.parametrize("number", [0, 300, None, "1", True, [1]])
def test_a_segment_id_that_is_void_or_twice_or_no_number_is_refused(tmp_path, number):
    with pytest.raises(UserError, match="the segment id"):
        read(tmp_path, segments=[*SEGMENTS, {"id": number, "category_id": 40}])


def test_an_unknown_category_is_refused(tmp_path):
    with pytest.raises(UserError, match="the category 99 is not in the file"):
        read(tmp_path, segments=[*SEGMENTS[:2], {"id": 1, "category_id": 99}])


def test_a_png_of_another_size_is_refused(tmp_path):
    with pytest.raises(UserError, match="the mask is 2 x 2 pixels, its photo 3 x 2"):
        read(tmp_path, numbers=[[0, 1], [1, 300]])


def test_a_grey_png_is_refused(tmp_path):
    (tmp_path / "grey").mkdir()
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "grey/g.png")
    with pytest.raises(UserError, match="in an RGB PNG, not in PNG L") as caught:
        read_grey(tmp_path)
    assert caught.value.where.endswith("g.png")


def read_grey(folder):
    annotation = {"image_id": 7, "file_name": "g.png", "segments_info": []}
    document = {"images": [IMAGE], "annotations": [annotation], "categories": CATEGORIES}
    (folder / "panoptic.json").write_text(json.dumps(document))
    return list(read_panoptic(folder / "panoptic.json", folder / "grey", [PHOTO], ADE))


@pytest.mark.parametrize("count", [0, 2])
def test_an_image_has_one_annotation(tmp_path, count):
    one = {"image_id": 7, "file_name": "a.png", "segments_info": SEGMENTS}
    with pytest.raises(UserError, match=f"{count} annotations of one image"):
        read(tmp_path, annotations=[one] * count)


@pytest.mark.parametrize("segments", [None, {}, [1]])
def test_segments_that_are_no_list_are_refused(tmp_path, segments):
    with pytest.raises(UserError, match="segments_info"):
        read(tmp_path, segments=segments)
