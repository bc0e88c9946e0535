"""From a split and an index to the pixels and labels of a scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes import country, shore, town
from rass_bench.data.scenes.canvas import Canvas
from rass_bench.data.scenes.ground import LIQUID, Ground, draw_ground
from rass_bench.data.scenes.plan import Plan
from rass_bench.data.scenes.sky import air_colour, draw_sky
from rass_bench.data.scenes.terrain import draw_mountains
from rass_bench.data.scenes.water import draw_water, draw_wet, mirrored
from rass_bench.data.scenes.weather import develop, draw_glows, draw_rain, draw_snowfall
from rass_bench.randomness import generator

SEED = 1
"""The seed of version 1.0."""

COMPOSITIONS = (town.street, shore.lake, country.road, town.suburb, shore.coast, country.park)
"""Taken in turn, so that every class is as frequent in a part of a split as in the whole."""

KINDS = {"day": 0.36, "sunset": 0.19, "overcast": 0.11, "fog": 0.08, "rain": 0.08, "snow": 0.07,
         "night": 0.11}  # fmt: skip
"""Times of day and weathers with their probabilities."""

SHADOW_REACH = 130.0
"""Shadows of things farther than this, in metres, are not drawn: haze and size hide them."""


@dataclass(frozen=True)
class Scene:
    """A rendered scene.

    Attributes:
        image: RGB uint8 (256, 256, 3).
        labels: contiguous ADE20K-150 ids, uint8 (256, 256); every pixel has a class.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def scene_id(index: int) -> str:
    """The id of a scene in its split."""
    return f"scene_{index:04d}"


def render_scene(split: str, index: int) -> Scene:
    """Render one scene. The same arguments give the same pixels, whatever was rendered before.

    Args:
        split: ``train`` or ``val``; any other name gives further scenes of the same kind.
        index: 0 and up.
    """
    name = f"{split}/{scene_id(index)}"
    rng = generator(SEED, name, "scenes/plan")
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    compose = COMPOSITIONS[index % len(COMPOSITIONS)]
    if kind == "snow" and compose is shore.coast:
        kind = "day"  # no snow on the beach
    image, labels = develop(draw(compose(rng, kind), generator(SEED, name, "scenes/draw")))
    return Scene(image=image, labels=labels)


def draw(plan: Plan, rng: np.random.Generator) -> Canvas:
    """Draw a plan: things from near to far, then what lies behind them, then what light does."""
    camera, light = plan.camera, plan.light
    ordered = sorted(plan.things, key=lambda thing: float(camera.depth([thing.x, 0.0, thing.z])))
    lamps = tuple(lamp for thing in ordered for lamp in thing.lamps())
    light = replace(light, lamps=lamps[:16]) if light.night else light
    canvas = Canvas(camera, light, air_colour(camera, light))

    ground = Ground(camera)
    plan.lay(ground)
    for thing in ordered:
        if camera.depth([thing.x, 0.0, thing.z]) < SHADOW_REACH:
            for shadow in thing.shadows(light):
                ground.cast(camera, shadow)
    for thing in ordered:
        thing.draw(canvas)
    for range_ in sorted(plan.mountains, key=lambda each: each.near):
        draw_mountains(canvas, range_)
    draw_ground(canvas, ground, plan.look)
    draw_sky(canvas, (float(rng.random()), float(rng.random())))

    if light.rain or np.isin(ground.surface, LIQUID).any():
        mirror = mirrored(canvas)
        draw_water(canvas, ground, mirror, plan.wind, plan.deep)
        draw_wet(canvas, ground, mirror, light.rain)
    draw_glows(canvas)
    if light.rain:
        draw_rain(canvas, rng, light.rain)
    if light.snow:
        draw_snowfall(canvas, rng, light.snow)
    return canvas
