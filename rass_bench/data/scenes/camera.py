"""A pinhole camera that keeps verticals vertical: world metres to samples and back.

World axes: X right, Y up, Z ahead; the ground is Y = 0. The film is ``FILM`` samples wide and high,
two a pixel, and shifted instead of tilted, so that a vertical wall has one depth per column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SIZE = 256
"""Side of a scene in pixels."""

FILM = 2 * SIZE
"""Side of a scene in samples: 2 x 2 a pixel."""

NEAR = 0.25
"""Nothing nearer to the camera than this, in metres of depth, is drawn."""


@dataclass(frozen=True)
class Window:
    """A rectangle of samples: rows ``top:bottom``, columns ``left:right``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing (row, column) arrays."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True)
class Camera:
    """Where the viewer stands and looks.

    Attributes:
        x: position to the right of the world's origin, metres.
        height: height above the ground, metres.
        yaw: heading to the right of the Z axis, radians.
        horizon: row of the horizon, in samples.
        focal: focal length, in samples.
    """

    x: float
    height: float
    yaw: float
    horizon: float
    focal: float

    @cached_property
    def position(self) -> Array:
        """World position, (3,)."""
        return np.array([self.x, self.height, 0.0])

    @cached_property
    def forward(self) -> Array:
        """Unit vector of the view, horizontal."""
        return np.array([np.sin(self.yaw), 0.0, np.cos(self.yaw)])

    @cached_property
    def right(self) -> Array:
        """Unit vector to the right of the view, horizontal."""
        return np.array([np.cos(self.yaw), 0.0, -np.sin(self.yaw)])

    @cached_property
    def across(self) -> Array:
        """Sideways metres at depth 1 m, per column, (FILM,)."""
        return np.asarray((np.arange(FILM) + 0.5 - FILM / 2) / self.focal, dtype=np.float64)

    @cached_property
    def ahead(self) -> Array:
        """World direction of each column at depth 1 m and eye level, (FILM, 3)."""
        return np.asarray(self.forward + self.across[:, None] * self.right, dtype=np.float64)

    @cached_property
    def rise(self) -> Array:
        """Metres upward at depth 1 m, per row, (FILM,)."""
        return np.asarray((self.horizon - (np.arange(FILM) + 0.5)) / self.focal, dtype=np.float64)

    def depth(self, points: ArrayLike) -> Array:
        """Depth along the view of world points (..., 3), metres."""
        return np.asarray((np.asarray(points, dtype=np.float64) - self.position) @ self.forward)

    def project(self, points: ArrayLike) -> tuple[Array, Array, Array]:
        """Row, column (samples, fractional) and depth of world points (..., 3)."""
        offset = np.asarray(points, dtype=np.float64) - self.position
        depth = offset @ self.forward
        column = FILM / 2 + self.focal * (offset @ self.right) / depth
        row = self.horizon - self.focal * offset[..., 1] / depth
        return row, column, depth

    def place(self, depth: float, across: float) -> tuple[float, float]:
        """World X and Z of the ground point at that depth, ``across`` of the half width aside."""
        reach = across * FILM / 2 / self.focal * depth
        point = self.position + depth * self.forward + reach * self.right
        return float(point[0]), float(point[2])

    def window(self, polygon: ArrayLike) -> Window | None:
        """The samples that a planar world polygon (k, 3) can cover, or None when out of view."""
        points = _clip_near(np.asarray(polygon, dtype=np.float64), self.depth(polygon))
        if len(points) == 0:
            return None
        row, column, _ = self.project(points)
        limits = np.clip(
            [row.min() - 1, row.max() + 2, column.min() - 1, column.max() + 2], 0, FILM
        )
        top, bottom, left, right = (int(value) for value in limits)
        return Window(top, bottom, left, right) if top < bottom and left < right else None


def _clip_near(points: Array, depth: Array) -> Array:
    """Cut a polygon at the near plane (one step of Sutherland and Hodgman 1974)."""
    kept: list[Array] = []
    for index in range(len(points)):
        here, there = depth[index - 1], depth[index]
        if (here < NEAR) != (there < NEAR):
            share = (NEAR - here) / (there - here)
            kept.append(points[index - 1] + share * (points[index] - points[index - 1]))
        if there >= NEAR:
            kept.append(points[index])
    return np.array(kept)
