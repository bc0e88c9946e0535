"""Polygons of labelme."""

import json

import numpy as np
import pytest

from rass_bench.annotate.interchange.labelme import read_labelme
from rass_bench.annotate.interchange.photos import Photo
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space

ADE = load_label_space("ade20k-150")
PHOTO = Photo("a.jpg", 6, 8)
SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


def shape(label="sky", points=SQUARE, **changes):
    return {"label": label, "points": points, "shape_type": "polygon", "flags": {}, **changes}


def read(folder, *shapes, **changes):
    document = {"version": "5.4.1", "shapes": list(shapes), "imagePath": "../../etc/passwd"}
    size = {"imageHeight": 6, "imageWidth": 8}
    (folder / "a.json").write_text(json.dumps({**document, **size, **changes}))
    ((photo, labels),) = read_labelme(folder, [PHOTO, Photo("b.jpg", 3, 3)], ADE)
    assert photo == PHOTO
    return labels


def test_later_shapes_lie_on_top_and_the_rest_is_ignore(tmp_path):
    right = [[2, 0], [8, 0], [8, 2], [2, 2]]
    labels = read(tmp_path, shape("sky"), shape("edifice", right))
    expected = np.full((6, 8), 255, np.uint8)
    expected[:4, :4] = ADE.id_of("sky")
    expected[:2, 2:] = ADE.id_of("building")
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize("label", ["ignore", "__ignore__"])
def test_ignore_hides_what_it_covers(tmp_path, label):
    labels = read(tmp_path, shape("sky"), shape(label, [[0, 0], [1, 0], [1, 4], [0, 4]]))
    assert labels[0].tolist() == [255, 2, 2, 2, 255, 255, 255, 255]


def test_a_rectangle_is_named_by_two_opposite_corners(tmp_path):
    labels = read(tmp_path, shape("sky", [[5, 4], [1, 1]], shape_type="rectangle"))
    assert np.array_equal(np.argwhere(labels == 2)[[0, -1]], [[1, 1], [3, 4]])


def test_a_file_without_shapes_is_ignore_everywhere(tmp_path):
    assert (read(tmp_path) == 255).all()


@pytest.mark.parametrize("kind", ["circle", "line", "point", "mask", None, ["polygon"]])
def test_shapes_of_other_types_are_refused(tmp_path, kind):
    with pytest.raises(UserError, match="are not read") as caught:
        read(tmp_path, shape(), shape(shape_type=kind))
    assert caught.value.where.endswith("a.json, shape 1")


@pytest.mark.parametrize("label", ["skyy", "<script>", "screen", "", None, 2, "x" * 300])
def test_a_label_that_is_no_class_is_refused(tmp_path, label):
    with pytest.raises(UserError, match=r"no class|means the classes|the label is") as caught:
        read(tmp_path, shape(label))
    assert "shape 0" in caught.value.where


@pytest.mark.parametrize("size", [{"imageWidth": 9}, {"imageHeight": None}, {"imageHeight": 10**9}])
def test_another_size_or_none_is_refused(tmp_path, size):
    with pytest.raises(UserError, match="its photo 8 x 6"):
        read(tmp_path, shape(), **size)


@pytest.mark.parametrize(
    "points",
    [
        None,
        [],
        [[0, 0], [1, 1]],
        [[0, 0, 0]] * 3,
        [1, 2, 3],
        [[0, 1e9]] * 3,
        [[0, float("nan")]] * 3,
    ],
)
def test_points_that_make_no_polygon_are_refused(tmp_path, points):
    with pytest.raises(UserError, match="point"):
        read(tmp_path, shape(points=points))


@pytest.mark.parametrize("shapes", [None, {}, [1], ["sky"]])
def test_shapes_that_are_no_list_of_mappings_are_refused(tmp_path, shapes):
    with pytest.raises(UserError, match="shapes"):
        read(tmp_path, shapes=shapes)


def test_too_many_shapes_are_refused(tmp_path):
    with pytest.raises(UserError, match="2001 shapes"):
        read(tmp_path, shapes=[{}] * 2001)


def test_a_file_of_no_photo_is_refused(tmp_path):
    (tmp_path / "stranger.json").write_text("{}")
    with pytest.raises(UserError, match="no photo is named 'stranger'"):
        read(tmp_path, shape())


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="no valid JSON"):
        list(read_labelme(tmp_path, [PHOTO], ADE))
