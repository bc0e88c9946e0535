"""Reported and measured numbers of one model, side by side."""

from __future__ import annotations

from collections.abc import Iterable

from rass_bench.leaderboard.key import reported_key
from rass_bench.leaderboard.reported import ReportedNumber
from rass_bench.leaderboard.table import Confirmation, Kind, Row
from rass_bench.leaderboard.tolerance import TOLERANCES


def confirmations(
    rows: Iterable[Row], reported: Iterable[ReportedNumber]
) -> tuple[Confirmation, ...]:
    """Each ranked measurement beside each reported number that is of the same model.

    Args:
        rows: the table's rows, in order.
        reported: the reported numbers, in order.
    """
    numbers = tuple(reported)
    return tuple(
        _confirmation(row, number)
        for row in rows
        if row.kind is not Kind.REPORTED and row.rank is not None
        for number in numbers
        if _is_same_model(row, number)
    )


def _is_same_model(row: Row, number: ReportedNumber) -> bool:
    key = row.key
    return (
        bool(number.measured_as)
        and (key.metric, key.protocol) == (number.metric, number.protocol)
        and key.model.startswith(number.measured_as)
        and (key.restorer or "").startswith(number.restorer_measured_as)
    )


def _confirmation(row: Row, number: ReportedNumber) -> Confirmation:
    if row.value is None:
        raise ValueError(f"{row.key} is ranked and has no value")
    difference = row.value - number.value
    # Of a number that is ranked nowhere it is not known whether it is of this metric at all.
    tolerance = None if number.not_ranked else TOLERANCES.get(number.metric)
    return Confirmation(
        reported=reported_key(number),
        measured=row.key,
        reported_value=number.value,
        measured_value=row.value,
        difference=difference,
        tolerance=tolerance.value if tolerance else None,
        tolerance_source=tolerance.source if tolerance else None,
        # Both ends count: decimal fractions are not exact in binary.
        within=abs(difference) <= tolerance.value + 1e-9 if tolerance else None,
    )
