"""The shade that standing things throw on the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Light

Array = NDArray[np.float64]


def shift(light: Light) -> Array:
    """World (X, Z) that the shadow of a point moves by for each metre of its height."""
    flat = np.array([light.direction[0], light.direction[2]])
    moved: Array = -flat / max(float(light.direction[1]), 0.08)
    return moved


def prism_shadow(light: Light, base: Array, height: float) -> list[Shadow]:
    """Shadow of an upright prism on a convex base (k, 2), with the dark line at its foot."""
    shadows = [Shadow(convex_hull(base), soft=0.45, dark=0.55, contact=True)]
    if light.casts_shadows:
        outline = convex_hull(np.concatenate([base, base + shift(light) * height]))
        shadows.append(Shadow(outline, soft=0.12 + 0.01 * height))
    return shadows


def crown_shadow(
    light: Light, x: float, z: float, low: float, high: float, radius: float
) -> list[Shadow]:
    """Dappled shadow of a crown between two heights, and of the trunk below it."""
    shadows = [contact_shadow(x, z, 0.35 * radius, 0.35 * radius, 0.0, 0.4)]
    if not light.casts_shadows:
        return [*shadows, contact_shadow(x, z, radius * 1.1, radius * 1.1, 0.0, 0.35)]
    per_metre = shift(light)
    middle, tall = (low + high) / 2, (high - low) / 2
    run = float(np.sqrt(per_metre @ per_metre))
    ahead = per_metre / max(run, 1e-6)
    side = np.array([-ahead[1], ahead[0]])
    centre = np.array([x, z]) + per_metre * middle
    long_, short = ahead * np.hypot(radius, tall * run), side * radius
    box = np.array([-long_ - short, long_ - short, long_ + short, -long_ + short]) + centre
    shadows.append(Shadow(box, round=True, soft=0.16, dark=0.92, leafy=0.28))
    width = side * max(0.12, 0.06 * radius)
    foot = np.array([x, z])
    tip = foot + per_metre * middle
    shadows.append(
        Shadow(convex_hull(np.array([foot - width, foot + width, tip - width, tip + width])))
    )
    return shadows


def contact_shadow(
    x: float, z: float, long_: float, short: float, heading: float, dark: float
) -> Shadow:
    """The soft darkness under a thing: an ellipse ``long_`` along the heading."""
    ahead = np.array([np.sin(heading), np.cos(heading)]) * long_
    side = np.array([np.cos(heading), -np.sin(heading)]) * short
    box = np.array([-ahead - side, ahead - side, ahead + side, -ahead + side]) + np.array([x, z])
    return Shadow(box, round=True, soft=0.45, dark=dark, contact=True)


def rectangle(x: float, z: float, long_: float, short: float, heading: float) -> Array:
    """Corners (4, 2) of a rectangle around (x, z); ``long_`` and ``short`` are half sides."""
    ahead = np.array([np.sin(heading), np.cos(heading)]) * long_
    side = np.array([np.cos(heading), -np.sin(heading)]) * short
    around = np.array([-ahead - side, ahead - side, ahead + side, -ahead + side])
    corners: Array = around + np.array([x, z])
    return corners


def convex_hull(points: Array) -> Array:
    """Counter-clockwise convex hull (k, 2) of points (n, 2) (monotone chain, Andrew 1979)."""
    ordered = sorted((float(x), float(z)) for x, z in points)

    def chain(sequence: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for point in sequence:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 1e-12:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
