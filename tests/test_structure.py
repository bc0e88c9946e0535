"""What a JSON file holds becomes a dataclass only where every type fits."""

import dataclasses
import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.structure import MAX_DEPTH, build, read_versioned


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    name: str
    weight: float | None = None


@dataclass(frozen=True)
class Whole:
    count: int
    share: float
    ready: bool
    colour: Colour
    parts: tuple[Part, ...]
    span: tuple[float, float] | None
    by_name: dict[str, Part]
    free: Any = None


GOOD = {
    "count": 3,
    "share": 0.5,
    "ready": True,
    "colour": "red",
    "parts": [{"name": "a"}, {"name": "b", "weight": 2}],
    "span": [0.0, 1.0],
    "by_name": {"x": {"name": "x", "weight": None}},
}


def test_a_document_becomes_the_dataclass_with_all_that_is_in_it():
    assert build(Whole, GOOD) == Whole(
        count=3,
        share=0.5,
        ready=True,
        colour=Colour.RED,
        parts=(Part("a"), Part("b", 2)),
        span=(0.0, 1.0),
        by_name={"x": Part("x")},
    )


@given(
    st.builds(
        Part,
        name=st.text(st.characters(exclude_categories=["Cs"])),
        weight=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_what_was_written_is_read_back(part):
    assert build(Part, json.loads(json.dumps(dataclasses.asdict(part)))) == part


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("count", 3.0, "count is 3.0, not int"),
        ("count", True, "count is True, not int"),
        ("count", "3", "count is '3', not int"),
        ("count", None, "count is None, not int"),
        ("share", "0.5", "share is '0.5', not float"),
        ("share", math.nan, "share is nan, not a finite number"),
        ("share", math.inf, "share is inf, not a finite number"),
        ("share", 10**400, "share is 1000.*, not a finite number"),
        ("count", -(10**400), "count is -1000.*, not a finite number"),
        ("share", False, "share is False, not float"),
        ("ready", 1, "ready is 1, not bool"),
        ("colour", "green", "'green' is not a valid Colour"),
        ("colour", [], r"colour is \[\], not str"),
        ("parts", "ab", "parts is 'ab', not a list"),
        ("parts", [5], r"parts\[0\] is 5, not a mapping"),
        ("parts", [{"name": "a", "size": 1}], r"parts\[0\] has the unknown key 'size'"),
        ("parts", [{}], r"parts\[0\] lacks the key 'name'"),
        ("parts", [{"name": "\ud800"}], "name is .* not valid Unicode"),
        ("span", [1.0], r"span is \[1.0\], not a list of 2"),
        ("span", ["a", "b"], r"span\[0\] is 'a', not float"),
        ("by_name", [], r"by_name is \[\], not a mapping"),
        ("by_name", {"x": None}, r"by_name\['x'\] is None, not a mapping"),
        ("by_name", {5: {"name": "x"}}, "a key of by_name is 5, not str"),
        ("free", {"x": [math.inf]}, "free is inf, not a finite number"),
        ("free", ["\ud800"], "free is .* not valid Unicode"),
        ("free", {"\ud800": 1}, "a key of free is .* not valid Unicode"),
        ("surplus", 1, "unknown key 'surplus'"),
    ],
)
def test_what_does_not_fit_is_named(key, value, message):
    with pytest.raises(ValueError, match=message):
        build(Whole, {**GOOD, key: value})


def test_a_document_that_is_no_mapping_is_refused():
    with pytest.raises(ValueError, match="not a mapping"):
        build(Part, ["name"])


@pytest.mark.parametrize("value", [None, "text", 1.5, [{"a": [1, True]}], {"b": {}}])
def test_a_value_of_any_type_is_kept(value):
    assert build(Whole, {**GOOD, "free": value}).free == value


def nested(depth):
    return [nested(depth - 1)] if depth else []


def test_what_can_be_read_can_be_copied_and_written():
    deepest = build(Whole, {**GOOD, "free": nested(MAX_DEPTH)})
    assert dataclasses.asdict(deepest)["free"] == nested(MAX_DEPTH)
    with pytest.raises(ValueError, match="free is nested too deeply"):
        build(Whole, {**GOOD, "free": nested(MAX_DEPTH + 1)})


def test_a_message_stays_short_whatever_was_found():
    with pytest.raises(ValueError, match="not int") as caught:
        build(Whole, {**GOOD, "count": ["x" * 1000] * 1000})
    assert len(str(caught.value)) < 300


@dataclass(frozen=True)
class Stored:
    schema_version: int
    name: str


def read(folder, text):
    (folder / "x.json").write_text(text)
    return read_versioned(folder / "x.json", Stored, 2, "thing", "Make it again.")


def test_files_of_this_and_earlier_versions_are_read(tmp_path):
    for version in (1, 2):
        stored = Stored(version, "a")
        assert read(tmp_path, json.dumps(dataclasses.asdict(stored))) == stored


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 3, "newer": 1}', r"thing schema 3 is newer.* 2 .*Update rass-bench"),
        ('{"name": "a"}', r"the thing states no schema version.*x\.json.*Make it again"),
        ('{"schema_version": 0, "name": "a"}', "states no schema version"),
        ('{"schema_version": true, "name": "a"}', "states no schema version"),
        ('{"schema_version": "1", "name": "a"}', "states no schema version"),
        ('{"schema_version": 1.0, "name": "a"}', "states no schema version"),
        ("[1]", "states no schema version"),
        ('{"schema_version": 1}', r"malformed thing: .*lacks the key 'name'.*Make it again"),
        ('{"schema_version": 1, "name": "\\ud800"}', "malformed thing: name is .*Unicode"),
        ("{", "no valid JSON"),
    ],
)
def test_files_of_another_version_or_form_are_refused(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"file not found .*x\.json"):
        read_versioned(tmp_path / "x.json", Stored, 1, "thing", "")
