"""Regions of Label Studio results: real exports, and results from strangers."""

import json
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.annotate.brush_rle import encode_brush
from rass_bench.annotate.regions import MAX_RESULTS, read_regions
from rass_bench.errors import UserError
from rass_bench.files import parse_json
from tests.annotate.sdk_codec import load_sdk_codec


@pytest.fixture(scope="module")
def sdk_brush():
    return load_sdk_codec()


HEIGHT, WIDTH = 40, 60
WHERE = "task 7, annotation 12"


def entry(kind="brushlabels", value=None, **changes):
    """One result as the server stores it."""
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[10:20, 30:50] = 255
    value = value or {"format": "rle", "rle": encode_brush(alpha), "brushlabels": ["13"]}
    common = {"id": "r1", "type": kind, "value": value, "origin": "manual", "image_rotation": 0}
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    return {**common, **size, **changes}


def rectangle(**changes):
    value = {"x": 10, "y": 25, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["2"]}
    return entry("rectanglelabels", {**value, **changes})


def ellipse(**changes):
    value = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 25, "rotation": 0, "ellipselabels": ["3"]}
    return entry("ellipselabels", {**value, **changes})


def polygon(points=None, **changes):
    points = points or [[0, 0], [50, 0], [50, 50], [0, 50]]
    return entry("polygonlabels", {"points": points, "polygonlabels": ["4"], **changes})


def read(*entries):
    return read_regions(list(entries), HEIGHT, WIDTH, WHERE)


def refuse(match, *entries, height=HEIGHT, width=WIDTH):
    with pytest.raises(UserError, match=match) as caught:
        read_regions(list(entries), height, width, WHERE)
    assert WHERE in caught.value.where
    return caught.value


def box(region):
    rows, columns = region.mask.shape
    return region.top, region.left, rows, columns


# Real exports.


def annotations(path):
    """Results of all annotations and predictions in an export, with the size they state."""
    document = parse_json(path.read_bytes())
    for task in document if isinstance(document, list) else [document]:
        for annotation in [*task.get("annotations", []), *task.get("predictions", [])]:
            yield annotation["result"]


def readable(result):
    kinds = ("brush", "polygon", "rectangle", "ellipse")
    shapes = [one for one in result if str(one["type"]).removesuffix("labels") in kinds]
    ids = {one["id"] for one in shapes}
    return [
        one for one in result if one in shapes or (one["type"] == "labels" and one["id"] in ids)
    ]


def test_the_real_mixed_export_is_read_with_its_brush_of_2242_x_2802(shared_data, sdk_brush):
    path = shared_data("label_studio/frontend_examples/image_tools/annotations/1.json")
    (result,) = annotations(path)
    regions = read_regions(readable(result), 2802, 2242, WHERE)
    assert [(region.kind, region.label, region.origin) for region in regions] == [
        ("rectangle", "Moonwalker", "manual"),
        ("rectangle", "Moonwalker", "manual"),
        ("ellipse", "Moonwalker", "manual"),
        ("polygon", "Planet", "manual"),
        ("brush", "Planet", "manual"),
        ("rectangle", "Moonwalker", "prediction"),
        ("rectangle", "Planet", "prediction"),
    ]
    brush = regions[4]
    (stream,) = [one["value"]["rle"] for one in result if one["type"] == "brush"]
    oracle = sdk_brush.decode_rle(stream).reshape(2802, 2242, 4)[:, :, 3] >= 128
    rows, columns = np.nonzero(oracle)
    assert (brush.top, brush.left) == (rows.min(), columns.min())
    assert np.array_equal(
        brush.mask, oracle[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    )


def test_the_real_shapes_have_the_areas_that_their_percentages_say(shared_data):
    path = shared_data("label_studio/frontend_examples/image_tools/annotations/1.json")
    (result,) = annotations(path)
    regions = {
        region.region_id: region for region in read_regions(readable(result), 2802, 2242, WHERE)
    }
    values = {one["id"]: one["value"] for one in result if one["type"] in ("rectangle", "ellipse")}
    for region_id, value in values.items():
        sides = [
            value.get("width"),
            value.get("height"),
            value.get("radiusX"),
            value.get("radiusY"),
        ]
        width, height, across, along = [(side or 0) / 100 for side in sides]
        area = (width * height + np.pi * across * along) * 2802 * 2242
        assert regions[region_id].mask.sum() == pytest.approx(area, rel=0.01)


def test_the_real_mixed_export_is_refused_whole_by_the_kind_that_is_not_read(shared_data):
    path = shared_data("label_studio/frontend_examples/image_tools/annotations/1.json")
    (result,) = annotations(path)
    error = refuse("'keypoint' are not read", *result, height=2802, width=2242)
    assert "region 'VGt7HG67jC'" in error.where


def test_the_real_polygons_without_a_stated_size_are_read(shared_data):
    folder = shared_data("label_studio/frontend_examples/image_polygons")
    for path in [folder / "annotations/0.json", folder / "tasks.json"]:
        (result,) = annotations(path)
        (region,) = read_regions(result, 501, 800, WHERE)
        assert (region.kind, region.label, region.origin) == ("polygon", "Hello", None)
        points = np.array(result[0]["value"]["points"]) * (8, 5.01)
        following = np.roll(points, -1, axis=0)
        shoelace = (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum() / 2
        assert region.mask.sum() == pytest.approx(abs(shoelace), rel=0.005)


@pytest.mark.parametrize(
    "name",
    [
        "test_export_coco/data.json",
        "test_export_json_min/data.json",
        "test_export_yolo/data.json",
        "test_export_yolo/data_keypoints.json",
        "test_export_yolo/data_obb.json",
        "test_export_yolo/data_polygons.json",
    ],
)
def test_each_real_export_is_read_where_it_holds_shapes(shared_data, name):
    count = 0
    for result in annotations(shared_data(f"label_studio/sdk_converter_data/{name}")):
        shapes = readable(result)
        for one in shapes:
            height, width = one["original_height"], one["original_width"]
            (region,) = read_regions([one], height, width, WHERE)
            assert region.label == one["value"][one["type"]][0]
            assert 0 < region.mask.sum() < height * width
            assert region.top + region.mask.shape[0] <= height
            assert region.left + region.mask.shape[1] <= width
            count += 1
        for one in [other for other in result if other not in shapes]:
            with pytest.raises(UserError, match=r"are not read|the region's id is None"):
                read_regions([one], 100, 100, WHERE)
    assert count > 0


def test_the_real_turned_rectangles_keep_their_area(shared_data):
    path = shared_data("label_studio/sdk_converter_data/test_export_yolo/data_obb.json")
    (first, *_) = annotations(path)
    for one in first:
        value, height, width = one["value"], one["original_height"], one["original_width"]
        (region,) = read_regions([one], height, width, WHERE)
        area = value["width"] * value["height"] / 10_000 * height * width
        assert region.mask.sum() == pytest.approx(area, rel=0.02)


# What is read.


def test_a_brush_is_cropped_to_its_bounding_box():
    (region,) = read(entry())
    assert (region.region_id, region.label, region.kind) == ("r1", "13", "brush")
    assert box(region) == (10, 30, 10, 20)
    assert region.mask.all()


def test_anti_aliased_strokes_are_cut_at_128():
    alpha = np.full((HEIGHT, WIDTH), 127, np.uint8)
    alpha[5, 6] = 128
    (region,) = read(entry(value={"format": "rle", "rle": encode_brush(alpha)}))
    assert box(region) == (5, 6, 1, 1)


def test_a_region_that_was_erased_again_has_no_pixel():
    stream = encode_brush(np.zeros((HEIGHT, WIDTH), np.uint8))
    (region,) = read(entry(value={"format": "rle", "rle": stream, "brushlabels": ["1"]}))
    assert box(region) == (0, 0, 0, 0)


def test_a_rectangle_a_polygon_and_an_ellipse_lie_where_their_percentages_say():
    assert box(read(rectangle())[0]) == (10, 6, 10, 30)
    assert box(read(polygon())[0]) == (0, 0, 20, 30)
    assert box(read(ellipse())[0]) == (10, 18, 20, 24)


def test_a_rectangle_turned_by_90_degrees_hangs_left_of_its_corner():
    assert box(read(rectangle(x=50, y=0, width=20, height=50, rotation=90))[0]) == (0, 10, 12, 20)


def test_an_ellipse_turned_by_90_degrees_swaps_its_radii_in_pixels():
    assert box(read(ellipse(rotation=90))[0]) == (8, 20, 24, 20)


def test_percentages_that_leave_0_to_100_by_rounding_alone_are_read():
    points = [[-1e-9, 0], [100.00000001, 0], [100, 100], [0, 100]]
    assert read(polygon(points))[0].mask.all()


def test_a_label_of_its_own_result_belongs_to_the_region_of_its_id():
    shape = entry("brush", {"format": "rle", "rle": entry()["value"]["rle"]})
    label = {**shape, "type": "labels", "value": {**shape["value"], "labels": ["5"]}}
    for order in ([shape, label], [label, shape]):
        (region,) = read(*order)
        assert (region.kind, region.label) == ("brush", "5")


def test_a_region_without_a_label_has_none():
    assert read(entry("brush", {"format": "rle", "rle": entry()["value"]["rle"]}))[0].label is None


def test_regions_keep_their_order():
    regions = read(entry(), {**rectangle(), "id": "r0"}, {**ellipse(), "id": "r2"})
    assert [region.region_id for region in regions] == ["r1", "r0", "r2"]


def test_a_brush_painted_in_a_turned_view_is_read_as_the_photo_lies():
    assert box(read(entry(image_rotation=90))[0]) == (10, 30, 10, 20)


def test_without_results_there_are_no_regions():
    assert read() == ()


# What is refused, with task, annotation and region in the message.


@pytest.mark.parametrize(
    "kind",
    ["keypointlabels", "choices", "textarea", "relation", "videorectangle", "magicwand", "labels2"],
)
def test_other_kinds_are_refused_by_name(kind):
    assert "region 'r1'" in refuse(f"'{kind}' are not read", entry(kind)).where


@pytest.mark.parametrize("kind", [None, 3, ["brush"], {}, "", "<script>alert(1)</script>"])
def test_a_type_that_is_none_is_refused(kind):
    refuse("are not read", entry(kind))


@pytest.mark.parametrize("share", [-1, 100.1, 1e300, -(10**400), float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("make", "key"),
    [(rectangle, "x"), (rectangle, "height"), (ellipse, "y"), (ellipse, "radiusX")],
)
def test_percentages_outside_0_to_100_are_refused(make, key, share):
    assert "region 'r1'" in refuse(rf"{key} is .*, not within", make(**{key: share})).where


@pytest.mark.parametrize("share", [-1, 101, float("nan"), "50", None, True, [1]])
def test_points_that_are_no_percentages_are_refused(share):
    refuse("a point is", polygon([[0, 0], [50, share], [50, 50]]))


@pytest.mark.parametrize("missing", ["x", "y", "width", "height"])
def test_a_missing_percentage_is_refused(missing):
    value = rectangle()["value"]
    del value[missing]
    refuse(f"{missing} is None", entry("rectanglelabels", value))


@pytest.mark.parametrize("rotation", [400, float("nan"), "left", None])
def test_a_rotation_that_is_none_is_refused(rotation):
    refuse("rotation is", rectangle(rotation=rotation))


@pytest.mark.parametrize(
    "points", [None, "0,0", [], [[1, 1]], [[1, 2, 3]] * 3, [5, 6, 7], [[0, 0]] * 10_001]
)
def test_points_that_make_no_polygon_are_refused(points):
    refuse("point", entry("polygonlabels", {"points": points}))


def test_a_polygon_that_was_not_closed_is_refused():
    refuse("not closed", polygon(closed=False))


@pytest.mark.parametrize(
    "size", [{"original_width": 61}, {"original_height": None}, {"original_width": 10**9}]
)
def test_a_brush_on_another_size_or_none_is_refused(size):
    refuse("drawn on .* pixels, not 60 x 40", entry(**size))


def test_a_shape_drawn_on_another_size_is_refused():
    refuse("drawn on 60 x 41 pixels", {**rectangle(), "original_height": 41})


def test_a_shape_drawn_in_a_turned_view_is_refused():
    refuse("turned by 90 degrees", {**rectangle(), "image_rotation": 90})


def test_a_brush_of_the_photo_lying_on_its_side_is_refused():
    refuse("drawn on 60 x 40 pixels, not 40 x 60", entry(), height=WIDTH, width=HEIGHT)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"format": "rle", "rle": [255] * 40}, "declares 4294967295 values"),
        ({"format": "rle", "rle": "AAAA"}, "not a list of bytes"),
        ({"format": "rle"}, "not a list of bytes"),
        ({"format": "png", "rle": []}, "format 'png'"),
        ({"touches": []}, "format None"),
    ],
)
def test_a_damaged_brush_is_refused_with_its_name(value, match):
    assert "region 'r1'" in refuse(match, entry(value=value)).where


def test_two_labels_on_one_region_are_refused():
    refuse("not a list of one label", rectangle(rectanglelabels=["1", "2"]))


@pytest.mark.parametrize("label", [[1], ["x" * 201], [""], [None], "12", {"a": 1}, ["\ud800"]])
def test_a_label_that_is_no_short_text_is_refused(label):
    refuse("label", rectangle(rectanglelabels=label))


@pytest.mark.parametrize("name", [None, 5, "", "x" * 10_000, "\udfff", ["r1"]])
def test_a_region_without_a_usable_id_is_refused_by_its_position(name):
    error = refuse("the region's id is", entry(), {**rectangle(), "id": name})
    assert "result 1" in error.where


def test_one_id_for_two_regions_is_refused():
    refuse("have this id", entry(), rectangle())


def test_a_label_for_no_region_is_refused():
    refuse("without the region", entry("labels", {"labels": ["5"]}))


def test_a_label_in_the_region_and_another_beside_it_are_refused():
    refuse("another result for it", rectangle(), entry("labels", {"labels": ["5"]}))


def test_an_unknown_origin_is_refused():
    refuse("origin is 'robot'", entry(origin="robot"))


@pytest.mark.parametrize("one", [None, 7, "region", ["id"], []])
def test_a_result_that_is_no_mapping_is_refused(one):
    assert "result 0" in refuse("not a mapping", one).where


@pytest.mark.parametrize("value", [None, "rle", [1, 2]])
def test_a_value_that_is_no_mapping_is_refused(value):
    refuse("the value is", {**entry(), "value": value})


@pytest.mark.parametrize("result", [None, {}, "[]", 3])
def test_something_else_than_a_list_is_refused(result):
    with pytest.raises(UserError, match="is a list of at most"):
        read_regions(result, HEIGHT, WIDTH, WHERE)


def test_10_000_regions_are_refused_before_the_first_is_decoded():
    assert MAX_RESULTS < 10_000
    refuse("not 10000 results", *[{"id": "never read"}] * 10_000)


def test_masks_that_sum_to_too_many_pixels_are_refused(monkeypatch):
    monkeypatch.setattr("rass_bench.annotate.regions.MAX_MASK_PIXELS", 3 * HEIGHT * WIDTH)
    whole = {"x": 0, "y": 0, "width": 100, "height": 100, "rotation": 0}
    shapes = [{**rectangle(**whole), "id": str(index)} for index in range(4)]
    read(*shapes[:3])
    assert "region '3'" in refuse("pixels in sum", *shapes).where


def test_text_from_strangers_is_shown_escaped_and_short():
    hostile = "\x1b[2J<script>" + "A" * 150
    message = str(refuse("are not read", {**entry("keypoint"), "id": hostile}))
    assert "\x1b" not in message
    assert len(message) < 400


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(st.data(), anything)
def test_any_value_in_any_place_is_read_or_refused_with_its_task(data, value):
    makers = [entry, rectangle, ellipse, polygon]
    result = deepcopy(data.draw(st.sampled_from(makers))())
    key = data.draw(st.sampled_from([*result, *(f"value.{name}" for name in result["value"])]))
    holder = result["value"] if key.startswith("value.") else result
    holder[key.removeprefix("value.")] = value
    try:
        (region,) = read(result)
    except UserError as error:
        assert WHERE in error.where
        return
    assert region.mask.dtype == bool
    assert region.top + region.mask.shape[0] <= HEIGHT
    assert region.left + region.mask.shape[1] <= WIDTH


def test_nan_in_the_json_of_an_export_is_refused():
    text = json.dumps(rectangle()).replace('"x": 10', '"x": NaN')
    refuse("x is nan", parse_json(text))
