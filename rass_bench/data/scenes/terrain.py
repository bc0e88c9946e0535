"""Hills and mountains: a height field seen column by column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import FILM
from rass_bench.data.scenes.canvas import Canvas, Hits
from rass_bench.data.scenes.light import Light, rgb
from rass_bench.data.scenes.noise import fbm, smoothstep
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mountains:
    """A range between two depths.

    Attributes:
        near: where it begins to rise, metres.
        far: where it ends, metres.
        height: of its summits over the ground, metres.
        period: world metres of one period of the noise it is made of.
        shift: where in the noise it begins.
        rough: 0 for round hills, 1 for sharp ridges.
        snow_line: height above which snow lies, metres.
        green: linear albedo of its lower slopes.
        rock: linear albedo of its upper slopes.
        side: -1 or +1 for a range on the left or right only, 0 for all around.
    """

    near: float
    far: float
    height: float
    period: float
    shift: tuple[float, float]
    rough: float
    snow_line: float
    green: Array
    rock: Array
    side: float = 0.0

    def elevation(self, x: Array, z: Array) -> Array:
        """Height of the ground at world (x, z), metres; 0 before ``near``."""
        u, v = x / self.period + self.shift[0], z / self.period + self.shift[1]
        first, second = fbm(u, v, 1), fbm(u * 3.1, v * 3.1, 2)
        ridge = 1.0 - np.abs(first) * 1.8
        hill = 0.5 + 0.75 * first
        shape = self.rough * ridge + (1.0 - self.rough) * hill
        detail = self.rough * 0.30 * (1.0 - np.abs(second) * 2.0) + 0.06 * second
        rise = smoothstep(self.near, self.near + 0.55 * (self.far - self.near), z)
        if self.side:
            rise = rise * smoothstep(-0.02, 0.45, self.side * x / z)
        result: Array = self.height * rise * np.maximum(shape * 0.8 + detail, 0.02)
        return result


def draw_mountains(canvas: Canvas, range_: Mountains) -> None:
    """Draw a range behind whatever stands before it."""
    hits = _visible(canvas, range_.elevation, np.geomspace(range_.near, range_.far, 110))
    if len(hits.depth) == 0:
        return
    light = canvas.light
    x, z = hits.u, hits.v
    step = range_.period / 420
    here = range_.elevation(x, z)
    slope_x = (range_.elevation(x + step, z) - here) / step
    slope_z = (range_.elevation(x, z + step) - here) / step
    steep = 1.0 / np.sqrt(slope_x**2 + 1.0 + slope_z**2)
    normal = np.stack([-slope_x * steep, steep, -slope_z * steep], axis=1)
    albedo = _cover(range_, light, x, z, here, steep)
    colour = light.shade(albedo, normal, 0.75 + 0.25 * steep)
    canvas.paint(hits, colour, load_label_space("ade20k-150").id_of("mountain"))


def _cover(range_: Mountains, light: Light, x: Array, z: Array, here: Array, steep: Array) -> Array:
    """Forest and meadow below, rock above and where it is steep, snow on top."""
    patches = fbm(x / range_.period * 6.3, z / range_.period * 6.3, 0)
    height = here / range_.height
    rocky = smoothstep(0.30, 0.55, height * 0.75 + (1.0 - steep) * 0.55 + 0.2 * patches)
    albedo = range_.green * (1.0 + 0.45 * patches)[:, None]
    albedo = albedo + (range_.rock * (1.0 + 0.25 * patches)[:, None] - albedo) * rocky[:, None]
    line = min(range_.snow_line, range_.snow_line if light.snow == 0 else 0.05 * range_.height)
    snowy = smoothstep(line, line * 1.25 + 1.0, here * (1.0 + 0.35 * patches)) * smoothstep(
        0.45, 0.75, steep + 0.25 * patches
    )
    snowy = snowy * (0.75 if light.snow and line < range_.snow_line else 1.0)
    result: Array = albedo + (rgb("eef3fb") - albedo) * snowy[:, None]
    return result


def _visible(canvas: Canvas, elevation: Callable[[Array, Array], Array], depths: Array) -> Hits:
    """Samples of the film where the height field is seen, with world (X, Z) as (u, v).

    For every column the skyline of ever farther slices is a falling sequence of rows; the slice
    that a sample shows is found by a binary search in it.
    """
    camera = canvas.camera
    x = camera.position[0] + depths[:, None] * camera.ahead[None, :, 0]
    z = depths[:, None] * camera.ahead[None, :, 2]
    height = elevation(x, z)
    rows = camera.horizon - camera.focal * (height - camera.height) / depths[:, None]
    skyline = np.minimum.accumulate(rows, axis=0)
    first = max(0, int(skyline[-1].min()))
    last = min(FILM, int(np.ceil(camera.horizon + camera.focal * camera.height / depths[0])) + 1)
    row, column = np.nonzero(np.isinf(canvas.depth[first:last]))
    row = row + first
    # One search for all columns: each column's sequence lies in a band of keys of its own.
    band = 4.0 * FILM
    bounded = np.clip(skyline, -FILM, 2 * FILM)
    keys = (np.arange(FILM)[None, :] * band - bounded).T.ravel()
    slice_ = np.searchsorted(keys, column * band - (row + 0.5)) - column * len(depths)
    seen = slice_ < len(depths)
    row, column, slice_ = row[seen], column[seen], slice_[seen]
    before = np.maximum(slice_ - 1, 0)
    upper, lower = skyline[slice_, column], skyline[before, column]
    share = np.clip((lower - (row + 0.5)) / np.maximum(lower - upper, 1e-9), 0.0, 1.0)
    depth = depths[before] + share * (depths[slice_] - depths[before])
    ray = camera.ahead[column]
    return Hits(row, column, camera.position[0] + depth * ray[:, 0], depth * ray[:, 2], depth)
