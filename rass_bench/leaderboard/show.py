"""Numbers and rows as people read them, in a page as on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rass_bench.leaderboard.table import Kind, Row
from rass_bench.metrics.catalog import all_metrics
from rass_bench.metrics.registry import Family


@dataclass(frozen=True)
class Line:
    """All numbers of one measurement, or of one method in one source, under one protocol.

    Attributes:
        first: the first of its rows, from which the line's own cells are taken.
        cells: its rows by metric id.
    """

    first: Row
    cells: dict[str, Row]


def lines_of(rows: Iterable[Row]) -> list[Line]:
    """The rows of one protocol gathered to lines, in the rows' order."""
    found: dict[tuple[str | None, ...], list[Line]] = {}
    ordered: list[Line] = []
    for row in rows:
        key = row.key
        same = found.setdefault((row.record, key.model, key.restorer, key.source), [])
        line = next((one for one in same if key.metric not in one.cells), None)
        if line is None:
            line = Line(row, {})
            same.append(line)
            ordered.append(line)
        line.cells[key.metric] = row
    return ordered


def cited(line: Line) -> str:
    """Where a line of reported numbers stands: source and table, with the column of a lone one."""
    columns = [row.key.column or "" for row in line.cells.values()]
    tables = dict.fromkeys(column.rpartition(", ")[0] for column in columns)
    return f"{line.first.key.source}: {columns[0] if len(columns) == 1 else '; '.join(tables)}"


def metrics_of(rows: Iterable[Row]) -> list[str]:
    """The metrics of the rows, each once, in the rows' order."""
    return list(dict.fromkeys(row.key.metric for row in rows))


def is_percent(metric: str) -> bool:
    """Whether the field prints the metric in percent: those of segmentation, all in 0..1."""
    return any(
        known.info.id == metric and known.info.family is Family.SEGMENTATION
        for known in all_metrics()
    )


def number(row: Row) -> str:
    """The value in the field's unit and digits, or as its source prints it; – where none is."""
    if row.printed is not None:
        return row.printed
    return "–" if row.value is None else in_unit(row.key.metric, row.value)


def in_unit(metric: str, value: float) -> str:
    """A value of a metric in the field's unit and digits."""
    if is_percent(metric):
        return f"{value * 100:.2f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def interval(row: Row) -> str:
    """The interval with a digit less than the value; – where there is none."""
    if row.ci95 is None:
        return "–"
    low, high = row.ci95
    unit, digits = (100, 1) if is_percent(row.key.metric) else (1, 2 if abs(high) >= 10 else 3)
    return f"{low * unit:.{digits}f}–{high * unit:.{digits}f}"


def heading(row: Row) -> str:
    """The metric with its version, unit and direction."""
    version = "" if row.key.metric_version is None else f"@{row.key.metric_version}"
    unit = " %" if is_percent(row.key.metric) else ""
    return f"{row.key.metric}{version} {'↑' if row.higher_is_better else '↓'}{unit}"


def what_ran(row: Row) -> str:
    """The model, and what restores in front of it."""
    return row.key.model if row.key.restorer is None else f"{row.key.restorer} → {row.key.model}"


def millions(count: int | None) -> str:
    """A number of parameters in millions; – where it is not known."""
    if count is None:
        return "–"
    return f"{count / 1e6:.1f} M" if count >= 1e8 else f"{count / 1e6:.4g} M"


def speed(fps: float | None) -> str:
    """Images a second in three digits; – where it is not known."""
    if fps is None:
        return "–"
    return f"{fps:,.0f}" if fps >= 1000 else f"{fps:.3g}"


def by_protocol(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows by protocol, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.key.protocol, []).append(row)
    return found


def measured(rows: Iterable[Row]) -> list[Row]:
    """The ranked measurements among the rows."""
    return [row for row in rows if row.kind is not Kind.REPORTED and row.rank is not None]


def reported(rows: Iterable[Row]) -> list[Row]:
    """The ranked reported numbers among the rows."""
    return [row for row in rows if row.kind is Kind.REPORTED and row.rank is not None]


def apart(rows: Iterable[Row]) -> list[Row]:
    """The rows that stand in no ranking."""
    return [row for row in rows if row.rank is None]
