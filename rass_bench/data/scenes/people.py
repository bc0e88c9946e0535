"""People: rounded limbs in a standing or walking pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.canvas import Canvas, pick
from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Lamp, Light, lit_near, rgb
from rass_bench.data.scenes.shadows import contact_shadow, convex_hull, shift
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]

SKIN = ("f1c9a5", "d9a57c", "a8744f", "7a4f35", "5a3a28")
HAIR = ("2a1c14", "14100e", "6a4a2a", "b08a4a", "8a8680")
SHIRT = ("c8352e", "2e5fb8", "e8e4da", "2c2c34", "3f8a55", "e0a83a", "7c4a9a", "d8788c", "5a7a9a")
TROUSERS = ("2a3448", "1c1c20", "5a4e42", "8a8474", "3c4a3a", "48587a")


@dataclass(frozen=True)
class Limb:
    """A rounded cone from (u0, v0) to (u1, v1), metres at a body height of 1, with two radii."""

    u0: float
    v0: float
    u1: float
    v1: float
    r0: float
    r1: float
    colour: Array


@dataclass(frozen=True)
class Person:
    """One person.

    Attributes:
        x: world X of the foot, metres.
        z: world Z of the foot, metres.
        height: body height, metres.
        limbs: from the farthest to the nearest.
    """

    x: float
    z: float
    height: float
    limbs: tuple[Limb, ...]

    def shadows(self, light: Light) -> list[Shadow]:
        """A slim shadow and the dark spot under the feet."""
        shadows = [contact_shadow(self.x, self.z, 0.34, 0.34, 0.0, 0.75)]
        if light.casts_shadows:
            per_metre = shift(light)
            side = np.array([-per_metre[1], per_metre[0]])
            side = side / max(float(np.sqrt(side @ side)), 1e-6)
            foot = np.array([self.x, self.z])
            tip = foot + per_metre * self.height
            points = [foot - 0.1 * side, foot + 0.1 * side]
            points += [foot + 0.6 * (tip - foot) + s * 0.24 * side for s in (-1, 1)]
            points += [tip - 0.08 * side, tip + 0.08 * side]
            shadows.append(Shadow(convex_hull(np.array(points)), soft=0.08, dark=0.95))
        return shadows

    def lamps(self) -> list[Lamp]:
        """None."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Limbs over each other, each shaded as a rounded cone."""
        foot = np.array([self.x, 0.0, self.z])
        half = 0.42 * self.height
        window = canvas.upright(foot, -half, half, self.height * 1.04)
        if window is None:
            return
        aside, above, depth = canvas.local(foot, window)
        u, v = aside[None, :] / self.height, above[:, None] / self.height
        shape = (len(above), len(aside))
        normal, albedo = np.zeros((*shape, 3)), np.zeros((*shape, 3))
        covered = np.zeros(shape, dtype=bool)
        for limb in self.limbs:
            du, dv = limb.u1 - limb.u0, limb.v1 - limb.v0
            square = du * du + dv * dv + 1e-12
            along = np.clip(((u - limb.u0) * du + (v - limb.v0) * dv) / square, 0.0, 1.0)
            radius = limb.r0 + along * (limb.r1 - limb.r0)
            nu, nv = (u - limb.u0 - along * du) / radius, (v - limb.v0 - along * dv) / radius
            room = 1.0 - nu * nu - nv * nv
            on = room > 0.0
            bulge = np.sqrt(np.maximum(room, 0.0))
            normal[on] = np.stack(np.broadcast_arrays(nu, nv, bulge), axis=2)[on]
            albedo[on] = limb.colour
            covered |= on
        hits = pick(window, covered & canvas.ahead_of(window, depth), u, v, depth)
        place = (hits.row - window.top, hits.column - window.left)
        bend = normal[place]
        world = bend[:, :1] * canvas.camera.right + bend[:, 1:2] * np.array([0.0, 1.0, 0.0])
        world = world - bend[:, 2:] * canvas.camera.forward
        light = lit_near(canvas.light, [self.x, 1.0, self.z])
        open_sky = 0.62 + 0.38 * np.clip(hits.v * 1.3, 0.0, 1.0)
        label = load_label_space("ade20k-150").id_of("person")
        canvas.paint(hits, light.shade(albedo[place], world, open_sky, wrap=0.15), label)


def person(rng: np.random.Generator, x: float, z: float) -> Person:
    """Draw a person: build, clothes and pose."""
    tall = float(rng.uniform(1.58, 1.88))
    skin, hair = rgb(str(rng.choice(SKIN))), rgb(str(rng.choice(HAIR)))
    shirt, legs = rgb(str(rng.choice(SHIRT))), rgb(str(rng.choice(TROUSERS)))
    long_hair, dress, bag = rng.random() < 0.35, rng.random() < 0.2, rng.random() < 0.3
    side = float(rng.choice([-1.0, 1.0]))
    stride = float(rng.uniform(0.05, 0.13)) if rng.random() < 0.7 else 0.03
    lean, shoe = 0.012 * side, rgb("231d1a")
    if rng.random() < 0.5:
        limbs = _seen_from_side(side, stride, lean, skin, shirt, legs, shoe)
    else:
        limbs = _seen_from_front(stride, skin, shirt, legs, shoe)
    if dress:
        limbs.append(Limb(0, 0.56, 0, 0.36, 0.075, 0.125, shirt))
    if bag:
        limbs.append(Limb(-0.085 * side, 0.76, -0.09 * side, 0.62, 0.05, 0.06, rgb("4a3a30")))
    limbs += [
        Limb(lean, 0.83, 2 * lean, 0.88, 0.034, 0.034, skin),
        Limb(2 * lean, 0.915, 2 * lean, 0.935, 0.056, 0.058, skin),
        Limb(lean, 0.948, lean, 0.955, 0.060, 0.054, hair),
    ]
    if long_hair:
        limbs.append(Limb(lean - 0.03 * side, 0.94, lean - 0.045 * side, 0.84, 0.04, 0.03, hair))
    return Person(x, z, tall, tuple(limbs))


def _seen_from_side(
    side: float, stride: float, lean: float, skin: Array, shirt: Array, legs: Array, shoe: Array
) -> list[Limb]:
    far, far_shirt = legs * 0.7, shirt * 0.7
    limbs = []
    for sign, cloth in ((-1.0, far), (1.0, legs)):
        step = sign * stride * side
        knee = step * 0.5 + 0.025 * side
        limbs += [
            Limb(step, 0.035, step + 0.05 * side, 0.022, 0.028, 0.022, shoe),
            Limb(knee, 0.27, step, 0.06, 0.045, 0.03, cloth),
            Limb(0.0, 0.50, knee, 0.27, 0.068, 0.046, cloth),
        ]
    swing = stride * 0.9 * side
    far_arm = [
        Limb(lean, 0.79, swing * 0.5, 0.63, 0.034, 0.028, far_shirt),
        Limb(swing * 0.5, 0.63, swing * 1.1 + 0.02 * side, 0.50, 0.026, 0.022, skin * 0.8),
    ]
    body = [
        Limb(0.0, 0.53, lean, 0.60, 0.074, 0.072, shirt),
        Limb(lean, 0.60, lean, 0.77, 0.074, 0.068, shirt),
    ]
    near_arm = [
        Limb(lean, 0.79, -swing * 0.6, 0.63, 0.036, 0.030, shirt * 0.9),
        Limb(-swing * 0.6, 0.63, -swing * 0.9 + 0.03 * side, 0.50, 0.026, 0.024, skin),
    ]
    return [*far_arm, *limbs, *body, *near_arm]


def _seen_from_front(
    stride: float, skin: Array, shirt: Array, legs: Array, shoe: Array
) -> list[Limb]:
    limbs = []
    for sign in (-1.0, 1.0):
        foot = sign * (0.05 + 0.25 * stride)
        lift = 0.03 if sign > 0 and stride > 0.05 else 0.0
        limbs += [
            Limb(foot, 0.03 + lift, foot * 1.25, 0.024 + lift, 0.030, 0.024, shoe),
            Limb(foot, 0.27, foot, 0.06 + lift, 0.044, 0.030, legs),
            Limb(sign * 0.046, 0.50, foot, 0.27, 0.062, 0.045, legs),
            Limb(sign * 0.112, 0.785, sign * 0.142, 0.63, 0.034, 0.028, shirt * 0.88),
            Limb(sign * 0.142, 0.63, sign * 0.137, 0.50, 0.026, 0.024, skin),
        ]
    body = [
        Limb(0.0, 0.53, 0.0, 0.62, 0.088, 0.088, shirt),
        Limb(-0.055, 0.76, 0.055, 0.76, 0.060, 0.060, shirt),
        Limb(0.0, 0.62, 0.0, 0.74, 0.090, 0.098, shirt),
    ]
    return [*limbs, *body]
