"""The main metric against how strongly photos were degraded, a panel for each kind of damage."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rass_bench.report.content import BoardContent, Curve, Factor, Line, Metric
from rass_bench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_OF_A_PROTOCOL = 3
"""Lines of each protocol that are drawn, the best ones."""

_ROW = 4
"""Panels in a row."""


_LETTERS = 24
"""In a line below a panel."""


def draw_strength(board: BoardContent, names: Mapping[str, str]) -> style.Drawing | None:
    """Draw small multiples: the line over bins of images, its 95 % interval as a band.

    Args:
        board: the data set.
        names: short names.

    Returns:
        The drawing; None where no recipes are known or no line has curves.
    """
    metric = board.metrics[0]
    with_curves = {curve.line for factor in board.factors for curve in factor.curves}
    lines = best_of_each_protocol(board, with_curves, MOST_OF_A_PROTOCOL)
    if not lines:
        return None
    looks = _looks(lines)
    rows, columns = math.ceil(len(board.factors) / _ROW), min(len(board.factors), _ROW)
    width = style.PAGE if columns > 1 else style.COLUMN
    figure = style.new_figure(width, 0.8 + 0.07 * len(lines) + 1.6 * rows)
    panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for axes in panels[len(board.factors) :]:
        axes.remove()
    for axes, factor in zip(panels, board.factors, strict=False):
        _draw_factor(axes, factor, looks, metric)
    figure.supylabel(metric.heading, fontsize=8)
    entries = [(f"{line.protocol.upper()}: {names[line.name]}", looks[line.id]) for line in lines]
    style.add_legend(figure, entries)
    style.settle(figure, board)
    caption = style.caption(
        board,
        f"{metric.heading} in bins of images of similar damage, harder to the right; each bin is"
        f" drawn at its median ({_sizes(board.factors)} images a bin). Bands are 95 % intervals"
        " over the images. The other damages are whatever the images of a bin have.",
        _chosen(len(with_curves), lines, names),
        style.stands_for(names, lines),
    )
    return style.Drawing(figure, caption)


def best_of_each_protocol(board: BoardContent, ids: set[str], most: int) -> list[Line]:
    """The best measured lines of each protocol by the main metric, at most so many, best first.

    Args:
        board: the data set.
        ids: the lines to choose among.
        most: of a protocol.
    """
    metric = board.metrics[0]
    sign = -1 if metric.higher_is_better else 1
    measured = [
        (sign * value, line)
        for line in board.lines
        if line.id in ids and line.kind != "reported"
        if (value := style.known(line, metric)) is not None
    ]
    measured.sort(key=lambda one: one[0])
    chosen = []
    for protocol in style.protocols_of([line for _, line in measured]):
        chosen += [line for _, line in measured if line.protocol == protocol][:most]
    return chosen


def _looks(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """Colour and marker by protocol; the first, second and third of one differ in their dashes."""
    looks = {}
    for line in lines:
        place = [one.id for one in lines if one.protocol == line.protocol].index(line.id)
        looks[line.id] = {
            **style.protocol_look(line.protocol),
            "linestyle": style.DASHES[place],
            "alpha": (1, 0.75, 0.55)[place],
            "markersize": 3.2,
        }
    return looks


def _draw_factor(
    axes: Axes, factor: Factor, looks: Mapping[str, dict[str, Any]], metric: Metric
) -> None:
    middles = [one.middle for one in factor.bins]
    curves = {curve.line: curve for curve in factor.curves}
    for index, (line, look) in enumerate(looks.items()):
        if line not in curves:
            continue
        low, high = _band(curves[line], metric)
        axes.fill_between(
            middles, low, high, color=look["color"], alpha=0.08, linewidth=0, zorder=1
        )
        axes.plot(
            middles,
            [math.nan if one is None else style.shown(metric, one) for one in curves[line].values],
            gid=f"curve-{factor.name}-{line}",
            zorder=3 - index / 100,
            **look,
        )
    name, _, unit = factor.axis.partition(": ")
    axes.set_xlabel("\n".join([name, *textwrap.wrap(unit, _LETTERS)]), fontsize=7)
    axes.grid(visible=True)
    if factor.harder_when_lower:
        axes.invert_xaxis()


def _band(curve: Curve, metric: Metric) -> tuple[list[float], list[float]]:
    nothing = (math.nan, math.nan)
    pairs = [nothing if one is None else one for one in curve.ci95]
    return tuple([style.shown(metric, pair[end]) for pair in pairs] for end in (0, 1))  # type: ignore[return-value]


def _sizes(factors: Sequence[Factor]) -> str:
    sizes = {one.images for factor in factors for one in factor.bins}
    return f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)}–{max(sizes)}"


def _chosen(available: int, lines: Sequence[Line], names: Mapping[str, str]) -> str:
    if available <= len(lines):
        return ""
    named = "; ".join(f"{line.protocol.upper()} {names[line.name]}" for line in lines)
    return (
        f"Drawn are {len(lines)} of {available} lines, the best {MOST_OF_A_PROTOCOL} measured ones"
        f" of each protocol: {named}."
    )
