"""Choices that a model offers at run time: ``--option NAME=VALUE``, typed by a frozen dataclass."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from rass_bench.errors import UserError, suggest
from rass_bench.structure import build

T = TypeVar("T")


def read_options(kind: type[T], options: Sequence[str], model: str) -> T:
    """Make a model's choices from what the user typed; what is not named keeps its default.

    Args:
        kind: a frozen dataclass with a default for every field.
        options: each ``NAME=VALUE``; numbers, ``true`` and ``false`` are read as JSON has them.
        model: the model's name, for messages.

    Raises:
        UserError: no ``=``, an unknown or repeated name, a value of another type.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    document: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise UserError(f"option {option!r} of {model}", "--option", "Write it as NAME=VALUE.")
        if name not in names:
            raise UserError(f"{model} has no option {name!r}", "--option", suggest(name, names))
        if name in document:
            raise UserError(f"option {name!r} is given twice", "--option", "Give it once.")
        document[name] = _value(value)
    try:
        return build(kind, document, f"options of {model}")
    except ValueError as error:
        raise UserError(
            str(error), f"--option of {model}", "`rass-bench list models --detail` lists them."
        ) from None


def describe_options(kind: Any) -> list[tuple[str, str]]:
    """Name and default of each option, as the command line takes them."""
    return [
        (field.name, "–" if field.default is None else str(field.default))
        for field in dataclasses.fields(kind)
    ]


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
