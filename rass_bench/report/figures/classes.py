"""IoU of each class, for the best measured line of each protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rass_bench.report.content import BoardContent, Line
from rass_bench.report.figures import style
from rass_bench.report.figures.strength import best_of_each_protocol
from rass_bench.report.short_names import cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 52
"""Classes one above another; more stand in further columns."""

_NARROW_UP_TO = 30
"""So many classes fit in one column of a paper."""


@dataclass(frozen=True)
class _Class:
    """A class and its IoU by line id, in percent."""

    name: str
    iou: dict[str, float]


def draw_classes(board: BoardContent, names: Mapping[str, str]) -> style.Drawing | None:
    """Draw a row for each class, the best first.

    Args:
        board: the data set.
        names: short names.

    Returns:
        The drawing; None without a label space or without a line that kept its classes.
    """
    with_classes = {
        line.id
        for line in board.lines
        if line.details is not None and any(one is not None for one in line.details.per_class)
    }
    lines = best_of_each_protocol(board, with_classes, most=1)
    if board.classes is None or not lines:
        return None
    classes = _sorted_classes(board.classes.names, lines)
    columns = math.ceil(len(classes) / _ROWS)
    rows = math.ceil(len(classes) / columns)
    width = style.COLUMN if len(classes) <= _NARROW_UP_TO else style.PAGE
    figure = style.new_figure(width, 0.8 + 0.14 * len(lines) + 0.15 * rows)
    for index, axes in enumerate(figure.subplots(1, columns, squeeze=False).flat):
        _draw_column(axes, classes[index * rows : (index + 1) * rows], lines, rows)
    entries = [
        (
            f"{line.protocol.upper()}: {names[line.name]}",
            {"linestyle": "none", **style.protocol_look(line.protocol)},
        )
        for line in lines
    ]
    style.add_legend(figure, entries)
    style.settle(figure, board)
    left_out = len(board.classes.names) - len(classes)
    caption = style.caption(
        board,
        "IoU of each class for the best measured line of each protocol, the class with the best"
        " mean first.",
        f"{left_out} classes that occur in no photo are left out." if left_out else "",
        style.stands_for(names, lines),
    )
    return style.Drawing(figure, caption)


def _sorted_classes(names: Sequence[str], lines: Sequence[Line]) -> list[_Class]:
    """The classes that some line has a number for, the best mean first."""
    found = []
    for index, name in enumerate(names):
        iou = {}
        for line in lines:
            value = line.details.per_class[index] if line.details is not None else None
            if value is not None:
                iou[line.id] = 100 * value
        if iou:
            found.append(_Class(name, iou))
    return sorted(found, key=lambda one: -float(np.mean(list(one.iou.values()))))


def _draw_column(axes: Axes, classes: Sequence[_Class], lines: Sequence[Line], rows: int) -> None:
    heights = range(len(classes))
    for height, one in zip(heights, classes, strict=True):
        values = list(one.iou.values())
        axes.plot([min(values), max(values)], [height, height], color="#d0d3d7", zorder=1)
    for line in lines:
        known = [(one.iou[line.id], y) for y, one in enumerate(classes) if line.id in one.iou]
        axes.plot(
            [iou for iou, _ in known],
            [y for _, y in known],
            linestyle="none",
            gid=f"classes-{line.id}",
            markersize=3.6,
            **style.protocol_look(line.protocol),
        )
    axes.set_yticks(list(heights), [cut(one.name, 20) for one in classes], fontsize=style.SMALL)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(-2, 102)
    # The same rows in every column, though the last one may hold fewer classes.
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlabel("IoU ↑ %")
    axes.grid(visible=True, axis="x")
