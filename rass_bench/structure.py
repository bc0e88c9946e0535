"""Dataclasses out of JSON from strangers: every type is checked against the annotations."""

from __future__ import annotations

import dataclasses
import math
import types
from enum import StrEnum
from functools import cache
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from rass_bench.errors import UserError
from rass_bench.files import read_json

T = TypeVar("T")

MAX_DEPTH = 50
"""Lists and mappings in each other that a value of any type may have: what copies or writes one
goes as deep, and Python ends that with a traceback at some depth."""


def read_versioned(path: Path, kind: type[T], newest: int, what: str, do: str) -> T:
    """Read a JSON file that states its layout's version under ``schema_version``.

    Args:
        path: the file.
        kind: the dataclass that it holds.
        newest: the newest version that this program reads.
        what: what to call the file in messages, such as ``"record"``.
        do: what the user can do about a malformed one.

    Raises:
        UserError: missing, no JSON, without a version, of a newer one, or malformed.
    """
    document = read_json(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f"the {what} states no schema version", str(path), do)
    if version > newest:
        raise UserError(
            f"{what} schema {short_repr(version)} is newer than this program's {newest}",
            str(path),
            "Update rass-bench.",
        )
    try:
        return build(kind, document, f"the {what}")
    except ValueError as error:
        raise UserError(f"malformed {what}: {error}", str(path), do) from None


def build(kind: type[T], document: Any, name: str = "the document") -> T:
    """Make a dataclass, and the dataclasses in it, from what a JSON file holds.

    Annotations may be ``str``, ``int``, ``float`` (a whole number passes), ``bool``, ``Any``
    (finite and Unicode like the rest, and not too deep), unions with None, ``tuple``, ``dict``
    with text keys, ``StrEnum`` and dataclasses. A value that is a dataclass already, made by the
    caller, is kept.

    Args:
        kind: the dataclass.
        document: a mapping with the dataclass's field names as keys.
        name: what to call the document in messages.

    Raises:
        ValueError: unknown or missing key, a value of another type, a number that no float comes
            near to, or text that no UTF-8 file can hold; also what the dataclass itself refuses.
    """
    if not isinstance(document, dict):
        raise _wrong(name, document, f"a mapping with the keys of {kind.__name__}")
    hints = _hints(kind)  # type: ignore[arg-type]
    for key in document.keys() - hints.keys():
        raise ValueError(f"{name} has the unknown key {short_repr(key)}")
    values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in document:
            values[field.name] = _value(hints[field.name], document[field.name], field.name)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{name} lacks the key {field.name!r}")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any, name: str) -> Any:
    """``value`` as the annotation has it.

    Raises:
        ValueError: it does not fit.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(value):
        return value
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        return _value(next(one for one in arguments if one is not types.NoneType), value, name)
    if origin is not None:
        return _container(origin, arguments, value, name)
    if dataclasses.is_dataclass(hint):
        return build(hint, value, name)  # type: ignore[arg-type]
    return _plain(hint, value, name)


def _container(origin: Any, items: tuple[Any, ...], value: Any, name: str) -> Any:
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(name, value, "a mapping")
        return {
            _plain(str, key, f"a key of {name}"): _value(items[1], one, f"{name}[{key!r}]")
            for key, one in value.items()
        }
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list")
    if items[-1] is Ellipsis:
        items = items[:1] * len(value)
    if len(value) != len(items):
        raise _wrong(name, value, f"a list of {len(items)}")
    return tuple(
        _value(item, one, f"{name}[{index}]")
        for index, (item, one) in enumerate(zip(items, value, strict=True))
    )


def _plain(hint: Any, value: Any, name: str) -> Any:
    if hint is Any:
        _check_any(value, name)
        return value
    if issubclass(hint, StrEnum):
        return hint(_plain(str, value, name))
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(name, value, hint.__name__)
    _check_one(value, name)
    return value


def _check_any(value: Any, name: str, depth: int = 0) -> None:
    """Check all that a value of any type holds: it is shown, compared and written like the rest.

    Raises:
        ValueError: something in it could not be.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"{name} is nested too deeply")
    _check_one(value, name)
    if isinstance(value, dict):
        for key, one in value.items():
            _check_one(key, f"a key of {name}")
            _check_any(one, name, depth + 1)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_any(one, name, depth + 1)


def _check_one(value: Any, name: str) -> None:
    if isinstance(value, int | float) and not _is_finite(value):
        raise _wrong(name, value, "a finite number")
    if isinstance(value, str) and not _is_unicode(value):
        raise _wrong(name, value, "valid Unicode")


def _is_finite(number: float) -> bool:
    """Whether a float comes near it: JSON can spell 1e999, and whole numbers of any length."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _is_unicode(text: str) -> bool:
    """Whether a UTF-8 file can hold the text: JSON can spell lone surrogates, which none can."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _wrong(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{name} is {short_repr(value)}, not {expected}")
