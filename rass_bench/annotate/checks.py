"""Single values out of JSON from strangers: each is what it must be, or a ValueError names it."""

from __future__ import annotations

from reprlib import repr as short_repr
from typing import Any

MAX_TEXT = 200
"""Ids, labels and names of more characters are refused."""


def number(value: object, low: float, high: float, name: str) -> float:
    """A finite number within low..high.

    Raises:
        ValueError: it is none.
    """
    # NaN is in no range, and whole numbers of any length compare with floats.
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {short_repr(value)}, not within {low:.0f}..{high:.0f}")
    return float(value)


def text(value: object, name: str) -> str:
    """Text of 1 to ``MAX_TEXT`` characters that a UTF-8 file can hold.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise ValueError(f"{name} is {short_repr(value)}, not text of 1 to {MAX_TEXT} characters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{name} is {short_repr(value)}, which no UTF-8 file can hold")
    return value


def mapping(value: object, name: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {short_repr(value)}, not a mapping")
    return value


def mappings(value: object, name: str) -> list[dict[str, Any]]:
    """A list of JSON objects.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list):
        raise ValueError(f"{name} is {short_repr(value)}, not a list")
    return [mapping(one, f"{name}[{index}]") for index, one in enumerate(value)]
