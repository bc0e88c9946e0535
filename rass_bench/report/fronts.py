"""Which lines are worth their cost, and how a model moves between protocols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rass_bench.report.content import Front, Line, Metric, Slope

COSTS = {"fps": False, "all_parameters": True}
"""Costs of a line, and whether less is better."""

_PROTOCOLS = ("dt", "r2s", "ft")

_FINE_TUNED = "-ft"
"""How the name of fine-tuned weights ends: after that of the weights that they began as."""


def fronts(lines: Sequence[Line], metric: Metric) -> tuple[Front, ...]:
    """The Pareto fronts of a metric against each cost, of two lines or more.

    Speed is compared on one device alone, or within one source; numbers of papers never stand in
    one front with measured ones.

    Args:
        lines: a board's lines.
        metric: the metric.
    """
    found = []
    for cost, less_is_better in COSTS.items():
        groups: dict[str, list[Line]] = {}
        for line in _ranked(lines, metric):
            if getattr(line, cost) is not None:
                groups.setdefault(_group(line, cost), []).append(line)
        found += [
            Front(
                axis=cost,
                group=group,
                lines=tuple(one.id for one in members),
                best=_best(members, metric, cost, less_is_better=less_is_better),
            )
            for group, members in groups.items()
            if len(members) > 1
        ]
    return tuple(found)


def slopes(lines: Sequence[Line], metric: Metric) -> tuple[Slope, ...]:
    """Each model that stands under more than one of DT, R2S and FT, its best line of each.

    Weights that were fine-tuned from a model are that model: their name is its own with ``-ft``.
    """
    models: dict[tuple[str, str], dict[str, Line]] = {}
    for line in _ranked(lines, metric):
        if line.protocol not in _PROTOCOLS:
            continue
        name = line.model.partition("@")[0].removesuffix(_FINE_TUNED)
        points = models.setdefault((name, _origin(line)), {})
        best = points.get(line.protocol)
        if best is None or _score(line, metric) > _score(best, metric):
            points[line.protocol] = line
    return tuple(
        Slope(name, tuple((one, points[one].id) for one in _PROTOCOLS if one in points))
        for (name, _), points in models.items()
        if len(points) > 1
    )


def _best(
    members: Iterable[Line], metric: Metric, cost: str, *, less_is_better: bool
) -> tuple[str, ...]:
    """From the cheapest on, every line that is better than all cheaper ones."""
    sign = 1 if less_is_better else -1
    in_order = sorted(members, key=lambda one: (sign * getattr(one, cost), -_score(one, metric)))
    best: list[Line] = []
    for line in in_order:
        if not best or _score(line, metric) > _score(best[-1], metric):
            best.append(line)
    return tuple(one.id for one in best)


def _ranked(lines: Iterable[Line], metric: Metric) -> list[Line]:
    return [
        line
        for line in lines
        if metric.id in line.cells
        and line.cells[metric.id].rank is not None
        and line.cells[metric.id].value is not None
    ]


def _score(line: Line, metric: Metric) -> float:
    value = line.cells[metric.id].value
    if value is None:
        raise ValueError(f"{line.id} has no {metric.id}")
    return value if metric.higher_is_better else -value


def _group(line: Line, cost: str) -> str:
    if line.kind != "reported" and cost == "fps":
        return line.device or "device not known"
    return _origin(line)


def _origin(line: Line) -> str:
    """Whose numbers these are."""
    return line.source.rpartition(": ")[0] if line.source is not None else "measured"
