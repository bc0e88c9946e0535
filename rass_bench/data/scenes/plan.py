"""A scene before it is drawn: the viewer, the light, the ground and what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import Camera
from rass_bench.data.scenes.ground import (
    Ground,
    Painter,
    Surface,
    asphalt,
    beach,
    grass,
    marking,
    paving,
    soil,
)
from rass_bench.data.scenes.light import Light, rgb
from rass_bench.data.scenes.terrain import Mountains
from rass_bench.data.scenes.thing import Thing

Array = NDArray[np.float64]

GREEN = ("667d46", "5c7340", "74854e", "7c8c54")
LEAF = ("4a6638", "57723f", "667f45", "42593a", "72864a")
AUTUMN = ("c07a24", "b0522a", "c89a30", "8a8a34", "a0662a")
NEEDLE = ("2c4f34", "34583a", "284838", "3a5a36")
BLOSSOM = ("d84a6a", "e8c840", "e8e8f0", "b060c0", "e07030")


@dataclass(frozen=True)
class Plan:
    """What will be drawn.

    Attributes:
        camera: the view.
        light: the light, without lamps: those come from the things.
        lay: puts surfaces on the ground.
        look: albedo of each surface that ``lay`` uses.
        things: what stands on the ground, in any order.
        mountains: ranges on the horizon, in any order.
        wind: 0 still water .. 1 rough.
        deep: linear colour of deep water.
    """

    camera: Camera
    light: Light
    lay: Callable[[Ground], None]
    look: dict[Surface, Painter]
    things: tuple[Thing, ...]
    mountains: tuple[Mountains, ...] = ()
    wind: float = 0.2
    deep: Array = field(default_factory=lambda: rgb("1f4a52"))


def usual_look(rng: np.random.Generator, light: Light) -> dict[Surface, Painter]:
    """A look for every dry surface; compositions replace what they care about."""
    wet = light.rain
    green = rgb(str(rng.choice(GREEN)))
    stone = rgb(str(rng.choice(["a8a198", "9a948e", "b0a08c", "948c86"]))) * (1.0 - 0.3 * wet)
    return {
        Surface.GRASS: grass(float(rng.uniform(0.0, 0.7)) ** 2, green),
        Surface.ROAD: asphalt(float(rng.uniform(0.10, 0.19)), wet),
        Surface.MARKING: marking(rgb("e8e6dc")),
        Surface.SIDEWALK: paving(stone, float(rng.uniform(0.6, 1.2))),
        Surface.KERB: marking(rgb("b4b0a8")),
        Surface.EARTH: soil(rgb(str(rng.choice(["9a7a58", "8a6a4a", "a88a64"]))), 0.0),
        Surface.FIELD: soil(rgb(str(rng.choice(["7a5a40", "8c6a4a", "6a4c36"]))), 0.9),
        Surface.SAND: beach(rgb(str(rng.choice(["b49e7a", "a89270", "baa684"])))),
    }


def leaf_colour(rng: np.random.Generator, autumn: bool) -> Array:
    """Albedo of one tree's leaves."""
    base = rgb(str(rng.choice(AUTUMN if autumn and rng.random() < 0.75 else LEAF)))
    varied: Array = base * rng.uniform(0.85, 1.25, 3)
    return varied


def range_of(
    rng: np.random.Generator, near: float, far: float, height: float, rough: float
) -> Mountains:
    """Draw a mountain range."""
    return Mountains(
        near=near, far=far, height=height, period=float(rng.uniform(1.6, 2.6)) * far,
        shift=(float(rng.random()), float(rng.random())), rough=rough,
        snow_line=float(rng.choice([0.55, 0.7, 2.0])) * height,
        green=rgb(str(rng.choice(["4c6238", "5a6e40", "3f5836"]))),
        rock=rgb(str(rng.choice(["8c8078", "7a746e", "96867a"]))),
    )  # fmt: skip
