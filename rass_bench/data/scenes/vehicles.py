"""Cars and buses, built of flat panels, and boats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.canvas import Canvas, Hits
from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Lamp, Light, lit_near, rgb
from rass_bench.data.scenes.noise import smoothstep
from rass_bench.data.scenes.shadows import prism_shadow, rectangle
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]

PAINT = ("c02a24", "2a4fa0", "e6e6e4", "1a1a1e", "8e959c", "bfc4c8", "2f6a4a", "d8a028", "5a7fb0",
         "7a2030")  # fmt: skip


@dataclass(frozen=True)
class Body:
    """Outline of a car seen from its left: metres ahead of the middle, metres up.

    Attributes:
        half: half length.
        width: half width.
        top: (k, 2) upper edge of the lower body from tail to nose.
        cabin: metres ahead of the rear and front end of the cabin's foot and of its roof.
        roof: height of the roof.
        axle: metres from the middle to each axle.
    """

    half: float
    width: float
    top: Array
    cabin: tuple[float, float, float, float]
    roof: float
    axle: float


def _body(
    half: float, hood: float, belt: float, tail: float, cabin: tuple[float, ...], roof: float
) -> Body:
    top = np.array(
        [[-half, 0.55], [-half + 0.06, tail], [cabin[0], belt], [cabin[1], belt],
         [half - 0.12, hood], [half, 0.5]]
    )  # fmt: skip
    a, b, c, d = cabin
    return Body(half, 0.88, top, (a, b, c, d), roof, half * 0.61)


BODIES = {
    "sedan": _body(2.25, 0.70, 0.92, 0.90, (-1.62, 0.95, -0.95, 0.10), 1.42),
    "hatchback": _body(1.98, 0.74, 0.96, 0.92, (-1.86, 0.92, -1.50, 0.15), 1.50),
    "estate": _body(2.30, 0.90, 1.08, 1.04, (-2.18, 0.85, -1.85, 0.10), 1.72),
    "van": _body(2.45, 0.98, 1.16, 1.10, (-2.40, 1.45, -2.30, 0.80), 2.05),
}


@dataclass(frozen=True)
class Car:
    """A car.

    Attributes:
        x: world X of its middle, metres.
        z: world Z of its middle, metres.
        heading: where its nose points, radians to the right of world Z.
        body: its outline.
        paint: linear albedo.
        lights_on: headlights and tail lights shine.
    """

    x: float
    z: float
    heading: float
    body: Body
    paint: Array
    lights_on: bool

    @property
    def _ahead(self) -> Array:
        return np.array([np.sin(self.heading), 0.0, np.cos(self.heading)])

    @property
    def _aside(self) -> Array:
        return np.array([np.cos(self.heading), 0.0, -np.sin(self.heading)])

    def _at(self, ahead: float, aside: float, up: float) -> Array:
        point: Array = np.array([self.x, up, self.z]) + ahead * self._ahead + aside * self._aside
        return point

    def shadows(self, light: Light) -> list[Shadow]:
        """The outline thrown on the ground, and the dark under the car."""
        base = rectangle(self.x, self.z, self.body.half, self.body.width, self.heading)
        cabin = rectangle(self.x, self.z, self.body.half * 0.9, self.body.width, self.heading)
        under = Shadow(base, soft=0.3, dark=1.0, contact=True)
        return [under, *prism_shadow(light, cabin, self.body.roof * 0.85)]

    def lamps(self) -> list[Lamp]:
        """The pool of light before the headlights."""
        if not self.lights_on:
            return []
        place = self._at(self.body.half + 2.5, 0.0, 1.4)
        return [Lamp(place, rgb("fff0d0"), 2.5)]

    def draw(self, canvas: Canvas) -> None:
        """All panels that face the viewer."""
        light = lit_near(canvas.light, self._at(0, 0, 1.0))
        for side in (-1.0, 1.0):
            self._draw_side(canvas, light, side)
            self._draw_cabin_side(canvas, light, side)
        body, w = self.body, self.body.width
        rear, front, roof_rear, roof_front = body.cabin
        tops = [(float(a), float(v)) for a, v in body.top]
        self._strip(canvas, light, tops[3], tops[4], w, w * 0.94, "paint")
        self._strip(canvas, light, tops[1], tops[2], w * 0.95, w, "paint")
        inset = w - 0.20
        belt = tops[2][1]
        self._strip(canvas, light, (roof_rear, body.roof), (roof_front, body.roof), inset, inset,
                    "paint")  # fmt: skip
        self._strip(canvas, light, (roof_front, body.roof), (front, belt), inset, w * 0.93, "glass")
        self._strip(canvas, light, (rear, belt), (roof_rear, body.roof), w * 0.93, inset, "glass")
        self._draw_end(canvas, light, 1.0)
        self._draw_end(canvas, light, -1.0)

    def _strip(
        self, canvas: Canvas, light: Light, start: tuple[float, float], end: tuple[float, float],
        half_start: float, half_end: float, finish: str,
    ) -> None:  # fmt: skip
        """A panel across the car between two edges, given as (ahead, up), rear edge first."""
        (a0, v0), (a1, v1) = start, end
        corners = [self._at(a0, -half_start, v0), self._at(a0, half_start, v0),
                   self._at(a1, half_end, v1), self._at(a1, -half_end, v1)]  # fmt: skip
        normal = _unit((v0 - v1) * self._ahead + (a1 - a0) * np.array([0.0, 1.0, 0.0]))
        if normal @ (corners[0] - canvas.camera.position) >= 0:
            return
        hits = canvas.patch(corners)
        if finish == "paint":
            colour = self._enamel(light, np.tile(self.paint, (len(hits.u), 1)), normal)
        else:
            width = hits.u - half_start
            length = np.hypot(a1 - a0, v1 - v0)
            to_side = half_start - np.abs(width) - (half_start - half_end) * hits.v / length
            edge = np.minimum(to_side, np.minimum(hits.v, length - hits.v))
            glass = _glass(light, normal, hits.v / length)
            frame = self._enamel(light, np.tile(self.paint, (len(hits.u), 1)), normal)
            colour = np.where((edge < 0.06)[:, None], frame * 0.8, glass)
        canvas.paint(hits, colour, _label("car"))

    def _draw_side(self, canvas: Canvas, light: Light, side: float) -> None:
        normal = side * self._aside
        origin = self._at(0.0, side * self.body.width, 0.0)
        if normal @ (origin - canvas.camera.position) >= 0:
            return
        body, half = self.body, self.body.half
        bounds = [self._at(a, side * body.width, v)
                  for a, v in ((-half, 0.0), (half, 0.0), (half, 1.2), (-half, 1.2))]  # fmt: skip

        def inside(u: Array, v: Array) -> NDArray[np.bool_]:
            shell = (v > 0.24) & (v < np.interp(u, body.top[:, 0], body.top[:, 1], -1.0, -1.0))
            wheel = (np.abs(np.abs(u) - body.axle) ** 2 + (v - 0.32) ** 2) < 0.32**2
            return shell | wheel

        hits = canvas.plane(origin, self._ahead, np.array([0.0, 1.0, 0.0]), bounds, inside)
        canvas.paint(hits, self._side_colour(light, hits, normal), _label("car"))

    def _side_colour(self, light: Light, hits: Hits, normal: Array) -> Array:
        u, v, body = hits.u, hits.v, self.body
        albedo = np.tile(self.paint, (len(u), 1))
        # The flank curves: its upper part looks up, its lower part at the road.
        bright = 0.72 + 0.38 * smoothstep(0.3, 0.85, v) - 0.25 * smoothstep(0.52, 0.45, v)
        albedo = albedo * bright[:, None]
        albedo[v < 0.31] = rgb("26262a")
        for line in (body.cabin[0] * 0.45, body.cabin[1] * 0.72):
            albedo[np.abs(u - line) < 0.02] *= 0.35
        albedo[(np.abs(u - 0.12) < 0.10) & (np.abs(v - 0.80) < 0.022)] = rgb("d0d0d0")
        colour = self._enamel(light, albedo, normal)
        tail = (u < -body.half + 0.22) & (np.abs(v - 0.72) < 0.12)
        nose = (u > body.half - 0.34) & (np.abs(v - 0.60) < 0.07)
        colour[tail] = light.shade(rgb("b01818"), normal) + self.lights_on * rgb("ff2010") * 0.8
        colour[nose] = light.shade(rgb("e8e8ec"), normal) + self.lights_on * rgb("fff0d0") * 1.2
        hub = np.sqrt((np.abs(u) - body.axle) ** 2 + (v - 0.32) ** 2)
        colour[(hub < 0.40)] = light.shade(rgb("101012"), normal)
        colour[hub < 0.32] = light.shade(rgb("2a2a2c"), normal)
        spoke = np.cos(5 * np.arctan2(v - 0.32, np.abs(u) - body.axle)) > -0.35
        colour[(hub < 0.21)] = light.shade(rgb("55585c"), normal)
        colour[(hub < 0.20) & spoke] = light.shade(rgb("b8bcc2"), normal)
        return colour

    def _draw_cabin_side(self, canvas: Canvas, light: Light, side: float) -> None:
        body, w = self.body, self.body.width
        rear, front, roof_rear, roof_front = body.cabin
        belt, inset = float(body.top[2, 1]), body.width - 0.20
        corners = [self._at(rear, side * w, belt), self._at(front, side * w, belt),
                   self._at(roof_front, side * inset, body.roof),
                   self._at(roof_rear, side * inset, body.roof)]  # fmt: skip
        normal = _unit(side * self._aside * (body.roof - belt) + np.array([0.0, 0.2, 0.0]))
        if normal @ (corners[0] - canvas.camera.position) >= 0:
            return
        hits = canvas.patch(corners)
        tall = np.hypot(body.roof - belt, 0.2)
        level = hits.v / tall
        left = (roof_rear - rear) * level
        right = (front - rear) + (roof_front - front) * level
        pillar = (front - rear) * 0.47
        edge = np.minimum(np.minimum(hits.u - left, right - hits.u), np.abs(hits.u - pillar) + 0.04)
        glass = (edge > 0.10) & (level > 0.08) & (level < 0.86)
        frame = self._enamel(light, np.tile(self.paint * 0.9, (len(hits.u), 1)), normal)
        colour = np.where(glass[:, None], _glass(light, normal, level), frame)
        canvas.paint(hits, colour, _label("car"))

    def _draw_end(self, canvas: Canvas, light: Light, end: float) -> None:
        """Nose (+1) or tail (-1)."""
        normal = end * self._ahead
        body, w = self.body, self.body.width
        high = float(body.top[4, 1] if end > 0 else body.top[1, 1])
        at = end * (body.half - 0.05)
        corners = [self._at(at, -w, 0.24), self._at(at, w, 0.24),
                   self._at(at, w * 0.94, high), self._at(at, -w * 0.94, high)]  # fmt: skip
        if normal @ (corners[0] - canvas.camera.position) >= 0:
            return
        hits = canvas.patch(corners)
        u, v = np.abs(hits.u - w), hits.v + 0.24
        albedo = np.tile(self.paint, (len(u), 1)) * (0.75 + 0.35 * smoothstep(0.3, 0.7, v))[:, None]
        albedo[v < 0.36] = rgb("202024")
        albedo[(u < 0.27) & (np.abs(v - 0.46) < 0.065)] = rgb("e8e8e0")
        colour = self._enamel(light, albedo, normal)
        if end > 0:
            grille = (u < 0.45) & (np.abs(v - high + 0.16) < 0.07)
            colour[grille] = light.shade(rgb("18181c"), normal)
            lamp = (u > w - 0.40) & (u < w - 0.06) & (np.abs(v - high + 0.15) < 0.075)
            colour[lamp] = light.shade(rgb("eceef2"), normal) + self.lights_on * rgb("fff4dc") * 2.0
        else:
            lamp = (u > w - 0.30) & (u < w - 0.03) & (np.abs(v - high + 0.20) < 0.11)
            colour[lamp] = light.shade(rgb("a81414"), normal) + self.lights_on * rgb("ff1808") * 1.6
        canvas.paint(hits, colour, _label("car"))
        if self.lights_on:
            tint = (
                rgb("fff0d0") * (0.7 if light.night else 0.35) if end > 0 else rgb("ff2010") * 0.5
            )
            for side in (-1.0, 1.0):
                place = self._at(at, side * (w - 0.22), high - 0.15)
                canvas.glows.append((place, tint, 0.5 if end > 0 else 0.25))

    def _enamel(self, light: Light, albedo: Array, normal: Array) -> Array:
        """Paint with a coat of gloss that mirrors the sky."""
        gloss = 0.05 + 0.16 * max(float(normal[1]), 0.0)
        shine = np.maximum(normal @ light.direction, 0.0) ** 8 * 0.25
        result: Array = (
            light.shade(albedo, normal, 0.9)
            + gloss * (light.horizon + light.zenith) * 0.5
            + shine * light.sun
        )
        return result


@dataclass(frozen=True)
class Bus:
    """A city bus: a long box with a band of windows.

    Attributes:
        x: world X of its middle, metres.
        z: world Z of its middle, metres.
        heading: where its nose points, radians to the right of world Z.
        paint: linear albedo.
        stripe: linear albedo of the lower band.
        lit: the inside is lit.
    """

    x: float
    z: float
    heading: float
    paint: Array
    stripe: Array
    lit: bool

    def _at(self, ahead: float, aside: float, up: float) -> Array:
        point: Array = np.array([self.x, up, self.z]) + ahead * self._ahead + aside * self._aside
        return point

    @property
    def _ahead(self) -> Array:
        return np.array([np.sin(self.heading), 0.0, np.cos(self.heading)])

    @property
    def _aside(self) -> Array:
        return np.array([np.cos(self.heading), 0.0, -np.sin(self.heading)])

    def shadows(self, light: Light) -> list[Shadow]:
        """Of a box."""
        base = rectangle(self.x, self.z, 5.4, 1.25, self.heading)
        return [Shadow(base, soft=0.4, dark=1.0, contact=True), *prism_shadow(light, base, 3.0)]

    def lamps(self) -> list[Lamp]:
        """The pool of light before the headlights."""
        return [Lamp(self._at(8.0, 0.0, 1.6), rgb("fff0d0"), 3.0)] if self.lit else []

    def draw(self, canvas: Canvas) -> None:
        """The sides that face the viewer."""
        light = lit_near(canvas.light, self._at(0, 0, 1.5))
        for side in (-1.0, 1.0):
            normal = side * self._aside
            if normal @ (self._at(0, side * 1.25, 0) - canvas.camera.position) < 0:
                outline = ((-5.4, 0.0), (5.4, 0.0), (5.4, 3.05), (-5.4, 3.05))
                corners = [self._at(a, side * 1.25, v) for a, v in outline]
                hits = canvas.patch(corners)
                hub = np.hypot(np.abs(hits.u - 5.4) - 3.2, hits.v - 0.48)
                hits = hits.keep((hits.v > 0.32) | (hub < 0.48))
                canvas.paint(hits, self._side(light, hits, normal), _label("bus"))
        for end in (-1.0, 1.0):
            normal = end * self._ahead
            if normal @ (self._at(end * 5.4, 0, 0) - canvas.camera.position) < 0:
                corners = [self._at(end * 5.4, s * 1.25, v)
                           for s, v in ((-1, 0.32), (1, 0.32), (1, 3.05), (-1, 3.05))]  # fmt: skip
                hits = canvas.patch(corners)
                canvas.paint(hits, self._end(canvas, light, hits, normal, end), _label("bus"))

    def _side(self, light: Light, hits: Hits, normal: Array) -> Array:
        u, v = hits.u, hits.v
        albedo = np.tile(self.paint, (len(u), 1))
        albedo[v < 1.05] = self.stripe
        albedo[v < 0.42] = rgb("242428")
        colour = light.shade(albedo * (0.8 + 0.25 * smoothstep(0.3, 2.6, v))[:, None], normal)
        colour = colour + 0.05 * light.horizon
        pane = u / 1.35 - np.floor(u / 1.35)
        window = (v > 1.35) & (v < 2.45) & (pane > 0.05) & (pane < 0.95) & (u > 0.25) & (u < 10.55)
        glass = _glass(light, normal, (v - 1.35) / 1.1) + self.lit * rgb("ffe8b8") * 0.55
        colour = np.where(window[:, None], glass, colour)
        hub = np.hypot(np.abs(u - 5.4) - 3.2, v - 0.48)
        colour[hub < 0.56] = light.shade(rgb("121214"), normal)
        colour[hub < 0.26] = light.shade(rgb("9a9ea4"), normal)
        return colour

    def _end(self, canvas: Canvas, light: Light, hits: Hits, normal: Array, end: float) -> Array:
        u, v = np.abs(hits.u - 1.25), hits.v + 0.32
        albedo = np.tile(self.paint, (len(u), 1))
        albedo[v < 0.95] = self.stripe
        albedo[v < 0.5] = rgb("242428")
        colour = light.shade(albedo * (0.8 + 0.25 * smoothstep(0.3, 2.6, v))[:, None], normal)
        window = (u < 1.08) & (v > 1.15) & (v < 2.5)
        glass = _glass(light, normal, (v - 1.15) / 1.35) + self.lit * rgb("ffe8b8") * 0.35
        colour = np.where(window[:, None], glass, colour)
        board = (u < 0.85) & (v > 2.62) & (v < 2.92)
        colour[board] = light.shade(rgb("16161a"), normal) + rgb("ffa020") * 0.12
        lamp = (u > 0.8) & (u < 1.12) & (np.abs(v - 0.72) < 0.12)
        tint = rgb("f0f0f0") if end > 0 else rgb("b01414")
        colour[lamp] = light.shade(tint, normal) + self.lit * tint * 2.5
        if self.lit:
            for side in (-1.0, 1.0):
                canvas.glows.append((self._at(end * 5.4, side * 0.95, 0.72), tint * 0.9, 0.5))
        return colour


@dataclass(frozen=True)
class Boat:
    """A boat on the water.

    Attributes:
        x: world X of its middle, metres.
        z: world Z of its middle, metres.
        length: metres.
        side: +1 when the bow points right, -1 when left.
        hull: linear albedo of the hull.
        sail: linear albedo of the sails; None for a motor boat with a cabin.
    """

    x: float
    z: float
    length: float
    side: float
    hull: Array
    sail: Array | None

    def shadows(self, light: Light) -> list[Shadow]:
        """None: water is a mirror."""
        del light
        return []

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """A hull in profile, and sails or a cabin."""
        light = lit_near(canvas.light, [self.x, 1.0, self.z])
        half, foot = self.length / 2, np.array([self.x, 0.0, self.z])
        right = canvas.camera.right * self.side
        up = np.array([0.0, 1.0, 0.0])
        tall = self.length * (1.35 if self.sail is not None else 0.55)
        bounds = [foot + s * half * 1.05 * right + v * up
                  for s, v in ((-1, 0), (1, 0), (1, tall), (-1, tall))]  # fmt: skip
        facing = _unit(up * 0.25 - canvas.camera.forward + 0.3 * right)
        deck = 0.13 * self.length

        def hull(u: Array, v: Array) -> NDArray[np.bool_]:
            sheer = deck * (0.85 + 0.35 * np.maximum(u / half, 0.0) ** 2)
            bow = half * (0.80 + 0.20 * np.clip(v / deck, 0, 1))
            return (v > 0) & (v < sheer) & (u < bow) & (u > -half * (0.9 + 0.06 * v / deck))

        hits = canvas.plane(foot, right, up, bounds, hull)
        rail = hits.v > 0.75 * deck
        albedo = np.where(rail[:, None], rgb("8a6a44"), self.hull)
        albedo = np.where((hits.v < 0.18 * deck)[:, None], rgb("303438"), albedo)
        canvas.paint(hits, light.shade(albedo, facing), _label("boat"))
        if self.sail is None:
            self._draw_cabin(canvas, light, foot, right, bounds, facing)
        else:
            self._draw_sails(canvas, light, foot, right, bounds, facing)

    def _draw_sails(
        self, canvas: Canvas, light: Light, foot: Array, right: Array, bounds: list[Array],
        facing: Array,
    ) -> None:  # fmt: skip
        size, up = self.length, np.array([0.0, 1.0, 0.0])

        def sails(u: Array, v: Array) -> NDArray[np.bool_]:
            level = (v - 0.20 * size) / (1.08 * size)
            inside = (level > 0) & (level < 1)
            main = (u < -0.005 * size) & (u > -0.42 * size * np.maximum(1 - level, 0) ** 0.85)
            jib = (u > 0.02 * size) & (u < 0.44 * size * (1 - level * 1.15)) & (level < 0.87)
            mast = (np.abs(u) < 0.012 * size) & (v > 0.1 * size) & (v < 1.3 * size)
            return (inside & (main | jib)) | mast

        hits = canvas.plane(foot, right, up, bounds, sails)
        belly = (
            0.82 + 0.3 * smoothstep(-0.45, 0.3, hits.u / size) + 0.08 * np.sin(hits.v / size * 30)
        )
        sail = np.zeros(3) if self.sail is None else self.sail
        albedo = sail * np.clip(belly, 0, 1.15)[:, None]
        albedo = np.where((np.abs(hits.u) < 0.012 * size)[:, None], rgb("5a4634"), albedo)
        canvas.paint(hits, light.shade(albedo, facing, wrap=0.4), _label("boat"))

    def _draw_cabin(
        self, canvas: Canvas, light: Light, foot: Array, right: Array, bounds: list[Array],
        facing: Array,
    ) -> None:  # fmt: skip
        size, up = self.length, np.array([0.0, 1.0, 0.0])

        def cabin(u: Array, v: Array) -> NDArray[np.bool_]:
            low, high = 0.12 * size, 0.34 * size
            front = 0.22 * size - 0.35 * np.maximum(v - low, 0.0)
            mast = (np.abs(u + 0.05 * size) < 0.01 * size) & (v < 0.52 * size) & (v > low)
            return ((v > low) & (v < high) & (u < front) & (u > -0.22 * size)) | mast

        hits = canvas.plane(foot, right, up, bounds, cabin)
        pane = hits.u / (0.11 * size) - np.floor(hits.u / (0.11 * size))
        window = (np.abs(hits.v / size - 0.25) < 0.045) & (pane > 0.14) & (pane < 0.86)
        colour = light.shade(np.tile(rgb("ece8e0"), (len(hits.u), 1)), facing)
        glass = _glass(light, facing, hits.v / size) + light.night * rgb("ffd890") * 0.6
        canvas.paint(hits, np.where(window[:, None], glass, colour), _label("boat"))


def car(rng: np.random.Generator, x: float, z: float, heading: float, light: Light) -> Car:
    """Draw a car: body and paint."""
    body = BODIES[str(rng.choice(list(BODIES)))]
    lights_on = light.night or (light.kind in ("rain", "fog") and rng.random() < 0.6)
    return Car(x, z, heading, body, rgb(str(rng.choice(PAINT))), lights_on)


def _glass(light: Light, normal: Array, level: Array) -> Array:
    """Window glass: dark, with the sky in its upper part."""
    mirror = light.horizon * 0.45 + light.zenith * 0.25
    amount = 0.10 + 0.40 * smoothstep(0.1, 1.0, level) * (0.6 + 0.4 * abs(float(normal[1])))
    result: Array = 0.02 * light.sky + amount[:, None] * mirror
    return result


def _label(name: str) -> int:
    return load_label_space("ade20k-150").id_of(name)


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.sqrt(vector @ vector)
    return unit
