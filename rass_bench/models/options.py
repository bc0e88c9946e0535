"""Choices that a model offers at run time: ``--option NAME=VALUE``, typed by a frozen dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_type_hints

from rass_bench.errors import UserError, suggest
from rass_bench.files import parse_json
from rass_bench.structure import build

T = TypeVar("T")


def read_options(kind: type[T], options: Sequence[str], model: str) -> T:
    """Make a model's choices from what the user typed; what is not named keeps its default.

    Args:
        kind: a frozen dataclass with a default for every field.
        options: each ``NAME=VALUE``; numbers, ``true`` and ``false`` are read as JSON has them
            where the choice is one of them.
        model: the model's name, for messages.

    Raises:
        UserError: no ``=``, an unknown or repeated name, a value of another type.
    """
    hints = get_type_hints(kind)
    document: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise UserError(f"option {option!r} of {model}", "--option", "Write it as NAME=VALUE.")
        if name not in hints:
            raise UserError(f"{model} has no option {name!r}", "--option", suggest(name, hints))
        if name in document:
            raise UserError(f"option {name!r} is given twice", "--option", "Give it once.")
        document[name] = _value(hints[name], value)
    try:
        return build(kind, document, f"options of {model}")
    except ValueError as error:
        raise UserError(
            str(error), f"--option of {model}", "`rass-bench list models --detail` lists them."
        ) from None


def describe_options(kind: Any) -> list[tuple[str, str]]:
    """Each option as ``NAME=VALUES`` and its default; None stands for what the weights say."""
    hints = get_type_hints(kind)
    return [
        (f"{field.name}={_values(hints[field.name])}", _shown(field.default))
        for field in dataclasses.fields(kind)
    ]


def _value(hint: Any, text: str) -> Any:
    if not _kinds(hint) & {bool, int, float}:
        return text
    try:
        return parse_json(text)
    except ValueError:
        return text


def _values(hint: Any) -> str:
    for kind in _kinds(hint):
        if issubclass(kind, StrEnum):
            return "|".join(kind)
    return "true|false" if bool in _kinds(hint) else "VALUE"


def _kinds(hint: Any) -> set[Any]:
    """The types that a union names, or the one type."""
    return set(get_args(hint)) or {hint}


def _shown(default: Any) -> str:
    if default is None:
        return "the weights' own"
    return str(default).lower() if isinstance(default, bool) else str(default)
