"""What stands along streets and paths: lamps, benches, fences, signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.canvas import Canvas, pick
from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Lamp, Light, lit_near, rgb
from rass_bench.data.scenes.noise import fbm, hash01, smoothstep
from rass_bench.data.scenes.shadows import contact_shadow, convex_hull, shift
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]

UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Streetlight:
    """A lamp on a pole: an arm over the road, or a lantern on top.

    Attributes:
        x: world X of its foot, metres.
        z: world Z of its foot, metres.
        height: metres.
        arm: metres that the arm reaches along world X; 0 for a lantern.
        lit: whether it shines.
    """

    x: float
    z: float
    height: float
    arm: float
    lit: bool

    @property
    def _head(self) -> Array:
        return np.array([self.x + self.arm, self.height - 0.1, self.z])

    def shadows(self, light: Light) -> list[Shadow]:
        """A line."""
        return [*pole_shadow(light, self.x, self.z, self.height, 0.08)]

    def lamps(self) -> list[Lamp]:
        """Its own light."""
        if not self.lit:
            return []
        return [Lamp(self._head, rgb("ffc878"), 24.0 if self.arm else 9.0)]

    def draw(self, canvas: Canvas) -> None:
        """Pole, arm and head."""
        foot = np.array([self.x, 0.0, self.z])
        light = lit_near(canvas.light, foot + 1.5 * UP)
        label = load_label_space("ade20k-150").id_of("streetlight")
        draw_pole(canvas, light, foot, 0.085, self.height, rgb("3c4244"), label)
        glow = rgb("ffd898") * 3.0 if self.lit else light.shade(rgb("e8e8e0"), UP)
        if self.arm:
            end = np.array([self.x + self.arm, self.height, self.z])
            start = np.array([self.x, self.height - 0.35, self.z])
            corners = [start, end - 0.1 * UP, end, start + 0.16 * UP]
            metal = light.shade(rgb("3c4244"), np.array([0.0, 0.4, -0.9]))
            canvas.paint(canvas.patch(corners), metal, label)
            # A little before the arm: two surfaces at one depth would be drawn at random.
            near = end - np.array([0.35 * np.sign(self.arm), 0.0, 0.03])
            head = [near - 0.12 * UP, near - 0.12 * UP, near + 0.08 * UP, near + 0.08 * UP]
            reach = np.array([0.8 * np.sign(self.arm), 0.0, 0.0])
            head = [head[0], head[1] + reach, head[2] + reach, head[3]]
            canvas.paint(canvas.patch(head), metal * 1.2, label)
            lens = [head[0] - 0.10 * UP, head[1] - 0.10 * UP, head[1], head[0]]
            canvas.paint(canvas.patch(lens), glow, label)
        else:
            self._draw_lantern(canvas, light, foot, glow, label)
        if self.lit:
            canvas.glows.append((self._head, rgb("ffc070") * 0.9, 0.8))

    def _draw_lantern(
        self, canvas: Canvas, light: Light, foot: Array, glow: Array, label: int
    ) -> None:
        window = canvas.upright(foot, -0.4, 0.4, self.height + 0.8)
        if window is None:
            return
        aside, above, depth = canvas.local(foot, window)
        u, v = aside[None, :], above[:, None] - self.height
        glass = (np.abs(u) < 0.16 + 0.22 * v) & (v > 0) & (v < 0.52)
        cap = (np.abs(u) < 0.32 * (1 - (v - 0.5) / 0.3)) & (v >= 0.5) & (v < 0.75)
        hits = pick(window, (glass | cap) & canvas.ahead_of(window, depth - 0.1), u, v, depth - 0.1)
        metal = light.shade(rgb("2c3032"), UP)
        canvas.paint(hits, np.where((hits.v < 0.5)[:, None], glow, metal), label)


@dataclass(frozen=True)
class Sign:
    """A traffic sign on a pole, facing the viewer.

    Attributes:
        x: world X of its foot, metres.
        z: world Z of its foot, metres.
        height: of the middle of the board, metres.
        radius: half size of the board, metres.
        kind: 0 round with red rim, 1 triangle, 2 blue square, 3 wide green board.
    """

    x: float
    z: float
    height: float
    radius: float
    kind: int

    def shadows(self, light: Light) -> list[Shadow]:
        """A line."""
        return pole_shadow(light, self.x, self.z, self.height, 0.05)

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Board and pole."""
        foot = np.array([self.x, 0.0, self.z])
        label = load_label_space("ade20k-150").id_of("signboard")
        light = lit_near(canvas.light, foot + 2.0 * UP)
        wide = self.radius * (1.7 if self.kind == 3 else 1.0)
        window = canvas.upright(foot, -wide * 1.1, wide * 1.1, self.height + self.radius * 1.1)
        if window is None:
            return
        aside, above, depth = canvas.local(foot, window)
        u, v = aside[None, :] / self.radius, (above[:, None] - self.height) / self.radius
        square = np.maximum(np.abs(u), np.abs(v))
        outline = (
            np.sqrt(u**2 + v**2),
            np.maximum(-v * 2.0, np.abs(u) * 1.15 + 0.55 * v + 0.42),
            square + 0 * u * v,
            np.maximum(np.abs(u) / 1.7, np.abs(v)) + 0 * u * v,
        )[self.kind]
        near = depth - 0.06
        hits = pick(window, (outline < 1.0) & canvas.ahead_of(window, near), u, v, near)
        place = (hits.row - window.top, hits.column - window.left)
        rim = outline[place] > (0.74 if self.kind < 2 else 0.9)
        face, edge = (("f4f4f0", "c81e1e"), ("f4f4f0", "c81e1e"), ("1e50a8", "f0f0f0"),
                      ("1e7048", "f0f0f0"))[self.kind]  # fmt: skip
        albedo = np.where(rim[:, None], rgb(edge), rgb(face))
        bar = (np.abs(hits.v + 0.05) < 0.16) & (np.abs(hits.u) < 0.5 + 0.6 * (self.kind == 3))
        mark = rgb("181818") if self.kind < 2 else rgb("f0f0f0")
        albedo = np.where((bar & ~rim)[:, None], mark, albedo)
        normal = 0.3 * UP - 0.95 * canvas.camera.forward
        canvas.paint(hits, light.shade(albedo, normal), label)
        draw_pole(canvas, light, foot, 0.055, self.height, rgb("8a8e92"), label)


@dataclass(frozen=True)
class Bench:
    """A bench with wooden planks; it faces world -Z or, turned, +X or -X.

    Attributes:
        x: world X of its middle, metres.
        z: world Z of its middle, metres.
        heading: where one looks who sits on it, radians to the right of world Z.
    """

    x: float
    z: float
    heading: float

    def shadows(self, light: Light) -> list[Shadow]:
        """The dark under it and a short shadow."""
        shadows = [contact_shadow(self.x, self.z, 0.55, 1.1, self.heading, 0.8)]
        if light.casts_shadows:
            ends = np.array([self._at(s, 0.0, 0.0)[[0, 2]] for s in (-0.95, 0.95)])
            shadows.append(Shadow(convex_hull(np.concatenate([ends, ends + 0.8 * shift(light)]))))
        return shadows

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def _at(self, aside: float, ahead: float, up: float) -> Array:
        forward = np.array([np.sin(self.heading), 0.0, np.cos(self.heading)])
        right = np.array([np.cos(self.heading), 0.0, -np.sin(self.heading)])
        point: Array = np.array([self.x, up, self.z]) + ahead * forward + aside * right
        return point

    def draw(self, canvas: Canvas) -> None:
        """Back, seat and iron ends."""
        light = lit_near(canvas.light, [self.x, 0.6, self.z])
        label = load_label_space("ade20k-150").id_of("bench")
        forward = np.array([np.sin(self.heading), 0.0, np.cos(self.heading)])
        wood = rgb("9a6a40")
        for side in (-0.85, 0.85):
            for ahead, low, high in ((-0.25, 0.0, 0.9), (0.22, 0.0, 0.46)):
                outline = ((-0.05, low), (0.05, low), (0.05, high), (-0.05, high))
                leg = [self._at(side + aside, ahead, up) for aside, up in outline]
                canvas.paint(canvas.patch(leg), light.shade(rgb("26282a"), -forward), label)
        seat = [self._at(-0.95, 0.28, 0.47), self._at(0.95, 0.28, 0.47),
                self._at(0.95, -0.2, 0.45), self._at(-0.95, -0.2, 0.45)]  # fmt: skip
        edge = [self._at(-0.95, 0.28, 0.40), self._at(0.95, 0.28, 0.40),
                self._at(0.95, 0.28, 0.47), self._at(-0.95, 0.28, 0.47)]  # fmt: skip
        back = [self._at(-0.95, -0.24, 0.55), self._at(0.95, -0.24, 0.55),
                self._at(0.95, -0.34, 0.98), self._at(-0.95, -0.34, 0.98)]  # fmt: skip
        facing = forward if forward @ canvas.camera.forward < 0 else -forward
        for corners, normal in ((seat, UP), (edge, facing), (back, facing)):
            hits = canvas.patch(corners)
            plank = hits.v / 0.145 - np.floor(hits.v / 0.145)
            tone = 0.8 + 0.35 * hash01(np.floor(hits.v / 0.145), 0, 8) - 0.45 * (plank < 0.14)
            covered = light.snow * (0.8 if normal is UP else 0.0)
            albedo = wood * tone[:, None] * (1 - covered) + rgb("eef3fb") * covered
            canvas.paint(hits, light.shade(albedo, normal), label)


@dataclass(frozen=True)
class Fence:
    """A straight fence between two points.

    Attributes:
        x0: world X of one end, metres.
        z0: world Z of it.
        x1: world X of the other end.
        z1: world Z of it.
        height: metres.
        kind: ``picket`` (white, pointed), ``board`` (closed, wooden) or ``rail`` (three rails).
        colour: linear albedo.
    """

    x0: float
    z0: float
    x1: float
    z1: float
    height: float
    kind: str
    colour: Array

    @property
    def x(self) -> float:
        """World X of its middle."""
        return (self.x0 + self.x1) / 2

    @property
    def z(self) -> float:
        """World Z of its nearest end."""
        return min(self.z0, self.z1)

    def shadows(self, light: Light) -> list[Shadow]:
        """Of a wall, lighter where there are gaps."""
        ends = np.array([[self.x0, self.z0], [self.x1, self.z1]])
        side = np.array([ends[1, 1] - ends[0, 1], ends[0, 0] - ends[1, 0]])
        side = 0.15 * side / np.sqrt(side @ side)
        foot = np.concatenate([ends - side, ends + side])
        shadows = [Shadow(convex_hull(foot), soft=0.25, dark=0.5, contact=True)]
        if light.casts_shadows:
            outline = np.concatenate([foot, foot + self.height * shift(light)])
            dark = {"picket": 0.75, "board": 1.0, "rail": 0.35}[self.kind]
            shadows.append(Shadow(convex_hull(outline), soft=0.08, dark=dark))
        return shadows

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Boards or rails in one plane, posts in the same."""
        start, end = np.array([self.x0, 0.0, self.z0]), np.array([self.x1, 0.0, self.z1])
        span = end - start
        length = float(np.sqrt(span @ span))
        along = span / length
        normal = np.cross(along, UP)
        if normal @ (start - canvas.camera.position) > 0:
            normal = -normal
        tall = self.height * 1.12
        bounds = [start, end, end + tall * UP, start + tall * UP]

        def inside(u: Array, v: Array) -> NDArray[np.bool_]:
            return (u >= 0) & (u <= length) & (v >= 0) & self._timber(u, v)

        hits = canvas.plane(start, along, UP, bounds, inside)
        light = lit_near(canvas.light, (start + end) / 2)
        board = np.floor(hits.u / 0.16)
        tone = 0.85 + 0.25 * hash01(board, 0, 21) + 0.2 * fbm(hits.u / 0.6, hits.v / 6.0, 2)
        gap = hits.u / 0.16 - board
        tone = tone * np.where((gap < 0.12) & (self.kind == "board"), 0.55, 1.0)
        open_sky = 0.6 + 0.4 * smoothstep(0.0, 0.7, hits.v)
        albedo = self.colour * tone[:, None]
        if light.snow:
            albedo = np.where((hits.v > 0.93 * self.height)[:, None], rgb("eef3fb"), albedo)
        label = load_label_space("ade20k-150").id_of("fence")
        canvas.paint(hits, light.shade(albedo, normal, open_sky), label)

    def _timber(self, u: Array, v: Array) -> NDArray[np.bool_]:
        height = self.height
        if self.kind == "board":
            return v < height
        if self.kind == "rail":
            post = (u / 2.2 - np.floor(u / 2.2)) * 2.2 < 0.17
            rails = np.zeros(v.shape, dtype=bool)
            for level in (0.28, 0.60, 0.92):
                rails |= np.abs(v - level * height) < 0.075
            return (post & (v < height * 1.08)) | rails
        across = np.abs(u / 0.16 - np.floor(u / 0.16) - 0.5)
        picket = (across < 0.37) & (v < height - across * 0.25)
        rails = (np.abs(v - 0.25 * height) < 0.05) | (np.abs(v - 0.75 * height) < 0.05)
        return picket | rails


def draw_pole(
    canvas: Canvas,
    light: Light,
    foot: Array,
    radius: float,
    height: float,
    metal: Array,
    label: int,
) -> None:
    """A round pole, a little thicker at its foot."""
    window = canvas.upright(foot, -1.8 * radius, 1.8 * radius, height)
    if window is None:
        return
    aside, above, depth = canvas.local(foot, window)
    u, v = aside[None, :], above[:, None]
    half = np.where(v < 0.9, 1.45 * radius, radius)
    on = (np.abs(u) < half) & (v >= 0) & (v < height)
    hits = pick(window, on & canvas.ahead_of(window, depth), u, v, depth)
    across = np.clip(hits.u / (1.45 * radius), -1.0, 1.0)
    normal = (across[:, None] * canvas.camera.right
              - np.sqrt(1.0 - across**2)[:, None] * canvas.camera.forward)  # fmt: skip
    canvas.paint(hits, light.shade(np.tile(metal, (len(hits.u), 1)), normal), label)


def pole_shadow(light: Light, x: float, z: float, height: float, radius: float) -> list[Shadow]:
    """The thin shadow of a pole and the dark spot at its foot."""
    shadows = [contact_shadow(x, z, 2.5 * radius, 2.5 * radius, 0.0, 0.6)]
    if light.casts_shadows:
        per_metre = shift(light)
        side = np.array([-per_metre[1], per_metre[0]])
        side = radius * side / max(float(np.sqrt(side @ side)), 1e-6)
        foot = np.array([x, z])
        tip = foot + height * per_metre
        outline = convex_hull(np.array([foot - side, foot + side, tip - side, tip + side]))
        shadows.append(Shadow(outline, soft=0.06, dark=0.9))
    return shadows
