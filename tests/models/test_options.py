"""Choices as NAME=VALUE: read by their types, refused by name."""

from dataclasses import dataclass
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.models.options import describe_options, read_options


class Colour(StrEnum):
    RED = "red"
    NONE = "none"


@dataclass(frozen=True)
class Choices:
    text: str | None = None
    count: int = 1
    ratio: float = 0.5
    quick: bool = False
    colour: Colour | None = None
    limit: int | None = None


def read(*options):
    return read_options(Choices, options, "toy")


def test_what_is_not_named_keeps_its_default():
    assert read() == Choices()


def test_values_have_the_types_of_their_choices():
    found = read("text=a", "count=-3", "ratio=2", "quick=true", "colour=none", "limit=5")
    assert found == Choices("a", -3, 2.0, quick=True, colour=Colour.NONE, limit=5)
    assert read("ratio=1e-3").ratio == 0.001


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_text_is_taken_as_it_stands(text):
    """Also where it looks like a number, a list or another option."""
    assert read(f"text={text}").text == text


@pytest.mark.parametrize("text", ["5", "true", "null", "a=b", "=", '"x"', "[" * 100_000])
def test_text_that_could_be_something_else_stays_text(text):
    assert read(f"text={text}").text == text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["count"], "Write it as NAME=VALUE"),
        ([""], "Write it as NAME=VALUE"),
        (["=3"], "toy has no option ''"),
        (["cuont=3"], "toy has no option 'cuont'.*Did you mean count"),
        (["Count=3"], "toy has no option 'Count'"),
        (["zzz=3"], "Known names: colour, count, limit, quick, ratio, text"),
        (["count=3", "count=3"], "'count' is given twice"),
        (["count=true"], "count is True, not int"),
        (["count=1.0"], r"count is 1\.0, not int"),
        (["count="], "count is '', not int"),
        (["count=null"], "count is None, not int"),
        (["count=" + "9" * 5000], "count is '9"),
        (["count=" + "[" * 100_000], "count is '\\["),
        (["quick=1"], "quick is 1, not bool"),
        (["quick=True"], "quick is 'True', not bool"),
        (["ratio=NaN"], "ratio is nan, not a finite number"),
        (["ratio=1e999"], "ratio is inf, not a finite number"),
        (["colour=blue"], "blue"),
        (["colour=RED"], "RED"),
        (["text=\udcff"], "not valid Unicode"),
    ],
)
def test_what_cannot_be_is_told(options, words):
    with pytest.raises(UserError, match=words):
        read(*options)


def test_choices_are_described_as_the_command_line_takes_them():
    assert describe_options(Choices) == [
        ("text=VALUE", "the weights' own"),
        ("count=VALUE", "1"),
        ("ratio=VALUE", "0.5"),
        ("quick=true|false", "false"),
        ("colour=red|none", "the weights' own"),
        ("limit=VALUE", "the weights' own"),
    ]
