"""How a model moves between direct test, restoring first and fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rass_bench.report.content import BoardContent, Line, Metric
from rass_bench.report.figures import style
from rass_bench.report.figures.labels import spread, text_size
from rass_bench.report.short_names import cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 24
"""Models that are drawn, those with the best number."""

_PLACES = {"dt": 0, "r2s": 1, "ft": 2}

_NAMES = 2.35
"""Where names begin, on the axis of protocols."""

_LETTERS = 26
"""Of the longest name."""

_ASIDE = 0.015
"""Between two models under one protocol, so that no interval hides another."""

_LABEL_HEIGHT = 8.0
"""Of a line of text, in typographic points."""


@dataclass(frozen=True)
class _Path:
    """A model's numbers by protocol, in the unit that people read."""

    title: str
    points: tuple[tuple[float, float, Line], ...]


def draw_slopes(board: BoardContent, names: Mapping[str, str]) -> style.Drawing | None:
    """Draw a line for each model from protocol to protocol, its name at the end.

    Args:
        board: the data set.
        names: short names.

    Returns:
        The drawing; None where no model stands under two protocols.
    """
    metric = board.metrics[0]
    paths = _paths(board, metric)
    if not paths:
        return None
    drawn = paths[:MOST]
    figure = style.new_figure(style.COLUMN, max(2.6, 0.8 + 0.14 * len(drawn)))
    axes = figure.subplots()
    for index, path in enumerate(drawn):
        _draw(axes, path, metric, _colour(index), _ASIDE * (index - (len(drawn) - 1) / 2))
    axes.set_xticks(list(_PLACES.values()), [name.upper() for name in _PLACES])
    axes.set_xlim(-0.25, 3.4)  # for the layout; names at the end need room of their own
    axes.set_ylabel(metric.heading)
    axes.spines.bottom.set_bounds(-0.25, 2.25)
    axes.grid(visible=True, axis="y")
    axes.margins(y=0.08)
    style.settle(figure, board)
    _write_names(axes, drawn)
    lines = [line for path in drawn for *_, line in path.points]
    caption = style.caption(
        board,
        f"{metric.heading} of each model under several protocols: DT tests it as it is, R2S"
        " restores first, FT fine-tunes it; the best line of each.",
        "Bars are 95 % intervals over the images; hollow marks are numbers of papers.",
        f"Drawn are the best {len(drawn)} of {len(paths)} models."
        if len(drawn) < len(paths)
        else "",
        style.stands_for(names, lines),
    )
    return style.Drawing(figure, caption)


def _paths(board: BoardContent, metric: Metric) -> list[_Path]:
    """The models with two known numbers or more, the best number first."""
    lines = {line.id: line for line in board.lines}
    paths = []
    for slope in board.slopes:
        points = tuple(
            (float(_PLACES[protocol]), value, lines[one])
            for protocol, one in slope.points
            if protocol in _PLACES and (value := style.known(lines[one], metric)) is not None
        )
        if len(points) > 1:
            paths.append(_Path(slope.model, points))
    sign = -1 if metric.higher_is_better else 1
    return sorted(paths, key=lambda path: min(sign * value for _, value, _ in path.points))


def _draw(axes: Axes, path: _Path, metric: Metric, colour: str, aside: float) -> None:
    places = [place + aside for place, _, _ in path.points]
    axes.plot(places, [value for _, value, _ in path.points], color=colour, linewidth=0.9, zorder=2)
    for place, (_, value, line) in zip(places, path.points, strict=True):
        style.draw_point(axes, (place, value), line, metric, colour)


def _write_names(axes: Axes, paths: Sequence[_Path]) -> None:
    """Write the names right of the last protocol, apart from each other, each led to its model."""
    titles = [cut(path.title, _LETTERS) for path in paths]
    _make_room(axes, max(text_size(axes, title)[0] for title in titles))
    ends = [path.points[-1][:2] for path in paths]
    wanted = [float(axes.transData.transform(end)[1]) * 72 / style.DPI for end in ends]
    bottom, top = (float(y) * 72 / style.DPI for y in axes.get_window_extent().intervaly)
    heights = spread(wanted, _LABEL_HEIGHT, bottom, top)
    to_data = axes.transData.inverted()
    for index, (title, (place, value), height) in enumerate(
        zip(titles, ends, heights, strict=True)
    ):
        y = float(to_data.transform((0, height * style.DPI / 72))[1])
        corners = [place + 0.12, max(place + 0.13, _NAMES - 0.14), _NAMES - 0.04]
        axes.plot(corners, [value, value, y], color=_colour(index), linewidth=0.4, alpha=0.6)
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the grid
        axes.text(_NAMES, y, title, va="center", fontsize=style.SMALL, bbox=paper)


def _make_room(axes: Axes, needed: float) -> None:
    """Let the axis go on to the right until a text of that width, in points, fits there."""
    width = float(axes.get_window_extent().width) * 72 / style.DPI
    left = axes.get_xlim()[0]
    share = min(needed / width, 0.6)
    axes.set_xlim(left, (_NAMES - share * left) / (1 - share))


def _colour(index: int) -> str:
    return style.PALETTE[index % len(style.PALETTE)]
