"""Annotations that cannot be used are refused by name."""

import pytest

from rass_bench.annotate.acceptance import acceptance
from rass_bench.annotate.labeling_config import labeling_config
from rass_bench.annotate.photos import photo_url
from rass_bench.annotate.project import Task
from rass_bench.labels import load_label_space
from tests.annotate.builders import HEIGHT, WIDTH, region

CONFIG = labeling_config(load_label_space("camvid-11"))
TASK = Task("set/photo", 1, "photos/x.png", "0" * 64, WIDTH, HEIGHT)
DATA = {"image": photo_url("photos/x.png"), "sample": "set/photo"}


def problem(result, theirs=CONFIG, data=DATA):
    return acceptance(CONFIG, theirs).problem({"id": 1, "result": result}, TASK, data)


def test_what_fits_is_accepted():
    assert problem([]) is None
    assert problem([region("0"), region("10"), region("ignore")]) is None


RLE_BOMB = {"format": "rle", "rle": [255] * 8, "brushlabels": ["3"]}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ([region("11")], "unknown label '11'"),
        ([region("sky")], "unknown label 'sky'"),
        ([region("<script>alert(1)</script>")], "unknown label '<script>"),
        ([region("3", value={"format": "rle", "rle": [0, 0], "brushlabels": ["3"]})], "set/photo"),
        ([region("3", value=RLE_BOMB)], "set/photo"),
        ([region("3", value={"format": "rle", "brushlabels": ["3"]})], "set/photo"),
        ([region("3", original_width=WIDTH + 1)], "set/photo"),
        ([region("3", original_width=10**9, original_height=10**9)], "set/photo"),
        ([region("3", from_name="tag")], "unknown control 'tag'"),
        ([region("3"), region("3")], "set/photo"),
        ([region("3", type="relation")], "set/photo"),
        ([region("3")] * 10_000, "set/photo"),
        ("text", "set/photo"),
        (None, "set/photo"),
        ([None], "set/photo"),
    ],
)
def test_what_does_not_fit_is_named(result, words):
    assert words in problem(result)


@pytest.mark.parametrize("hostile", ["x" * 10**6, ["x" * 10**6], "\x1b[2J" * 10**5])
@pytest.mark.parametrize("place", ["from_name", "type", "id", "origin", "original_width", "value"])
def test_a_problem_is_a_short_line_whatever_stands_in_the_annotation(place, hostile):
    told = problem([region("3") | {place: hostile}])
    assert len(told) < 400
    assert "\x1b" not in told


def test_a_region_without_a_label_is_named():
    value = {key: region("3")["value"][key] for key in ("format", "rle")}
    assert "has no label" in problem([region("3", type="brush", value=value)])


@pytest.mark.parametrize(
    "data",
    [
        DATA | {"image": "https://example.org/other.png"},
        DATA | {"image": photo_url("photos/y.png")},
        DATA | {"sample": "set/other"},
        {},
    ],
)
def test_a_task_that_shows_something_else_is_named(data):
    assert "shows another photo or sample" in problem([region("3")], data=data)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (CONFIG.replace('alias="3"', 'alias="33"'), "label '3' (road) is gone"),
        (CONFIG.replace('value="road"', 'value="street"'), "'3' is 'street' instead of 'road'"),
        (CONFIG.replace('alias="3"', 'alias="4"'), "two labels have the alias '4'"),
        (CONFIG.replace('name="classes"', 'name="x"'), "the controls that draw them are not"),
        ("<View>", "no well-formed XML"),
    ],
)
def test_under_another_configuration_nothing_is_accepted(theirs, words):
    assert words in problem([region("3")], theirs=theirs)
    assert words in problem([], theirs=theirs)


def test_a_configuration_that_only_looks_different_is_the_same():
    assert problem([region("3")], theirs=CONFIG.replace("300px", "200px")) is None
