"""The main metric against what a line costs, with the lines that are worth it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rass_bench.report.content import BoardContent, Front, Line, Metric
from rass_bench.report.figures import style
from rass_bench.report.figures.labels import Label, place_labels
from rass_bench.report.short_names import cut, in_two_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COSTS = {"fps": "images a second", "all_parameters": "parameters of all that runs"}
"""The costs, as :class:`rass_bench.report.content.Front` names them, and their headings."""

_WIDE_FROM = 7
"""So many points need the width of two columns."""

_MOST_TICKS = 7


@dataclass(frozen=True)
class _Point:
    """A line in the plot: cost and metric in the units that people read."""

    line: Line
    cost: float
    value: float


@dataclass(frozen=True)
class _Group:
    """Lines whose costs compare, and of them the front's from the cheapest to the dearest."""

    title: str
    points: tuple[_Point, ...]
    best: tuple[_Point, ...]


def draw_cost(board: BoardContent, cost: str, names: Mapping[str, str]) -> style.Drawing | None:
    """Draw a panel for each group of lines whose costs compare: one device, or one source.

    Args:
        board: the data set.
        cost: a key of ``COSTS``.
        names: short names.

    Returns:
        The drawing; None where no two lines compare.
    """
    metric = board.metrics[0]
    groups = [_group(board, front, metric) for front in board.fronts if front.axis == cost]
    groups = [group for group in groups if group.points]
    if not groups:
        return None
    points = [point for group in groups for point in group.points]
    lines = [point.line for point in points]
    figure, panels = _panels(len(groups), len(points))
    scale = _Scale.of([point.cost for point in points])
    for axes, group in zip(panels, groups, strict=True):
        _draw_group(axes, group, metric, scale)
        axes.set_title(cut(group.title, 60) if len(groups) > 1 else "", loc="left")
        axes.set_xlabel(COSTS[cost])
    figure.supylabel(metric.heading, fontsize=8)
    style.add_legend(figure, style.protocol_legend(lines))
    style.settle(figure, board)
    without_name = [
        label.text.replace("\n", " ")
        for axes, group in zip(panels, groups, strict=True)
        for label in _write_names(axes, group, metric, scale, names)
    ]
    caption = style.caption(
        board,
        f"{metric.heading} against {COSTS[cost]}, on a logarithmic axis.",
        f"Costs compare within: {'; '.join(group.title for group in groups)}.",
        "Speeds are those of the records: whatever else ran on a device slowed them."
        if cost == "fps"
        else "",
        "The grey line joins what is beaten in both by nothing else. Bars are 95 % intervals over"
        " the images; hollow marks are numbers of papers, which come without.",
        f"Without a name, for want of room: {'; '.join(without_name)}." if without_name else "",
        style.stands_for(names, lines),
    )
    return style.Drawing(figure, caption)


def _group(board: BoardContent, front: Front, metric: Metric) -> _Group:
    points = {}
    for line in board.lines:
        cost: float | None = getattr(line, front.axis)
        value = style.known(line, metric)
        if line.id in front.lines and cost is not None and value is not None:
            points[line.id] = _Point(line, cost, value)
    best = tuple(points[one] for one in front.best if one in points)
    return _Group(front.group, tuple(points.values()), best)


def _panels(groups: int, points: int) -> tuple[Figure, list[Axes]]:
    """One panel, or rows of two that share their axes."""
    if groups == 1:
        wide = points > _WIDE_FROM
        figure = style.new_figure(*((style.PAGE, 3.4) if wide else (style.COLUMN, 2.6)))
        return figure, [figure.subplots()]
    rows = math.ceil(groups / 2)
    figure = style.new_figure(style.PAGE, 0.4 + 2.6 * rows)
    panels = list(figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).flat)
    for axes in panels[groups:]:
        axes.remove()
    for axes in panels[:groups]:
        axes.tick_params(labelbottom=True, labelleft=True)
    return figure, panels[:groups]


def _draw_group(axes: Axes, group: _Group, metric: Metric, scale: _Scale) -> None:
    axes.set_xscale("log")
    axes.plot(
        [scale.place(point.cost) for point in group.best],
        [point.value for point in group.best],
        color=style.FAINT,
        linewidth=1,
        drawstyle="steps-post",  # what lies below the stairs is beaten
        zorder=1,
        gid="front",
    )
    for point in group.points:
        style.draw_point(axes, (scale.place(point.cost), point.value), point.line, metric)
    axes.grid(visible=True)
    axes.margins(y=0.12)
    axes.set_xticks(scale.ticks, [scale.text(tick) for tick in scale.ticks])
    axes.minorticks_off()
    axes.set_xlim(scale.low, scale.high)


def _write_names(
    axes: Axes, group: _Group, metric: Metric, scale: _Scale, names: Mapping[str, str]
) -> list[Label]:
    """Name the points, those of the front first; returns the names that found no room."""
    others = [point for point in group.points if point not in group.best]
    labels = [
        Label(
            scale.place(point.cost),
            point.value,
            in_two_lines(names[point.line.name]),
            style.protocol_look(point.line.protocol)["color"],
        )
        for point in (*group.best, *others)
    ]
    front = [(scale.place(point.cost), point.value) for point in group.best]
    bars = [
        [(scale.place(point.cost), end) for end in ci95]
        for point in group.points
        if (ci95 := style.interval(point.line, metric)) is not None
    ]
    return place_labels(axes, labels, [front, *bars])


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis on which zero has a place too, a decade below the rest.

    Attributes:
        zero: where zero stands.
        low: where the axis begins.
        high: where it ends.
        ticks: where ticks stand.
    """

    zero: float
    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, costs: Sequence[float]) -> _Scale:
        above = [cost for cost in costs if cost > 0] or [1.0]
        zero = min(above) / 10
        lowest, highest = zero if min(costs) <= 0 else min(above), max(above)
        # Room for labels on both sides, also of points that cost nearly the same.
        room = max(1.5, (highest / lowest) ** 0.2)
        low, high = lowest / room, highest * room
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        fine = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
        coarse = [10.0**decade for decade in decades[:: 1 + len(decades) // _MOST_TICKS]]
        fine, coarse = (
            [tick for tick in ticks if max(low, 1.5 * zero) <= tick <= high]
            for ticks in (fine, coarse)
        )
        ticks = fine if len(fine) <= _MOST_TICKS else coarse
        return cls(zero, low, high, (*([zero] if min(costs) <= 0 else []), *ticks))

    def place(self, cost: float) -> float:
        return cost if cost > 0 else self.zero

    def text(self, tick: float) -> str:
        """A tick in thousands, millions or billions: 200 M."""
        if tick == self.zero:
            return "0"
        for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
            if tick >= size:
                return f"{tick / size:g}{unit}"
        return f"{tick:g}"
