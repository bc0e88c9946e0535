"""Trees, bushes, flowers and reeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import Window
from rass_bench.data.scenes.canvas import Canvas, pick
from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Lamp, Light, lit_near, rgb
from rass_bench.data.scenes.noise import fbm, grain, hash01, smoothstep
from rass_bench.data.scenes.shadows import contact_shadow, crown_shadow
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]

SNOW = rgb("eef3fb")


@dataclass(frozen=True)
class Leafy:
    """A cluster of leaf balls on an optional trunk: a broad-leaved tree or a bush.

    Attributes:
        x: world X of its foot, metres.
        z: world Z of its foot, metres.
        balls: (k, 4): metres aside, above and towards the viewer, and radius of each ball.
        trunk: radius of the trunk, metres; 0 without.
        leaf: linear albedo of the leaves.
        blossom: linear albedo of flowers, or None.
        label: class name.
        salt: where in the noise its leaves begin.
    """

    x: float
    z: float
    balls: Array
    trunk: float
    leaf: Array
    blossom: Array | None
    label: str
    salt: float

    @property
    def _extent(self) -> tuple[float, float, float]:
        """Half width, lowest and highest point of the crown, metres."""
        reach = self.balls[:, 3] * 1.3
        half = float((np.abs(self.balls[:, 0]) + reach).max())
        low = float((self.balls[:, 1] - reach).min())
        return half, low, float((self.balls[:, 1] + reach).max())

    def shadows(self, light: Light) -> list[Shadow]:
        """Dappled shade."""
        half, low, high = self._extent
        if not self.trunk:
            return [*crown_shadow(light, self.x, self.z, 0.0, high, half * 0.85)]
        return crown_shadow(light, self.x, self.z, low, high, half * 0.88)

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Crown first, the trunk behind it."""
        half, low, high = self._extent
        foot = np.array([self.x, 0.0, self.z])
        window = canvas.upright(foot, -half, half, high)
        if window is None:
            return
        aside, above, depth = canvas.local(foot, window)
        free = canvas.ahead_of(window, depth)
        light = lit_near(canvas.light, [self.x, 0.5 * high, self.z])
        coarse = fbm(aside[None, :] / 5.0 + self.salt, above[:, None] / 5.0, 1)
        ragged = grain(aside[None, :] / 6.0 + self.salt, above[:, None] / 6.0)
        normal, front = self._surface(aside, above, 0.55 * coarse + 0.95 * ragged)
        hits = pick(window, free & np.isfinite(front), aside[None, :], above[:, None], depth)
        place = (hits.row - window.top, hits.column - window.left)
        leaves = grain(hits.u / 2.6 + self.salt, hits.v / 2.6) + 0.6 * ragged[place]
        crown = max(high - low, 0.1)
        rim = (front[place] / (0.5 * crown)) * 0.35 + smoothstep(low, high, hits.v) * 0.65
        open_sky = np.clip(0.35 + 0.75 * rim + 0.30 * coarse[place], 0.2, 1.0)
        bend = normal[place] + 0.55 * leaves[:, None] * np.array([0.8, 0.8, 0.0])
        world = bend[:, :1] * canvas.camera.right + bend[:, 1:2] * np.array([0.0, 1.0, 0.0])
        world = world - bend[:, 2:] * canvas.camera.forward
        world = world / np.sqrt((world**2).sum(axis=1, keepdims=True))
        albedo = self._albedo(light, hits.u, hits.v, leaves, coarse[place], world[:, 1])
        label = load_label_space("ade20k-150").id_of(self.label)
        canvas.paint(hits, light.shade(albedo, world, open_sky, wrap=0.35), label)
        if self.trunk:
            middle = (low + high) / 2
            draw_trunk(canvas, light, foot, self.trunk, middle, label, self.salt)

    def _surface(self, aside: Array, above: Array, rough: Array) -> tuple[Array, Array]:
        """Normal (h, w, 3: aside, up, towards the viewer) and front (h, w) of the leaf balls."""
        front = np.full(rough.shape, -np.inf)
        normal = np.zeros((*rough.shape, 3))
        for u, v, w, radius in self.balls:
            reach = radius * 1.35
            columns = slice(*np.searchsorted(aside, [u - reach, u + reach]))
            rows = slice(*np.searchsorted(-above, [-v - reach, -v + reach]))
            du, dv = (aside[columns] - u)[None, :] / radius, (above[rows] - v)[:, None] / radius
            room = 1.0 - du**2 - dv**2 - rough[rows, columns]
            bulge = np.sqrt(np.maximum(room, 0.0))
            nearer = (room > 0.0) & (w + radius * bulge > front[rows, columns])
            front[rows, columns][nearer] = (w + radius * bulge)[nearer]
            ball = np.stack(np.broadcast_arrays(du, dv, bulge), axis=2)
            normal[rows, columns][nearer] = ball[nearer]
        return normal, front

    def _albedo(
        self, light: Light, u: Array, v: Array, leaves: Array, coarse: Array, up: Array
    ) -> Array:
        bright = 1.0 + 0.65 * leaves + 0.25 * coarse
        albedo = self.leaf * np.clip(bright, 0.35, 2.0)[:, None]
        if self.blossom is not None:
            cell = 0.11
            dot = hash01(np.floor(u / cell), np.floor(v / cell), int(self.salt * 1000)) > 0.72
            albedo = np.where(dot[:, None], self.blossom, albedo)
        if light.snow:
            covered = smoothstep(0.25, 0.75, up + 0.5 * leaves) * light.snow
            albedo = albedo + (SNOW - albedo) * covered[:, None]
        return albedo


@dataclass(frozen=True)
class Conifer:
    """A spruce: tiers of drooping branches around a straight trunk.

    Attributes:
        x: world X of its foot, metres.
        z: world Z of its foot, metres.
        height: metres.
        width: half width at its base, metres.
        tiers: number of tiers.
        leaf: linear albedo of the needles.
        salt: where in the noise its branches begin.
    """

    x: float
    z: float
    height: float
    width: float
    tiers: float
    leaf: Array
    salt: float

    def shadows(self, light: Light) -> list[Shadow]:
        """A dappled ellipse."""
        return crown_shadow(light, self.x, self.z, 0.5, self.height * 0.9, self.width * 0.75)

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Tiers by a saw-tooth outline, rounded by their normals."""
        foot = np.array([self.x, 0.0, self.z])
        window = canvas.upright(foot, -self.width * 1.2, self.width * 1.2, self.height)
        if window is None:
            return
        aside, above, depth = canvas.local(foot, window)
        u, v = aside[None, :], above[:, None]
        rough = fbm(u / 4.0 + self.salt, v / 2.0, 1)
        level = np.clip(v / self.height, 0.0, 1.0)
        tier = level**0.85 * self.tiers + 0.35 * np.abs(u) / self.width + 0.25 * rough
        tooth = 1.0 - (tier - np.floor(tier))
        half = self.width * (1.0 - level) ** 0.9 * (0.62 + 0.45 * tooth) * (1.0 + 0.35 * rough)
        low = 0.06 * self.height
        crown = (np.abs(u) < half) & (v > low + 0.02 * self.height * rough) & (v < self.height)
        hits = pick(window, crown & canvas.ahead_of(window, depth), u, v, depth)
        light = lit_near(canvas.light, [self.x, 0.5 * self.height, self.z])
        place = (hits.row - window.top, hits.column - window.left)
        across = np.clip(hits.u / np.maximum(half[place], 1e-6), -1.0, 1.0)
        needles = grain(hits.u / 3.0 + self.salt, hits.v / 5.0)
        up = 0.25 + 0.6 * (1.0 - tooth[place]) + 0.3 * needles
        world = (across[:, None] * canvas.camera.right + up[:, None] * np.array([0.0, 1.0, 0.0])
                 - np.sqrt(1.05 - across**2)[:, None] * canvas.camera.forward)  # fmt: skip
        world = world / np.sqrt((world**2).sum(axis=1, keepdims=True))
        open_sky = np.clip(0.35 + 0.65 * (1.0 - tooth[place]) + 0.2 * needles, 0.2, 1.0)
        albedo = self.leaf * np.clip(1.0 + 0.5 * needles, 0.4, 1.8)[:, None]
        if light.snow:
            covered = smoothstep(0.45, 0.95, 1.0 - tooth[place] + 0.45 * needles) * light.snow
            albedo = albedo + (SNOW - albedo) * covered[:, None]
        label = load_label_space("ade20k-150").id_of("tree")
        canvas.paint(hits, light.shade(albedo, world, open_sky, wrap=0.25), label)
        draw_trunk(canvas, light, foot, 0.022 * self.height, low * 2.0, label, self.salt)


@dataclass(frozen=True)
class Reeds:
    """A tuft of long blades, as grows at the edge of water and of dunes.

    Attributes:
        x: world X of its foot, metres.
        z: world Z of its foot, metres.
        blades: (k, 4): metres aside, lean, height and half width of each blade.
        leaf: linear albedo.
    """

    x: float
    z: float
    blades: Array
    leaf: Array

    def shadows(self, light: Light) -> list[Shadow]:
        """A soft dark spot."""
        del light
        reach = float(np.abs(self.blades[:, 0]).max()) + 0.1
        return [contact_shadow(self.x, self.z, reach, reach, 0.0, 0.6)]

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Curved blades that thin out to their tips."""
        foot = np.array([self.x, 0.0, self.z])
        high = float(self.blades[:, 2].max())
        reach = float((np.abs(self.blades[:, 0]) + np.abs(self.blades[:, 1])).max()) + 0.05
        window = canvas.upright(foot, -reach, reach, high)
        if window is None:
            return
        aside, above, depth = canvas.local(foot, window)
        u, v = aside[None, :], above[:, None]
        tone = np.zeros((len(above), len(aside)))
        for index, (start, lean, height, half) in enumerate(self.blades):
            level = np.clip(v / height, 0.0, 1.0)
            on = (np.abs(u - start - lean * level**2) < half * (1.05 - level)) & (v < height)
            tone = np.where(on & (v > 0), 0.55 + 0.5 * level + 0.06 * (index % 5), tone)
        hits = pick(window, (tone > 0) & canvas.ahead_of(window, depth), u, v, depth)
        light = lit_near(canvas.light, foot)
        bright = tone[hits.row - window.top, hits.column - window.left]
        normal = np.array([0.0, 0.75, 0.0]) - 0.66 * canvas.camera.forward
        albedo = self.leaf * bright[:, None]
        label = load_label_space("ade20k-150").id_of("plant")
        canvas.paint(hits, light.shade(albedo, normal, bright.clip(0.3, 1.0), wrap=0.5), label)


def draw_trunk(
    canvas: Canvas, light: Light, foot: Array, radius: float, height: float, label: int, salt: float
) -> None:
    """A tapering trunk with bark."""
    window: Window | None = canvas.upright(foot, -1.6 * radius, 1.6 * radius, height)
    if window is None:
        return
    aside, above, depth = canvas.local(foot, window)
    u, v = aside[None, :], above[:, None]
    half = radius * (1.0 + 0.5 * np.exp(-3.0 * v / max(radius, 0.05) / 4.0) - 0.35 * v / height)
    on = (np.abs(u) < half) & (v >= 0) & (v < height)
    hits = pick(window, on & canvas.ahead_of(window, depth + 0.02), u, v, depth + 0.02)
    width = half[hits.row - window.top, 0]
    across = np.clip(hits.u / width, -1.0, 1.0)
    normal = (across[:, None] * canvas.camera.right
              - np.sqrt(1.0 - across**2)[:, None] * canvas.camera.forward)  # fmt: skip
    bark = 1.0 + 0.5 * fbm(hits.u / 0.8 + salt, hits.v / 5.0, 2)
    albedo = rgb("6a5542") * bark[:, None]
    canvas.paint(hits, light.shade(albedo, normal, 0.75), label)


def broadleaf(
    rng: np.random.Generator, x: float, z: float, height: float, slim: float, leaf: Array
) -> Leafy:
    """Grow a broad-leaved tree; ``slim`` is its half width over its height, 0.15..0.5."""
    count = 34
    half, low = slim * height, 0.24 * height
    middle, tall = (height + low) / 2, (height - low) / 2
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0.05, 1.0, count))
    level = rng.uniform(-1.0, 1.0, count)
    ring = np.sqrt(1.0 - 0.92 * level**2)
    radius = rng.uniform(0.17, 0.36, count) * min(half, tall)
    aside = np.cos(angle) * reach * ring * (half - radius * 0.7)
    toward = np.sin(angle) * reach * ring * half * 0.8
    above = middle + level * (tall - radius * 0.9)
    balls = np.stack([aside, above, toward, radius], axis=1)
    core = np.array([[0.0, middle, -0.2 * half, 0.62 * min(half, tall)]])
    salt = float(rng.uniform(0, 1))
    trunk = 0.022 * height + 0.04
    return Leafy(x, z, np.concatenate([core, balls]), trunk, leaf, None, "tree", salt)


def bush(
    rng: np.random.Generator, x: float, z: float, height: float, leaf: Array,
    blossom: Array | None = None,
) -> Leafy:  # fmt: skip
    """Grow a bush or a flowering shrub of that height, metres."""
    count = 12
    radius = rng.uniform(0.22, 0.40, count) * height
    aside = rng.uniform(-0.55, 0.55, count) * height
    above = np.maximum(radius * 0.5, height - radius * 1.2 - np.abs(aside) * 0.5)
    above = above * rng.uniform(0.35, 1.0, count)
    balls = np.stack([aside, above, rng.uniform(-0.3, 0.3, count) * height, radius], axis=1)
    return Leafy(x, z, balls, 0.0, leaf, blossom, "plant", float(rng.uniform(0, 1)))


def conifer(rng: np.random.Generator, x: float, z: float, height: float, leaf: Array) -> Conifer:
    """Grow a spruce of that height, metres."""
    width = height * rng.uniform(0.17, 0.26)
    return Conifer(x, z, height, width, rng.uniform(6, 10), leaf, float(rng.uniform(0, 1)))


def reeds(rng: np.random.Generator, x: float, z: float, height: float, leaf: Array) -> Reeds:
    """Grow a tuft of blades up to that height, metres."""
    count = 16
    blades = np.stack(
        [
            rng.uniform(-0.3, 0.3, count) * height,
            rng.uniform(-0.5, 0.5, count) * height,
            rng.uniform(0.5, 1.0, count) * height,
            rng.uniform(0.025, 0.045, count) * height,
        ],
        axis=1,
    )
    return Reeds(x, z, blades, leaf)
