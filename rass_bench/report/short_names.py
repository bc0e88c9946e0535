"""Names short enough for a plot or a column, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rass_bench.leaderboard.safe_text import one_line
from rass_bench.report.content import Line

ARROW = " → "
"""Stands between a restorer and the model behind it."""

LONGEST = 34
"""Letters of the longest name of a model."""

_SHORTEST_REVISION = 8

_NONE: Mapping[str, str] = MappingProxyType({})


def names_in_plots(lines: Sequence[Line]) -> dict[str, str]:
    """A short name for the name of each line, no two alike.

    Where revisions alone tell models apart, records do it in words: a name with one record is
    called as that is.
    """
    records: dict[str, set[str]] = {}
    for line in lines:
        if line.record is not None:
            records.setdefault(line.name, set()).add(line.record)
    alone = {name: found.pop() for name, found in records.items() if len(found) == 1}
    return short_names([line.name for line in lines], alone)


def short_names(names: Iterable[str], records: Mapping[str, str] = _NONE) -> dict[str, str]:
    """A short name for each name, no two alike.

    A revision is left out where its model has no other here. Where it has, the name's record is
    taken, or else as much of the revision as tells it from the others. A name that is still long
    loses its middle.

    Args:
        names: as in lines: ``model@revision`` or ``restorer@revision → model@revision``.
        records: names of records by such names.
    """
    ordered = list(dict.fromkeys(names))
    revisions: dict[str, set[str]] = {}
    for part in (part for name in ordered for part in name.split(ARROW)):
        model, _, revision = part.partition("@")
        revisions.setdefault(model, set()).add(revision)
    found: dict[str, str] = {}
    for name in ordered:
        parts = name.split(ARROW)
        if name in records and any(_has_siblings(part, revisions) for part in parts):
            short = cut(records[name])
        else:
            short = ARROW.join(_short(part, revisions) for part in parts)
        found[name] = _unlike(short, set(found.values()))
    return found


def cut(text: str, longest: int = LONGEST) -> str:
    """The text in one line of what prints, without its middle where it is too long."""
    text = one_line(text)
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - 1 - half]}…{text[len(text) - half :]}"


def in_two_lines(name: str) -> str:
    """A name as a label: what stands behind the arrow in a line of its own."""
    return name.replace(ARROW, ARROW.rstrip() + "\n")


def _has_siblings(part: str, revisions: dict[str, set[str]]) -> bool:
    return len(revisions[part.partition("@")[0]]) > 1


def _short(part: str, revisions: dict[str, set[str]]) -> str:
    model, _, revision = part.partition("@")
    same_model = revisions[model]
    if not revision or len(same_model) == 1:
        return cut(model)
    shared = max(_shared_letters(revision, other) for other in same_model - {revision})
    length = max(_SHORTEST_REVISION, shared + 1)
    return f"{cut(model)}@{cut(revision[:length])}"


def _shared_letters(one: str, other: str) -> int:
    """How many letters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _unlike(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where another one has been cut to the same."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    return found
