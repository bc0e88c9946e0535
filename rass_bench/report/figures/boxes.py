"""Rectangles on paper, in typographic points."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in typographic points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """Whether both cover a common area; touching sides do not count."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def overlaps_any(self, others: Iterable[Box]) -> bool:
        """Whether it overlaps one of the others."""
        return any(self.overlaps(other) for other in others)

    def gap(self, other: Box) -> float:
        """The distance to another rectangle; 0 where they touch."""
        across = max(other.left - self.right, self.left - other.right, 0.0)
        up = max(other.bottom - self.top, self.bottom - other.top, 0.0)
        return math.hypot(across, up)

    def holds(self, other: Box) -> bool:
        """Whether all of the other lies inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.bottom <= other.bottom
            and other.top <= self.top
        )


def around(point: tuple[float, float], half: float) -> Box:
    """The square around a point, by half of its side."""
    x, y = point
    return Box(x - half, y - half, x + half, y + half)


def along(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """Small boxes on a straight line, close enough to leave no label room between them."""
    steps = max(1, int(math.dist(start, end) / 2))
    return [
        around(
            (
                start[0] + (end[0] - start[0]) * step / steps,
                start[1] + (end[1] - start[1]) * step / steps,
            ),
            0.5,
        )
        for step in range(steps + 1)
    ]
