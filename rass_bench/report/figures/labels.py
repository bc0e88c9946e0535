"""Labels beside points, placed so that they cover neither each other nor a point."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rass_bench.report.figures.boxes import Box, along, around
from rass_bench.report.figures.style import DPI, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINT = 72 / DPI
"""A typographic point over a pixel."""

_MARKER = 3.2
"""Half a marker's side, in typographic points."""

_DISTANCES = (1.0, 4.0, 9.0, 15.0, 22.0, 30.0, 39.0, 50.0, 64.0)
"""Between a marker and its label, in typographic points, the nearest tried first."""

_DIRECTIONS = tuple(
    math.radians(angle)
    for angle in (0, 90, 270, 180, 45, 315, 135, 225, 20, 340, 160, 200, 70, 290, 110, 250)
)
"""Where a label is tried first: right, above, below, left, then between them."""

_ATTEMPTS = 6
"""At finding an order in which every label finds a place."""

_LEADER_FROM = 5.0
"""From this distance on a line leads from the point to its label."""


@dataclass(frozen=True)
class Label:
    """A text beside a point.

    Attributes:
        x: of the point, in the axes' data coordinates.
        y: of the point.
        text: one or two lines.
        colour: the point's; the text is drawn in a darker shade of it.
    """

    x: float
    y: float
    text: str
    colour: str


@dataclass(frozen=True)
class _Text:
    """A label's point, and its width and height, in typographic points."""

    point: tuple[float, float]
    size: tuple[float, float]


@dataclass(frozen=True)
class _Scene:
    """What is drawn before any label: the axes' frame, the points' markers, and lines."""

    frame: Box
    markers: tuple[Box, ...]
    lines: tuple[Box, ...]


@dataclass(frozen=True)
class _Place:
    """Where a label stands, and what the line that leads to it covers."""

    box: Box
    leader: tuple[Box, ...]


def place_labels(
    axes: Axes, labels: Sequence[Label], curves: Sequence[Sequence[tuple[float, float]]] = ()
) -> list[Label]:
    """Write each label where it is free, the first ones first.

    Args:
        axes: of a figure whose layout is settled.
        labels: one for every point of the axes, the most important ones first.
        curves: corners of lines that labels keep away from, in data coordinates.

    Returns:
        The labels that fit nowhere and were not written.
    """
    points = [_position(axes, label.x, label.y) for label in labels]
    texts = [
        _Text(point, text_size(axes, label.text))
        for point, label in zip(points, labels, strict=True)
    ]
    scene = _Scene(
        frame=_frame(axes),
        markers=tuple(around(point, _MARKER) for point in points),
        lines=tuple(box for curve in curves for box in _along_curve(axes, curve)),
    )
    places = _best_places(texts, scene)
    for index, place in places.items():
        _write(axes, labels[index], place, points[index])
    return [label for index, label in enumerate(labels) if index not in places]


def _best_places(texts: Sequence[_Text], scene: _Scene) -> dict[int, _Place]:
    """Places by index of the text; those that find none come first in another attempt."""
    order = list(range(len(texts)))
    best: dict[int, _Place] = {}
    for _ in range(_ATTEMPTS):
        places = _places(texts, order, scene)
        best = max(best, places, key=len)
        without = [index for index in order if index not in places]
        if not without:
            break
        order = without + [index for index in order if index in places]
    return best


def _places(texts: Sequence[_Text], order: Sequence[int], scene: _Scene) -> dict[int, _Place]:
    places: dict[int, _Place] = {}
    written: list[Box] = []
    for index in order:
        place = _free_place(index, texts[index], scene, written)
        if place is not None:
            places[index] = place
            written += [place.box, *place.leader]
    return places


def spread(wanted: Sequence[float], apart: float, bottom: float, top: float) -> list[float]:
    """Heights near the wanted ones, in their order, at least so far apart where there is room.

    Args:
        wanted: heights.
        apart: the least distance of two.
        bottom: the lowest height.
        top: the highest height; where all do not fit below it, they stand closer.
    """
    apart = min(apart, (top - bottom) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    heights = [0.0] * len(wanted)
    lowest = bottom
    for index in order:
        heights[index] = lowest = max(wanted[index], lowest)
        lowest += apart
    highest = top
    for index in reversed(order):
        heights[index] = highest = min(heights[index], highest)
        highest -= apart
    return heights


def _free_place(index: int, text: _Text, scene: _Scene, written: Sequence[Box]) -> _Place | None:
    """The nearest place around a point that holds its text and nothing else yet."""
    own = scene.markers[index]
    others = [box for place, box in enumerate(scene.markers) if place != index]
    # A line may leave a heap of points through it, and cross a front or an interval.
    apart = [box for box in others if not box.overlaps(own)]
    for distance in _DISTANCES:
        for angle in _DIRECTIONS:
            place = _place(text.point, text.size, distance, angle)
            box = place.box
            if (
                scene.frame.holds(box)
                and not box.overlaps_any(others)
                and not box.overlaps_any(scene.lines)
                and not box.overlaps_any(written)
                and (place.leader or all(box.gap(own) <= box.gap(other) for other in others))
                and not any(
                    part.overlaps_any(written) or part.overlaps_any(apart) for part in place.leader
                )
            ):
                return place
    return None


def _place(
    point: tuple[float, float], size: tuple[float, float], distance: float, angle: float
) -> _Place:
    """The place in a direction: the text touches a circle around the point from outside."""
    across, up = math.cos(angle), math.sin(angle)
    middle = (
        point[0] + across * (_MARKER + distance) + _sign(across) * size[0] / 2,
        point[1] + up * (_MARKER + distance) + _sign(up) * size[1] / 2,
    )
    box = Box(
        middle[0] - size[0] / 2,
        middle[1] - size[1] / 2,
        middle[0] + size[0] / 2,
        middle[1] + size[1] / 2,
    )
    if distance < _LEADER_FROM:
        return _Place(box, ())
    # The part between the point's own marker and the text.
    own = (box, around(point, _MARKER + 0.7))
    return _Place(
        box,
        tuple(one for one in along(point, middle) if not any(one.overlaps(other) for other in own)),
    )


def _sign(value: float) -> int:
    return 0 if abs(value) < 1e-9 else 1 if value > 0 else -1


def _write(axes: Axes, label: Label, place: _Place, point: tuple[float, float]) -> None:
    box = place.box
    shade = tuple(0.75 * part for part in _rgb(label.colour))
    leader = {"arrowstyle": "-", "color": shade, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2.5}
    axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=((box.left + box.right) / 2 - point[0], (box.bottom + box.top) / 2 - point[1]),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=SMALL,
        multialignment=_alignment(box, point),
        linespacing=1.0,
        color=shade,
        arrowprops=leader if place.leader else None,
    )


def _alignment(box: Box, point: tuple[float, float]) -> Literal["left", "center", "right"]:
    """Lines of a label begin or end at the point that they stand beside."""
    if box.left > point[0]:
        return "left"
    return "right" if box.right < point[0] else "center"


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def text_size(axes: Axes, text: str) -> tuple[float, float]:
    """Width and height of a label's text in typographic points."""
    written = axes.text(0, 0, text, fontsize=SMALL, linespacing=1.0)
    extent = written.get_window_extent()
    written.remove()
    return extent.width * _POINT + 1, extent.height * _POINT


def _position(axes: Axes, x: float, y: float) -> tuple[float, float]:
    across, up = axes.transData.transform((x, y))
    return float(across) * _POINT, float(up) * _POINT


def _frame(axes: Axes) -> Box:
    return Box(*(float(side) * _POINT for side in axes.get_window_extent().extents))


def _along_curve(axes: Axes, curve: Sequence[tuple[float, float]]) -> list[Box]:
    corners = [_position(axes, *corner) for corner in curve]
    return [box for start, end in itertools.pairwise(corners) for box in along(start, end)]
