"""The film: colour, depth and label of every sample, and flat patches of the world on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rass_bench.data.scenes.camera import FILM, NEAR, Camera, Window
from rass_bench.data.scenes.light import Light
from rass_bench.labels import IGNORE

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Hits:
    """Visible samples of a surface; all arrays have one entry a sample.

    Attributes:
        row: row on the film.
        column: column on the film.
        u: first surface coordinate, metres.
        v: second surface coordinate, metres (upward on a wall).
        depth: depth along the view, metres.
    """

    row: Indices
    column: Indices
    u: Array
    v: Array
    depth: Array

    def keep(self, mask: NDArray[np.bool_]) -> Hits:
        """Only the samples where ``mask`` holds."""
        return Hits(self.row[mask], self.column[mask], self.u[mask], self.v[mask], self.depth[mask])


class Canvas:
    """What has been drawn so far; the nearer surface wins, in whatever order they come.

    Attributes:
        camera: the view.
        light: the light.
        colour: linear light, float64 (FILM, FILM, 3).
        depth: depth along the view in metres, infinite where nothing was drawn.
        labels: class ids, uint8 (FILM, FILM); 255 where nothing was drawn.
        glows: bright points (position, colour, radius in metres) that get a halo in the end.
    """

    def __init__(self, camera: Camera, light: Light, air: Array) -> None:
        self.camera = camera
        self.light = light
        self.air = air  # colour of distant air per column, (FILM, 3)
        self.colour = np.zeros((FILM, FILM, 3))
        self.depth = np.full((FILM, FILM), np.inf)
        self.labels = np.full((FILM, FILM), IGNORE, dtype=np.uint8)
        self.glows: list[tuple[Array, Array, float]] = []

    def paint(self, hits: Hits, colour: ArrayLike, label: int) -> None:
        """Put samples on the film, seen through the haze before them."""
        clear = self.light.clarity(hits.depth)[:, None]
        self.colour[hits.row, hits.column] = np.asarray(colour) * clear + self.air[hits.column] * (
            1.0 - clear
        )
        self.depth[hits.row, hits.column] = hits.depth
        self.labels[hits.row, hits.column] = label

    def patch(self, corners: ArrayLike) -> Hits:
        """Visible samples of a flat convex polygon.

        Args:
            corners: world points (k, 3) in order; u runs from the first corner towards the
                second, v at a right angle to it on the side of the others.
        """
        points = np.asarray(corners, dtype=np.float64)
        along = _unit(points[1] - points[0])
        side = points[-1] - points[0]
        up = _unit(side - (side @ along) * along)
        flat = np.stack([(points - points[0]) @ along, (points - points[0]) @ up], axis=1)

        def inside(u: Array, v: Array) -> NDArray[np.bool_]:
            covered = np.ones(u.shape, dtype=bool)
            for (u0, v0), (u1, v1) in zip(flat, np.roll(flat, -1, axis=0), strict=True):
                covered &= (u1 - u0) * (v - v0) - (v1 - v0) * (u - u0) >= 0.0
            return covered

        return self.plane(points[0], along, up, points, inside)

    def plane(
        self,
        origin: Array,
        along: Array,
        up: Array,
        bounds: ArrayLike,
        inside: Callable[[Array, Array], NDArray[np.bool_]],
    ) -> Hits:
        """Visible samples of a shape on a plane.

        Args:
            origin: world point with u = v = 0.
            along: unit vector of u.
            up: unit vector of v, at a right angle to ``along``.
            bounds: world polygon (k, 3) around the shape.
            inside: which (u, v) belong to the shape.
        """
        window = self.camera.window(bounds)
        if window is None:
            return _nothing()
        rows, columns = window.slices
        ahead, rise = self.camera.ahead[columns], self.camera.rise[rows]
        normal = np.cross(along, up)
        offset = origin - self.camera.position
        slant = (ahead @ normal)[None, :] + (rise * normal[1])[:, None]
        slant = np.where(np.abs(slant) < 1e-12, 1e-12, slant)
        depth = (offset @ normal) / slant
        u = depth * ((ahead @ along)[None, :] + (rise * along[1])[:, None]) - offset @ along
        v = depth * ((ahead @ up)[None, :] + (rise * up[1])[:, None]) - offset @ up
        visible = (depth > NEAR) & (depth < self.depth[rows, columns]) & inside(u, v)
        return pick(window, visible, u, v, depth)

    def upright(self, foot: ArrayLike, left: float, right: float, height: float) -> Window | None:
        """The window of a flat thing that stands at ``foot`` and faces the viewer."""
        base = np.asarray(foot, dtype=np.float64)
        if self.camera.depth(base) < NEAR:
            return None
        aside, up = self.camera.right, np.array([0.0, height, 0.0])
        corners = [base + left * aside, base + right * aside]
        return self.camera.window([*corners, corners[1] + up, corners[0] + up])

    def local(self, foot: ArrayLike, window: Window) -> tuple[Array, Array, float]:
        """Metres aside (w,) and above (h,) of ``foot`` for a window, and the depth of ``foot``."""
        row, column, depth = self.camera.project(np.asarray(foot, dtype=np.float64))
        scale = depth / self.camera.focal
        rows, columns = window.slices
        aside = (np.arange(FILM)[columns] + 0.5 - column) * scale
        above = (row - (np.arange(FILM)[rows] + 0.5)) * scale
        return aside, above, float(depth)

    def ahead_of(self, window: Window, depth: float) -> NDArray[np.bool_]:
        """Where a thing of that depth would be in front of what was drawn, (h, w)."""
        return self.depth[window.slices] > depth


def pick(window: Window, mask: NDArray[np.bool_], u: Array, v: Array, depth: ArrayLike) -> Hits:
    """The samples of a window where ``mask`` holds; u, v and depth broadcast to the window."""
    row, column = np.nonzero(mask)
    taken = [np.broadcast_to(array, mask.shape)[row, column] for array in (u, v, np.asarray(depth))]
    return Hits(row + window.top, column + window.left, *taken)


def _nothing() -> Hits:
    none, empty = np.zeros(0, dtype=np.intp), np.zeros(0)
    return Hits(none, none, empty, empty, empty)


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.sqrt(vector @ vector)
    return unit
