"""What became of a table's numbers between two versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rass_bench.leaderboard import show
from rass_bench.leaderboard.table import Row, Table


@dataclass(frozen=True)
class Change:
    """A row that is in both tables and differs.

    Attributes:
        row: as it is now.
        what: what differs, each ``name: before → now``.
    """

    row: Row
    what: tuple[str, ...]


@dataclass(frozen=True)
class TableDiff:
    """The differences of two tables.

    Attributes:
        table: what differs of the whole, each ``name: before → now``.
        added: rows of the later table alone.
        removed: rows of the earlier table alone.
        changed: rows of both that differ.
    """

    table: tuple[str, ...]
    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    changed: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether all numbers are alike."""
        return not (self.table or self.added or self.removed or self.changed)


def diff_tables(before: Table, after: Table) -> TableDiff:
    """Compare two tables row by row; rows are the same where their keys are."""
    old = {_identity(row): row for row in before.rows}
    new = {_identity(row): row for row in after.rows}
    both = [(old[key], row) for key, row in new.items() if key in old]
    changed = [Change(row, _compare(earlier, row)) for earlier, row in both]
    return TableDiff(
        table=_compare_whole(before, after),
        added=tuple(row for key, row in new.items() if key not in old),
        removed=tuple(row for key, row in old.items() if key not in new),
        changed=tuple(change for change in changed if change.what),
    )


def _identity(row: Row) -> tuple[object, ...]:
    """The key; numbers without rank may share one, and are told apart by where they come from."""
    return row.key, row.record if row.rank is None else None


def _compare_whole(before: Table, after: Table) -> tuple[str, ...]:
    manifests = [
        table.images.manifest_sha256[:12] if table.images else "none" for table in (before, after)
    ]
    pairs = {
        "board": (before.board, after.board),
        "version": (before.version, after.version),
        "data set": (before.dataset, after.dataset),
        "manifest": (manifests[0], manifests[1]),
    }
    return tuple(f"{name}: {old} → {new}" for name, (old, new) in pairs.items() if old != new)


SHOWN: dict[str, Callable[[Row], str]] = {
    "value": show.number,
    "interval": show.interval,
    "rank": lambda row: f"{row.rank} of {row.rank.of}" if row.rank else "–",
    "kind": lambda row: row.kind.value,
    "not ranked": lambda row: row.not_ranked or "–",
    "record": lambda row: row.record or "–",
    "fps": lambda row: show.speed(row.fps),
    "note": lambda row: row.note or "–",
}
"""What of a row is compared, and how it is shown."""


def _compare(before: Row, after: Row) -> tuple[str, ...]:
    found = [
        f"{name}: {shown(before)} → {shown(after)}"
        for name, shown in SHOWN.items()
        if shown(before) != shown(after)
    ]
    # A change behind the digits that are shown is one, too.
    hidden = before.value != after.value and not any(one.startswith("value") for one in found)
    return (*found, f"value: {before.value} → {after.value}") if hidden else tuple(found)
