"""Times of day and weathers: sun, sky light, haze, wetness, snow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rgb(code: str) -> Array:
    """Linear light of an sRGB-like hex code such as ``"c08050"`` (gamma 2, as in the print)."""
    return np.array([(int(code[k : k + 2], 16) / 255.0) ** 2 for k in (0, 2, 4)])


@dataclass(frozen=True)
class Lamp:
    """A point light that matters at night.

    Attributes:
        position: world metres, (3,).
        colour: linear light, (3,).
        power: irradiance straight below at 1 m.
    """

    position: Array
    colour: Array
    power: float


@dataclass(frozen=True)
class Light:
    """The light of one scene. All colours are linear light, (3,).

    Attributes:
        kind: name of the time of day.
        azimuth: where the sun stands, radians to the right of world Z.
        elevation: its height over the horizon, radians.
        sun: irradiance of direct sun or moon; zero under closed cloud.
        sky: irradiance from above.
        bounce: irradiance from below.
        zenith: colour of the sky overhead.
        horizon: colour of the sky at the horizon, of haze too.
        glow: what the sun adds to the sky around it.
        haze: extinction per metre.
        clouds: cover, 0 none .. 1 closed.
        exposure: factor before the tone curve.
        night: lamps and windows are lit.
        rain: strength of falling rain, 0..1.
        snow: snow on the ground and in the air, 0..1.
        lamps: point lights.
    """

    kind: str
    azimuth: float
    elevation: float
    sun: Array
    sky: Array
    bounce: Array
    zenith: Array
    horizon: Array
    glow: Array
    haze: float
    clouds: float
    exposure: float
    night: bool = False
    rain: float = 0.0
    snow: float = 0.0
    lamps: tuple[Lamp, ...] = ()

    @cached_property
    def direction(self) -> Array:
        """Unit vector to the sun, (3,)."""
        flat = np.cos(self.elevation)
        return np.array(
            [np.sin(self.azimuth) * flat, np.sin(self.elevation), np.cos(self.azimuth) * flat]
        )

    @property
    def casts_shadows(self) -> bool:
        """Whether direct light is strong enough for a shadow to be seen."""
        return bool(self.sun.max() > 0.04)

    def clarity(self, depth: Array) -> Array:
        """Share of a surface's own colour that passes ``depth`` metres of air.

        The density falls off with distance, as if far things stood higher: mountains stay visible
        in a haze that already softens the end of a street.
        """
        passed: Array = np.exp(-self.haze * depth / (1.0 + depth / 900.0))
        return passed

    def shade(
        self, albedo: Array, normal: ArrayLike, open_sky: ArrayLike = 1.0, wrap: float = 0.0
    ) -> Array:
        """Light that a matt surface sends back, (n, 3).

        Args:
            albedo: linear reflectance, (n, 3) or (3,).
            normal: unit normal, (3,) for a flat surface or (n, 3).
            open_sky: share of the surroundings that is not hidden, scalar or (n,).
            wrap: 0 for a hard terminator, towards 1 for leaves, which let light through.
        """
        facing = np.asarray(normal) @ self.direction
        direct = np.maximum((facing + wrap) / (1.0 + wrap), 0.0)[..., None]
        upward = (0.5 + 0.5 * np.asarray(normal)[..., 1])[..., None]
        around = self.bounce * (1.0 - upward) + self.sky * upward
        visible = np.asarray(open_sky, dtype=np.float64)[..., None]
        result: Array = albedo * (self.sun * direct * visible**0.5 + around * visible)
        return result

    def lamplight(self, point: ArrayLike) -> Array:
        """Irradiance from all lamps at one world point, (3,)."""
        total = np.zeros(3)
        for lamp in self.lamps:
            distance = float(np.sum((lamp.position - np.asarray(point)) ** 2))
            total = total + lamp.colour * (lamp.power / (distance + 25.0))
        return total


def lit_near(light: Light, point: ArrayLike) -> Light:
    """The light for a thing that stands at ``point``: lamps nearby join the light of the sky."""
    if not light.lamps:
        return light
    extra = light.lamplight(point)
    return replace(light, sky=light.sky + extra, bounce=light.bounce + 0.5 * extra)


def draw_light(rng: np.random.Generator, kind: str, heading: float) -> Light:
    """Draw the light of a scene.

    Args:
        rng: the scene's generator.
        kind: ``day``, ``sunset``, ``overcast``, ``fog``, ``rain``, ``snow`` or ``night``.
        heading: the camera's yaw, so that a low sun can stand in view.
    """
    side = rng.choice([-1.0, 1.0])
    high = np.radians(rng.uniform(28, 58))
    aside = heading + side * np.radians(rng.uniform(50, 140))
    day = Light(
        kind=kind, azimuth=aside, elevation=high,
        sun=rgb("fff4e0") * 2.5, sky=rgb("9ab8e8") * 1.05, bounce=rgb("a8a08c") * 0.55,
        zenith=rgb("3f78c8"), horizon=rgb("cfe0ee"), glow=rgb("fff0d0") * 0.35,
        haze=rng.uniform(0.0003, 0.0012), clouds=rng.uniform(0.15, 0.6), exposure=0.62,
    )  # fmt: skip
    if kind == "sunset":
        return _sunset(rng, day, heading, side)
    if kind == "night":
        return _night(rng, day, heading, side)
    return day if kind == "day" else _closed_sky(rng, day)


def _closed_sky(rng: np.random.Generator, day: Light) -> Light:
    """Overcast, fog, rain or snow: ``day.kind`` says which."""
    kind = day.kind
    grey = replace(
        day, sun=rgb("ffffff") * 0.12, sky=rgb("dfe6ee") * 1.15, bounce=rgb("a8a8a0") * 0.5,
        zenith=rgb("a4b0c0"), horizon=rgb("d4dae0"), glow=np.zeros(3),
        haze=rng.uniform(0.001, 0.003), clouds=1.0, exposure=0.62,
    )  # fmt: skip
    if kind == "overcast":
        return grey
    if kind == "fog":
        return replace(
            grey, haze=rng.uniform(0.012, 0.024), zenith=rgb("b9c2cc"), horizon=rgb("ccd2d8")
        )
    if kind == "rain":
        return replace(
            grey, sky=rgb("b0bccc") * 0.85, zenith=rgb("76828f"), horizon=rgb("a9b2bb"),
            haze=rng.uniform(0.004, 0.008), rain=rng.uniform(0.5, 1.0),
        )  # fmt: skip
    return _snow(rng, day, grey)


def _night(rng: np.random.Generator, day: Light, heading: float, side: float) -> Light:
    """The moon stands in view or just outside; lamps do the rest."""
    return replace(
        day, sun=rgb("8da4e0") * 0.34, sky=rgb("5a70b0") * 0.42, bounce=rgb("54506a") * 0.16,
        azimuth=heading + side * np.radians(rng.uniform(5, 40)),
        elevation=np.radians(rng.uniform(12, 26)), exposure=0.95, night=True,
        zenith=rgb("14204a"), horizon=rgb("45527c"), glow=rgb("aab8e0") * 0.16,
        haze=rng.uniform(0.001, 0.003), clouds=rng.uniform(0.15, 0.5),
    )  # fmt: skip


def _sunset(rng: np.random.Generator, day: Light, heading: float, side: float) -> Light:
    """A low sun, more often before the camera than beside it."""
    in_view = rng.random() < 0.6
    aside = np.radians(rng.uniform(4, 22) if in_view else rng.uniform(60, 130))
    return replace(
        day, azimuth=heading + side * aside, elevation=np.radians(rng.uniform(5, 13)),
        sun=rgb("ffb060") * 2.4, sky=rgb("8a90c0") * 0.75, bounce=rgb("9c7c70") * 0.4,
        zenith=rgb(str(rng.choice(["4a64a8", "5a5a9c", "3f6ab0"]))),
        horizon=rgb(str(rng.choice(["f4b482", "f0a080", "f6c890"]))), glow=rgb("ffb868") * 1.0,
        haze=rng.uniform(0.0008, 0.0025), clouds=rng.uniform(0.25, 0.65), exposure=0.72,
    )  # fmt: skip


def _snow(rng: np.random.Generator, day: Light, grey: Light) -> Light:
    """Under a clear winter sky or while it falls."""
    if rng.random() < 0.45:
        low = np.radians(rng.uniform(14, 26))
        return replace(
            day, elevation=low, sun=rgb("ffe8cc") * 1.9, sky=rgb("a8c0f0") * 0.9,
            bounce=rgb("c8d4ec") * 0.6, snow=rng.uniform(0.85, 1.0), exposure=0.5,
        )  # fmt: skip
    return replace(
        grey, bounce=rgb("d0d8e4") * 0.7, haze=rng.uniform(0.003, 0.007),
        snow=rng.uniform(0.8, 1.0), exposure=0.58,
    )  # fmt: skip
