"""Dataclasses out of JSON from strangers: every type is checked against the annotations."""

from __future__ import annotations

import dataclasses
import math
import types
from enum import StrEnum
from functools import cache
from reprlib import repr as short_repr
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def build(kind: type[T], document: Any, name: str = "the document") -> T:
    """Make a dataclass, and the dataclasses in it, from what a JSON file holds.

    Annotations may be ``str``, ``int``, ``float`` (a whole number passes), ``bool``, ``Any``,
    unions with None, ``tuple``, ``dict`` with text keys, ``StrEnum`` and dataclasses. A value
    that is a dataclass already, made by the caller, is kept.

    Args:
        kind: the dataclass.
        document: a mapping with the dataclass's field names as keys.
        name: what to call the document in messages.

    Raises:
        ValueError: unknown or missing key, a value of another type, a number that is not finite,
            or text that no UTF-8 file can hold; also what the dataclass itself refuses.
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
    if hint is Any or dataclasses.is_dataclass(value):
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


def _plain(hint: type[Any], value: Any, name: str) -> Any:
    if issubclass(hint, StrEnum):
        return hint(_plain(str, value, name))
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(name, value, hint.__name__)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(name, value, "a finite number")
    if isinstance(value, str) and not _is_unicode(value):
        raise _wrong(name, value, "valid Unicode")
    return value


def _is_unicode(text: str) -> bool:
    """Whether a UTF-8 file can hold the text: JSON can spell lone surrogates, which none can."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _wrong(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{name} is {short_repr(value)}, not {expected}")
