"""Single values out of JSON from strangers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.annotate.checks import MAX_TEXT, mapping, mappings, number, text


@settings(deadline=None)
@given(st.integers(0, 100) | st.floats(0, 100))
def test_a_number_in_its_range_is_read_as_it_is(value):
    assert number(value, 0, 100, "share") == value


@pytest.mark.parametrize(
    "value", [-1, 100.5, 10**400, -(10**400), float("nan"), float("inf"), "5", None, True, [5]]
)
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"share is .*, not within 0\.\.100"):
        number(value, 0, 100, "share")


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_TEXT))
def test_text_is_kept_to_the_letter(value):
    assert text(value, "label") == value


@pytest.mark.parametrize("value", ["", "x" * (MAX_TEXT + 1), "\ud800", "a\udfffb", None, 5, b"a"])
def test_text_that_no_file_can_hold_or_no_page_can_show_is_refused(value):
    with pytest.raises(ValueError, match="label is"):
        text(value, "label")


def test_what_is_refused_is_shown_short_and_escaped():
    with pytest.raises(ValueError, match="label is") as caught:
        text("\x1b]0;" + "A" * 10**6, "label")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_lists_of_mappings_name_the_entry_that_is_none():
    assert mappings([{}, {"a": 1}], "images") == [{}, {"a": 1}]
    with pytest.raises(ValueError, match=r"images\[1\] is 5, not a mapping"):
        mappings([{}, 5], "images")
    with pytest.raises(ValueError, match="images is None, not a list"):
        mappings(None, "images")
    with pytest.raises(ValueError, match=r"the value is \[\], not a mapping"):
        mapping([], "the value")
