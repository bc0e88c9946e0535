"""From a board's records and reported numbers to its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rass_bench.errors import UserError
from rass_bench.evaluate.compare import HEADLINE
from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.leaderboard.board import RECORDS, Board, Measurement
from rass_bench.leaderboard.confirm import confirmations
from rass_bench.leaderboard.key import RowKey, measured_key, reported_key
from rass_bench.leaderboard.ranking import rank_ranges
from rass_bench.leaderboard.reported import ReportedNumber
from rass_bench.leaderboard.table import TABLE_SCHEMA, Kind, Row, Table
from rass_bench.leaderboard.terms import Terms, terms_of, why_apart
from rass_bench.leaderboard.told_apart import surely_differ
from rass_bench.verify.verdict import Level


def build_table(board: Board) -> Table:
    """The table that follows from a board: the same board gives the same table.

    Raises:
        UserError: two complete records have one key.
    """
    terms = terms_of(board.dataset, board.measurements)
    measured = _measured(board.measurements, terms)
    reported = [_Candidate(_reported_row(number), None) for number in board.reported]
    _check_unique(measured)
    rows = [
        *_ranked(measured, _same_ranking, _measured_apart),
        *_ranked(reported, _same_source, _printed_apart),
    ]
    rows.sort(key=_order)
    return Table(
        schema_version=TABLE_SCHEMA,
        board=board.folder.resolve().name,
        version=str(board.history[0].version),
        date=board.history[0].date,
        dataset=board.dataset,
        images=terms.images,
        rows=tuple(rows),
        confirmations=confirmations(rows, board.reported),
    )


@dataclass(frozen=True)
class _Candidate:
    """A row before its rank is known, and the measurement behind it."""

    row: Row
    measurement: Measurement | None


def _measured(measurements: Sequence[Measurement], terms: Terms) -> list[_Candidate]:
    return [
        _Candidate(_measured_row(one, metric, terms), one)
        for one in measurements
        for metric in one.record.metrics
    ]


def _measured_row(measurement: Measurement, metric: str, terms: Terms) -> Row:
    record, verdict = measurement.record, measurement.standing_verdict
    number = record.metrics[metric]
    # Hashes that fit verify no number: one that was made up fits them as well.
    is_verified = verdict is not None and verdict.holds and verdict.level is not Level.INTEGRITY
    # The mean of a part of the images may be a lucky one: who wants it finds it in the record.
    is_whole = record.status == "complete"
    return Row(
        key=measured_key(record, metric),
        kind=Kind.VERIFIED if is_verified else Kind.MEASURED,
        value=number.value if is_whole else None,
        printed=None,
        ci95=number.ci95 if is_whole else None,
        images=number.n,
        higher_is_better=number.higher_is_better,
        rank=None,
        not_ranked=why_apart(measurement, metric, terms),
        fps=record.timing.fps,
        device=record.environment.device,
        parameters=record.model.parameters,
        trainable_parameters=record.model.trainable_parameters,
        licence=record.model.licence,
        record=f"{RECORDS}/{measurement.name}",
        verdict=verdict.level.value if verdict is not None and verdict.holds else None,
        note=_note(measurement),
    )


def _note(measurement: Measurement) -> str | None:
    notes = []
    if measurement.record.environment.git_dirty:
        notes.append("made with uncommitted changes of the code")
    if measurement.verdict is not None and measurement.standing_verdict is None:
        notes.append("its check was of an earlier record")
    return "; ".join(notes) or None


def _reported_row(number: ReportedNumber) -> Row:
    return Row(
        key=reported_key(number),
        kind=Kind.REPORTED,
        value=number.value,
        printed=number.printed,
        ci95=None,
        images=None,
        higher_is_better=number.higher_is_better,
        rank=None,
        not_ranked=number.not_ranked or None,
        fps=float(number.fps) if number.fps else None,
        device=None,
        parameters=_millions(number.parameters_millions),
        trainable_parameters=_millions(number.trainable_millions),
        licence=None,
        record=None,
        verdict=None,
        note=number.note or None,
    )


def _millions(printed: str) -> int | None:
    return round(float(printed) * 1e6) if printed else None


def _check_unique(candidates: Sequence[_Candidate]) -> None:
    """Two complete records with one key are one measurement told twice, or a revision missing."""
    seen: dict[RowKey, Row] = {}
    for row in (one.row for one in candidates if one.row.value is not None):
        earlier = seen.setdefault(row.key, row)
        if earlier is not row and earlier.not_ranked is None and row.not_ranked is None:
            raise UserError(
                f"two records of {row.key.model} under {row.key.protocol} have one key",
                f"{earlier.record} and {row.record}",
                "Keep one of them; what changes numbers belongs into the model's revision.",
            )


Grouping = Callable[[Row], tuple[str, ...]]
TellApart = Callable[[_Candidate, _Candidate], bool]


def _ranked(
    candidates: Iterable[_Candidate], grouping: Grouping, told_apart: TellApart
) -> list[Row]:
    """The rows, those with a ranking's other members ranked among them."""
    found: list[Row] = []
    in_groups = sorted(candidates, key=lambda one: grouping(one.row))
    for _, group in groupby(in_groups, key=lambda one: grouping(one.row)):
        members = list(group)
        rankable = [one for one in members if one.row.not_ranked is None]
        ranks = rank_ranges(rankable, _score, told_apart)
        found += [replace(one.row, rank=rank) for one, rank in zip(rankable, ranks, strict=True)]
        found += [one.row for one in members if one.row.not_ranked is not None]
    return found


def _same_ranking(row: Row) -> tuple[str, ...]:
    return row.key.protocol, row.key.metric


def _same_source(row: Row) -> tuple[str, ...]:
    """Numbers of one source were measured by one hand; those of two differ by more than models."""
    return row.key.protocol, row.key.metric, row.key.source or ""


def _score(candidate: _Candidate) -> float:
    value = candidate.row.value
    if value is None:
        raise ValueError(f"{candidate.row.key} is to be ranked and has no value")
    return value if candidate.row.higher_is_better else -value


def _measured_apart(one: _Candidate, other: _Candidate) -> bool:
    if one.measurement is None or other.measurement is None:
        raise TypeError("a measured row without its measurement")
    return surely_differ(one.measurement, other.measurement, one.row.key.metric)


def _printed_apart(one: _Candidate, other: _Candidate) -> bool:
    """A source prints no interval: its numbers differ where they are printed differently."""
    return one.row.value != other.row.value


def _order(row: Row) -> tuple[object, ...]:
    protocols, metrics = list(PROTOCOLS), list(HEADLINE)
    key = row.key
    return (
        protocols.index(key.protocol) if key.protocol in PROTOCOLS else len(protocols),
        metrics.index(key.metric) if key.metric in metrics else len(metrics),
        key.metric,
        row.kind is Kind.REPORTED,
        row.rank is None,
        key.source or "",
        (row.rank.point, row.rank.first, row.rank.last) if row.rank else (0, 0, 0),
        (key.model, key.restorer or "", key.column or "", row.record or ""),
    )
