"""From a table's rows, and the records behind them, to the lines that a report shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rass_bench.evaluate.command import run_command
from rass_bench.evaluate.compare import HEADLINE
from rass_bench.evaluate.rescore import recorded_request
from rass_bench.leaderboard import show
from rass_bench.leaderboard.board import RECORDS, Measurement
from rass_bench.leaderboard.table import Confirmation as TableConfirmation
from rass_bench.leaderboard.table import Kind, Row, Table
from rass_bench.record import RECORD_NAME, RunRecord
from rass_bench.report.content import Cell, Confirmation, Details, Line, Metric

_FOLDER = f"{RECORDS}/"


@dataclass(frozen=True)
class Placed:
    """A line of a report and the measurement behind it; None behind reported numbers."""

    line: Line
    measurement: Measurement | None


def lines_of_table(
    table: Table, prefix: str, measurements: Mapping[str, Measurement], page: Path
) -> tuple[Placed, ...]:
    """The lines of a table: ranked measurements, ranked reported numbers, what stands apart.

    Args:
        table: the table.
        prefix: what their ids begin with.
        measurements: what was measured, by name.
        page: where the page will lie; links are relative to it.
    """
    found = [line for rows in show.by_protocol(table.rows).values() for line in show.lines_of(rows)]
    found.sort(key=lambda line: (line.first.rank is None, line.first.kind is Kind.REPORTED))
    behind = [measurements.get((one.first.record or "").removeprefix(_FOLDER)) for one in found]
    return tuple(
        Placed(_line(f"{prefix}l{number}", line, measurement, page), measurement)
        for number, (line, measurement) in enumerate(zip(found, behind, strict=True))
    )


def metrics_of_table(table: Table) -> tuple[Metric, ...]:
    """The metrics of a table's rows, the main ones first."""
    first = {row.key.metric: row for row in reversed(table.rows)}
    order = [name for name in HEADLINE if name in first]
    order += [name for name in show.metrics_of(table.rows) if name not in order]
    return tuple(
        Metric(
            id=name,
            heading=show.heading(first[name]),
            higher_is_better=first[name].higher_is_better,
            is_percent=show.is_percent(name),
        )
        for name in order
    )


def confirmation(one: TableConfirmation) -> Confirmation:
    """A reported and a measured number as people read them."""
    metric = one.measured.metric
    tolerance = ""
    if one.tolerance is not None:
        tolerance = f"{show.in_unit(metric, one.tolerance)} ({one.tolerance_source})"
    return Confirmation(
        reported=f"{one.reported.model}, {one.reported.source}: {one.reported.column}",
        measured=one.measured.model,
        metric=metric,
        reported_text=show.in_unit(metric, one.reported_value),
        measured_text=show.in_unit(metric, one.measured_value),
        difference_text=("+" * (one.difference >= 0)) + show.in_unit(metric, one.difference),
        tolerance_text=tolerance,
        within=one.within,
    )


def _line(line_id: str, line: show.Line, measurement: Measurement | None, page: Path) -> Line:
    row, key = line.first, line.first.key
    return Line(
        id=line_id,
        name=show.what_ran(row),
        model=key.model,
        restorer=key.restorer,
        protocol=key.protocol,
        kind=row.kind.value,
        test_size=key.test_size,
        prompt=_prompt(row),
        source=None if key.source is None else show.cited(line),
        fps=row.fps,
        device=row.device,
        parameters=row.parameters,
        trainable_parameters=row.trainable_parameters,
        all_parameters=_all_parameters(row, measurement),
        licence=row.licence,
        record=None if measurement is None else measurement.name,
        link=None if measurement is None else link_to(measurement.folder / RECORD_NAME, page),
        verdict=row.verdict,
        note=row.note,
        cells={metric: _cell(one) for metric, one in line.cells.items()},
        details=None if measurement is None else _details(measurement.record, measurement.folder),
    )


def _cell(row: Row) -> Cell:
    rank = row.rank
    return Cell(
        text=show.number(row),
        value=row.value,
        ci95=row.ci95,
        ci95_text=show.interval(row),
        rank=None if rank is None else (rank.first, rank.last, rank.of),
        rank_text="" if rank is None or rank.of == 1 else str(rank),
        not_ranked=row.not_ranked,
    )


def _prompt(row: Row) -> str | None:
    if row.key.prompt_source is None:
        return None
    return f"prompt {row.key.prompt_source}, latent {row.key.latent}"


def _all_parameters(row: Row, measurement: Measurement | None) -> int | None:
    """What a front of parameters counts: a restorer in front costs as much as it is large."""
    if row.key.restorer is None:
        return row.parameters
    restorer = None if measurement is None else measurement.record.restorer
    if row.parameters is None or restorer is None or restorer.parameters is None:
        return None
    return row.parameters + restorer.parameters


def _details(record: RunRecord, folder: Path) -> Details:
    then, timing = record.environment, record.timing
    state = " with uncommitted changes" if then.git_dirty else ""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(then.packages.items()))
    return Details(
        title=record.model.title,
        paper=record.model.paper,
        weights_sha256=record.model.weights_sha256,
        restorer_title=record.restorer.title if record.restorer else None,
        command=run_command(recorded_request(record, folder)),
        finished=record.finished,
        environment=(
            ("rass-bench", then.rass_bench),
            ("commit", f"{then.git_commit or 'not known'}{state}"),
            ("Python", then.python),
            ("platform", then.platform),
            ("device", f"{then.device}, {then.threads} thread{'s' * (then.threads != 1)}"),
            ("wall time", f"{timing.wall_seconds:.1f} s"),
            ("packages", packages),
        ),
        per_class=record.per_class.get("iou", ()),
    )


def link_to(path: Path, page: Path) -> str:
    """The address of a file relative to the page."""
    # As browsers have it: they take `..` away by the address alone, without following links.
    relative = Path(os.path.relpath(path, page.parent))
    # Quoted: a colon would make a scheme of what stands before it.
    return quote(os.fsencode(relative.as_posix()))
