"""PSNR against MANIQA: faithful to the clean photo against pleasing to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rass_bench.report.content import BoardContent, Line, Metric
from rass_bench.report.figures import style
from rass_bench.report.figures.labels import Label, place_labels
from rass_bench.report.short_names import cut, in_two_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE_FROM = 10
"""So many points need the width of two columns."""

_MEASURED = "measured"


@dataclass(frozen=True)
class _Point:
    """A line in the plot, with whose numbers these are."""

    line: Line
    origin: str
    psnr: float
    maniqa: float


def draw_perception(board: BoardContent, names: Mapping[str, str]) -> style.Drawing | None:
    """Draw the lines that have both numbers, a colour for each source.

    Args:
        board: the data set.
        names: short names.

    Returns:
        The drawing; None where no line has both.
    """
    psnr, maniqa = _first(board, "psnr"), _first(board, "maniqa")
    if psnr is None or maniqa is None:
        return None
    points = [
        _Point(line, _origin(line), x, y)
        for line in board.lines
        if (x := style.known(line, psnr)) is not None
        and (y := style.known(line, maniqa)) is not None
    ]
    if not points:
        return None
    wide = len(points) > _WIDE_FROM
    figure = style.new_figure(*((style.PAGE, 4.4) if wide else (style.COLUMN, 2.8)))
    axes = figure.subplots()
    looks = _looks(points)
    for point in points:
        _draw(axes, point, looks[point.origin])
    axes.set_xlabel(psnr.heading)
    axes.set_ylabel(maniqa.heading)
    axes.grid(visible=True)
    axes.margins(0.1)
    entries = [(cut(origin, 60), look) for origin, look in looks.items()]
    style.add_legend(figure, entries)
    style.settle(figure, board)
    labels = [
        Label(
            point.psnr,
            point.maniqa,
            in_two_lines(names[point.line.name]),
            looks[point.origin]["color"],
        )
        for point in points
    ]
    without_name = [label.text.replace("\n", " ") for label in place_labels(axes, labels)]
    caption = style.caption(
        board,
        f"{psnr.heading} against {maniqa.heading}; numbers from: {'; '.join(looks)}.",
        "Numbers of different sources were computed by different programs and compare within a"
        " source alone."
        if len(looks) > 1
        else "",
        f"Without a name, for want of room: {'; '.join(without_name)}." if without_name else "",
        style.stands_for(names, [point.line for point in points]),
    )
    return style.Drawing(figure, caption)


def _first(board: BoardContent, name: str) -> Metric | None:
    """The first variant of a metric among the board's columns."""
    return next((one for one in board.metrics if one.id.partition("/")[0] == name), None)


def _origin(line: Line) -> str:
    """Whose numbers these are: the source without its table."""
    return _MEASURED if line.source is None else line.source.rpartition(": ")[0] or line.source


def _looks(points: list[_Point]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each origin; those that were measured here are filled."""
    looks = {}
    # The source with the most points first: it gets the strongest colour.
    origins = Counter(point.origin for point in points).most_common()
    for index, (origin, _) in enumerate(origins):
        colour = style.PALETTE[index % len(style.PALETTE)]
        looks[origin] = {
            "linestyle": "none",
            "marker": style.MARKERS[index % len(style.MARKERS)],
            "color": colour,
            "markerfacecolor": colour if origin == _MEASURED else "white",
        }
    return looks


def _draw(axes: Axes, point: _Point, look: dict[str, Any]) -> None:
    axes.plot([point.psnr], [point.maniqa], gid=f"point-{point.line.id}", **look)
