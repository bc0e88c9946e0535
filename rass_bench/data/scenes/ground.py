"""The ground plane: which surface lies where, cast shadows on it, and the look of each surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import FILM, Camera
from rass_bench.data.scenes.canvas import Canvas, Hits
from rass_bench.data.scenes.light import Light, rgb
from rass_bench.data.scenes.noise import fbm, grain, hash01, smoothstep
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Surface(IntEnum):
    """What the ground is made of at a place."""

    GRASS = 0
    ROAD = 1
    MARKING = 2
    SIDEWALK = 3
    KERB = 4
    EARTH = 5
    FIELD = 6
    SAND = 7
    WATER = 8
    SEA = 9


CLASS_OF = {
    Surface.GRASS: "grass",
    Surface.ROAD: "road",
    Surface.MARKING: "road",
    Surface.SIDEWALK: "sidewalk",
    Surface.KERB: "sidewalk",
    Surface.EARTH: "earth",
    Surface.FIELD: "earth",
    Surface.SAND: "sand",
    Surface.WATER: "water",
    Surface.SEA: "sea",
}

LIQUID = (Surface.WATER, Surface.SEA)


@dataclass(frozen=True)
class Shadow:
    """Shade on the ground.

    Attributes:
        polygon: convex outline in world (X, Z), counter-clockwise seen from above, (k, 2); or the
            four corners of the box around an ellipse.
        round: whether the shape is the ellipse in that box.
        soft: width of its rim, metres (of a unit radius for an ellipse).
        dark: 1 where all direct light is taken away.
        leafy: how ragged the rim is.
        contact: takes sky light away too: the dark line under a thing.
    """

    polygon: Array
    round: bool = False
    soft: float = 0.15
    dark: float = 1.0
    leafy: float = 0.0
    contact: bool = False

    def coverage(self, x: Array, z: Array) -> Array:
        """How much of the light is taken at world (x, z), 0..1."""
        if self.round:
            centre = self.polygon.mean(axis=0)
            first = (self.polygon[1] - self.polygon[0]) / 2
            second = (self.polygon[3] - self.polygon[0]) / 2
            dx, dz = x - centre[0], z - centre[1]
            a = (dx * first[0] + dz * first[1]) / (first @ first)
            b = (dx * second[0] + dz * second[1]) / (second @ second)
            reach = np.sqrt(a * a + b * b)
            if self.leafy:
                reach = reach + self.leafy * fbm(x / 7.0, z / 7.0, 2)
            return self.dark * (1.0 - smoothstep(1.0 - self.soft, 1.0 + self.soft, reach))
        outside = np.full(x.shape, -np.inf)
        for (x0, z0), (x1, z1) in zip(self.polygon, np.roll(self.polygon, -1, axis=0), strict=True):
            length = np.hypot(x1 - x0, z1 - z0)
            outside = np.maximum(outside, ((z1 - z0) * (x - x0) - (x1 - x0) * (z - z0)) / length)
        return self.dark * (1.0 - smoothstep(-self.soft, self.soft, outside))


class Ground:
    """World coordinates and surface of all ground samples, rows ``top`` and below.

    Attributes:
        top: first row under the horizon.
        x: world X, (FILM - top, FILM).
        z: world Z, the same shape.
        depth: along the view, (FILM - top, 1).
        surface: :class:`Surface` ids, uint8, grass to begin with.
        shade: how much direct light is missing, 0..1.
        contact: how much sky light is missing, 0..1.
        shore: metres from the edge of the water into it; infinite where no beach is.
    """

    def __init__(self, camera: Camera) -> None:
        self.top = min(FILM, int(np.floor(camera.horizon + 0.5)) + 1)
        self.depth = (camera.height / -camera.rise[self.top :])[:, None]
        self.x = camera.position[0] + self.depth * camera.ahead[None, :, 0]
        self.z = self.depth * camera.ahead[None, :, 2]
        self.surface = np.zeros(self.x.shape, dtype=np.uint8)
        self.shade = np.zeros(self.x.shape)
        self.contact = np.zeros(self.x.shape)
        self.shore = np.full(self.x.shape, np.inf)

    def lay(self, surface: Surface, where: Mask) -> None:
        """Cover the ground with a surface where the mask holds."""
        self.surface[where] = surface

    def cast(self, camera: Camera, shadow: Shadow) -> None:
        """Add one shadow."""
        low, high = shadow.polygon.min(axis=0), shadow.polygon.max(axis=0)
        margin = 0.6 + (0.3 * (high - low) if shadow.round else 0.0)
        (x0, z0), (x1, z1) = low - margin, high + margin
        corners = np.array([[x0, 0, z0], [x1, 0, z0], [x1, 0, z1], [x0, 0, z1]])
        window = camera.window(corners)
        if window is None or window.bottom <= self.top:
            return
        rows = slice(max(window.top - self.top, 0), window.bottom - self.top)
        place = (rows, slice(window.left, window.right))
        taken = shadow.coverage(self.x[place], self.z[place])
        buffer = self.contact if shadow.contact else self.shade
        buffer[place] = np.maximum(buffer[place], taken)


Painter = Callable[[Array, Array, Array], Array]


def draw_ground(canvas: Canvas, ground: Ground, look: dict[Surface, Painter]) -> None:
    """Draw the ground wherever nothing stands before it. Water is left for :mod:`.water`.

    Args:
        canvas: the film.
        ground: surfaces and shadows.
        look: albedo of each surface from (x, z, depth), each (n,), to (n, 3).
    """
    space = load_label_space("ade20k-150")
    free = canvas.depth[ground.top :] > ground.depth
    for surface in Surface:
        row, column = np.nonzero(free & (ground.surface == surface))
        if len(row) == 0:
            continue
        x, z, depth = ground.x[row, column], ground.z[row, column], ground.depth[row, 0]
        hits = Hits(row + ground.top, column, x, z, depth)
        if surface in LIQUID:
            colour = np.zeros((len(row), 3))
        else:
            albedo = snowed(canvas.light, look[surface](x, z, depth), surface, x, z)
            colour = lit(canvas.light, albedo, ground.shade[row, column],
                         ground.contact[row, column], x, z)  # fmt: skip
        canvas.paint(hits, colour, space.id_of(CLASS_OF[surface]))


def lit(light: Light, albedo: Array, shade: Array, contact: Array, x: Array, z: Array) -> Array:
    """Light from level ground: sun less shadows, sky less contact shade, lamps."""
    direct = light.sun * (light.direction[1] * (1.0 - shade))[:, None]
    around = light.sky * (1.0 - 0.75 * contact)[:, None]
    for lamp in light.lamps:
        square = (x - lamp.position[0]) ** 2 + (z - lamp.position[2]) ** 2 + lamp.position[1] ** 2
        fall = lamp.power * lamp.position[1] / (square * np.sqrt(square) + 1.0)
        around = around + lamp.colour * (fall * (1.0 - 0.75 * contact))[:, None]
    reflected: Array = albedo * (direct + around)
    return reflected


def snowed(light: Light, albedo: Array, surface: Surface, x: Array, z: Array) -> Array:
    """The same ground under snow: closed on grass, with ruts on the road."""
    if light.snow == 0.0:
        return albedo
    bare = {Surface.GRASS: -0.1, Surface.ROAD: 0.75, Surface.MARKING: 0.75, Surface.SIDEWALK: 0.35}
    patches = fbm(x / 16.0, z / 16.0, 1) * 0.5 + 0.5
    cover = smoothstep(bare.get(surface, 0.1) - 0.25, bare.get(surface, 0.1) + 0.35, patches)
    cover = 0.12 + 0.88 * cover * light.snow
    white = rgb("e6ecf6") * (0.88 + 0.16 * fbm(x / 3.0, z / 3.0, 2))[:, None]
    return albedo * (1.0 - cover)[:, None] + white * cover[:, None]


def grass(dry: float, tint: Array) -> Painter:
    """Meadow or lawn: blades near by, patches far away; ``dry`` 0 fresh .. 1 straw."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        patches = fbm(x / 41.0, z / 41.0, 0)
        near = 1.0 / (1.0 + depth * 0.05)
        blades = 0.5 * fbm(x / 1.7, z / 3.4, 1) + 1.3 * near * grain(x / 1.3, z / 3.6)
        base = tint + (rgb("a89a55") - tint) * np.clip(dry + 0.55 * patches * dry, 0, 1)[:, None]
        return base * np.clip(1.0 + 0.22 * patches + 0.55 * near**0.5 * blades, 0.25, 2.0)[:, None]

    return albedo


def asphalt(grey: float, wet: float) -> Painter:
    """Road surface with worn tracks and patches; darker when wet."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        speckle = grain(x / 1.6, z / 2.4) / (1.0 + depth * 0.10)
        worn = fbm(x / 9.0, z / 90.0, 2) + 0.6 * fbm(x / 37.0, z / 41.0, 0)
        tone = grey * (1.0 + 0.13 * worn + 0.30 * speckle) * (1.0 - 0.45 * wet)
        coloured: Array = tone[:, None] * np.array([0.98, 1.0, 1.05])
        return coloured

    return albedo


def marking(colour: Array) -> Painter:
    """Paint on the road, worn."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        worn = smoothstep(-0.75, 0.1, fbm(x / 3.0, z / 3.0, 1))
        return np.outer(0.35 + 0.65 * worn, colour)

    return albedo


def paving(tone: Array, slab: float) -> Painter:
    """Slabs with joints."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        u, v = x / slab, z / slab
        joint = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v)))
        line = (1.0 - smoothstep(0.015, 0.05, joint)) / (1.0 + depth * 0.10)
        each = hash01(np.floor(u), np.floor(v), 5) - 0.5
        dirt = fbm(x / 9.0, z / 9.0, 2)
        return tone * ((1.0 + 0.13 * each + 0.13 * dirt) * (1.0 - 0.45 * line))[:, None]

    return albedo


def soil(tone: Array, furrow: float) -> Painter:
    """Bare earth; with ``furrow`` metres between plough lines along Z, or 0 without."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        clods = (fbm(x / 2.0, z / 2.0, 1) + grain(x / 3.0, z / 4.5)) / (1.0 + depth * 0.06)
        patches = fbm(x / 30.0, z / 30.0, 0)
        bright = 1.0 + 0.3 * clods + 0.22 * patches
        if furrow:
            wave = np.sin(2 * np.pi * (x / furrow + 0.2 * fbm(x / 60.0, z / 60.0, 2)))
            bright = bright * (1.0 + 0.30 * wave / (1.0 + depth * 0.012))
        return tone * bright[:, None]

    return albedo


def beach(tone: Array) -> Painter:
    """Sand with ripples near by."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        ripples = fbm(x / 5.0, z / 1.4, 1) + 0.9 * grain(x / 2.6, z / 4.0)
        patches = fbm(x / 25.0, z / 25.0, 0)
        return tone * (1.0 + 0.14 * ripples / (1.0 + depth * 0.06) + 0.12 * patches)[:, None]

    return albedo


def crops(tone: Array, row: float) -> Painter:
    """Rows of a crop along Z, ``row`` metres apart."""

    def albedo(x: Array, z: Array, depth: Array) -> Array:
        wave = np.sin(2 * np.pi * x / row) / (1.0 + depth * 0.02)
        rough = fbm(x / 3.0, z / 3.0, 1)
        return tone * (1.0 + 0.32 * wave + 0.25 * rough)[:, None]

    return albedo
