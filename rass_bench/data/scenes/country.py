"""Compositions in the green: a country road and a park."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rass_bench.data.scenes.buildings import Block, draw_facade, draw_house
from rass_bench.data.scenes.camera import Camera
from rass_bench.data.scenes.furniture import Bench, Fence, Sign, Streetlight
from rass_bench.data.scenes.ground import Ground, Surface, crops
from rass_bench.data.scenes.light import draw_light, rgb
from rass_bench.data.scenes.noise import Array
from rass_bench.data.scenes.people import person
from rass_bench.data.scenes.plan import (
    BLOSSOM,
    NEEDLE,
    Plan,
    leaf_colour,
    range_of,
    usual_look,
)
from rass_bench.data.scenes.thing import Thing
from rass_bench.data.scenes.vegetation import broadleaf, bush, conifer
from rass_bench.data.scenes.vehicles import car


def road(rng: np.random.Generator, kind: str) -> Plan:
    """A winding road between fields, with woods and mountains behind."""
    camera = Camera(
        x=float(rng.uniform(-1.5, 1.5)), height=float(rng.uniform(1.9, 4.2)),
        yaw=float(rng.uniform(-0.2, 0.2)), horizon=float(rng.uniform(215, 285)),
        focal=float(rng.uniform(400, 520)),
    )  # fmt: skip
    light = draw_light(rng, kind, camera.yaw)
    half, bend, length = (
        float(rng.uniform(2.6, 3.4)),
        float(rng.uniform(-14, 14)),
        rng.uniform(45, 80),
    )

    def centre(z: Array | float) -> Array:
        """World X of the road's middle."""
        return np.asarray(bend * (1.0 - np.cos(np.clip(np.asarray(z), 0, 400) / length)) / 2)

    left, right = (str(rng.choice(["field", "grass", "crops", "field"])) for _ in range(2))
    verge = half + float(rng.uniform(2.0, 3.0))
    far = float(rng.uniform(60, 120))

    def lay(ground: Ground) -> None:
        offset = ground.x - centre(ground.z)
        for side, use in ((-1.0, left), (1.0, right)):
            here = (offset * side > verge + 1.0) & (ground.z < far)
            if use != "grass":
                ground.lay(Surface.FIELD, here)
        ground.lay(Surface.EARTH, np.abs(offset) < half + 0.7)
        ground.lay(Surface.ROAD, np.abs(offset) < half)
        dash = (ground.z / 7.0 - np.floor(ground.z / 7.0)) < 0.45
        ground.lay(Surface.MARKING, (np.abs(offset) < 0.07) & dash)
        ground.lay(Surface.MARKING, np.abs(np.abs(offset) - half + 0.25) < 0.055)

    look = usual_look(rng, light)
    if "field" not in (left, right):
        look[Surface.FIELD] = crops(rgb(str(rng.choice(["b89a48", "a89040", "c0a860"]))), 0.8)
    things = _along_road(rng, centre, verge)
    things += _woods(rng, far + 10, far + 130, 26)
    for _ in range(int(rng.integers(1, 3))):
        away = bool(rng.random() < 0.5)
        z = float(rng.uniform(9, 40))
        slope = float(centre(z + 1) - centre(z))
        heading = np.arctan(slope) + (0.0 if away else np.pi)
        lane = half * 0.5 * (1 if away else -1)
        things.append(car(rng, float(centre(z)) + lane, z, heading, light))
    if rng.random() < 0.75:
        side = float(rng.choice([-1, 1]))
        z = float(rng.uniform(24, 55))
        x = float(centre(z)) + (side * (verge + 5.0) if side > 0 else side * (verge + 16.0))
        things.append(draw_house(rng, x, z, 11, 9, bool(rng.random() < 0.5)))
    if rng.random() < 0.6:
        z = float(rng.uniform(8, 16))
        side = float(rng.choice([-1, 1]))
        sign_kind = int(rng.integers(0, 4))
        x = float(centre(z)) + side * (half + 1.1)
        things.append(Sign(x, z, 2.0, 0.5 if sign_kind < 3 else 0.6, sign_kind))
    for _ in range(int(rng.integers(0, 3))):
        z = float(rng.uniform(7, 22))
        x = float(centre(z)) + float(rng.choice([-1, 1])) * (half + 0.6)
        things.append(person(rng, x, z))
    mountains = [
        range_of(rng, 900, 4200, float(rng.uniform(450, 1100)), float(rng.uniform(0.4, 1.0)))
    ]
    if rng.random() < 0.6:
        mountains.append(range_of(rng, 300, 900, float(rng.uniform(40, 90)), 0.0))
    return Plan(camera, light, lay, look, tuple(things), tuple(mountains))


def _along_road(
    rng: np.random.Generator, follow: Callable[[float], Array], verge: float
) -> list[Thing]:
    """Fences, trees and bushes on both sides of the road."""
    things: list[Thing] = []
    autumn = bool(rng.random() < 0.35)
    fenced = float(rng.choice([-1, 1]))
    wood = rgb(str(rng.choice(["8a6a4a", "7a624c", "9a8468"])))
    kind = str(rng.choice(["rail", "rail", "board"]))
    if rng.random() < 0.75:
        for z in np.arange(2.0, 62.0, 6.6):
            a, b = float(follow(z)) + fenced * verge, float(follow(z + 6.6)) + fenced * verge
            things.append(Fence(a, float(z), b, float(z) + 6.6, 1.2, kind, wood))
    for side in (-1.0, 1.0):
        z = float(rng.uniform(9, 20))
        while z < 90:
            x = float(follow(z)) + side * (verge + float(rng.uniform(1.8, 9)))
            tall = float(rng.uniform(5, 10))
            slim = float(rng.uniform(0.28, 0.45))
            if rng.random() < 0.75:
                things.append(broadleaf(rng, x, z, tall, slim, leaf_colour(rng, autumn)))
            else:
                things.append(conifer(rng, x, z, tall * 1.1, rgb(str(rng.choice(NEEDLE)))))
            z += float(rng.uniform(7, 26))
        for _ in range(int(rng.integers(1, 4))):
            z = float(rng.uniform(5, 24))
            x = float(follow(z)) + side * (verge + float(rng.uniform(-0.7, 1.2)))
            blossom = rgb(str(rng.choice(BLOSSOM))) if rng.random() < 0.4 else None
            tall = float(rng.uniform(0.7, 1.5))
            things.append(bush(rng, x, z, tall, leaf_colour(rng, False), blossom))
    return things


def _woods(rng: np.random.Generator, near: float, far: float, count: int) -> list[Thing]:
    """A belt of trees across the view."""
    things: list[Thing] = []
    autumn = bool(rng.random() < 0.3)
    for _ in range(count):
        z = float(rng.uniform(near, far))
        x = float(rng.uniform(-0.75, 0.75)) * z
        tall = float(rng.uniform(8, 15))
        if rng.random() < 0.5:
            things.append(
                broadleaf(rng, x, z, tall, float(rng.uniform(0.3, 0.45)), leaf_colour(rng, autumn))
            )
        else:
            things.append(conifer(rng, x, z, tall * 1.15, rgb(str(rng.choice(NEEDLE)))))
    return things


def park(rng: np.random.Generator, kind: str) -> Plan:
    """A path through lawns and trees, benches, lanterns, a pond, the town behind."""
    camera = Camera(
        x=0.0, height=float(rng.uniform(1.7, 3.0)), yaw=float(rng.uniform(-0.15, 0.15)),
        horizon=float(rng.uniform(215, 280)), focal=float(rng.uniform(380, 480)),
    )  # fmt: skip
    light = draw_light(rng, kind, camera.yaw)
    half, bend = float(rng.uniform(1.2, 2.0)), float(rng.choice([-1, 1]) * rng.uniform(4, 10))
    start = float(rng.uniform(-1.5, 1.5))
    paved = bool(rng.random() < 0.6)
    pond_x, pond_z = -np.sign(bend) * float(rng.uniform(7, 12)), float(rng.uniform(20, 30))
    pond = bool(rng.random() < 0.6)

    def centre(z: Array | float) -> Array:
        return np.asarray(start + bend * (1.0 - np.cos(np.clip(np.asarray(z), 0, 90) / 22.0)) / 2)

    def lay(ground: Ground) -> None:
        offset = np.abs(ground.x - centre(ground.z))
        ground.lay(Surface.KERB, (offset < half + 0.12) & (ground.z < 90) & np.bool_(paved))
        ground.lay(Surface.SIDEWALK if paved else Surface.EARTH, (offset < half) & (ground.z < 90))
        if pond:
            reach = np.hypot((ground.x - pond_x) / 8.5, (ground.z - pond_z) / 9.0)
            reach = reach + 0.12 * np.sin(3 * np.arctan2(ground.z - pond_z, ground.x - pond_x))
            ground.lay(Surface.EARTH, reach < 1.08)
            ground.lay(Surface.WATER, reach < 1.0)

    things = _park_things(rng, light.night, centre, half, (pond_x, pond_z) if pond else None)
    if rng.random() < 0.55:
        for _ in range(int(rng.integers(3, 8))):
            x, z, wide = (
                float(rng.uniform(-120, 90)),
                float(rng.uniform(150, 260)),
                rng.uniform(16, 34),
            )
            tall = float(rng.uniform(18, 60))
            things.append(Block(x, x + float(wide), z, z + 18, tall, draw_facade(rng, tower=True)))
    things += _woods(rng, 70, 120, 16)
    look = usual_look(rng, light)
    return Plan(camera, light, lay, look, tuple(things), (), 0.12, rgb("2a4a44"))


def _park_things(
    rng: np.random.Generator, night: bool, follow: Callable[[float], Array], half: float,
    pond: tuple[float, float] | None,
) -> list[Thing]:  # fmt: skip
    things: list[Thing] = []
    autumn = bool(rng.random() < 0.4)

    def free(x: float, z: float, margin: float) -> bool:
        on_path = abs(x - float(follow(z))) < half + margin
        in_pond = pond is not None and np.hypot((x - pond[0]) / 9.5, (z - pond[1]) / 10) < 1.1
        return not on_path and not in_pond

    for _ in range(17):
        z = 7.0 + 55.0 * float(rng.random()) ** 1.3
        x = float(rng.uniform(-0.7, 0.7)) * (z + 4)
        if free(x, z, 1.6):
            tall, slim = float(rng.uniform(5, 10)), float(rng.uniform(0.28, 0.45))
            things.append(broadleaf(rng, x, z, tall, slim, leaf_colour(rng, autumn)))
    for _ in range(9):
        z = float(rng.uniform(5, 28))
        x = float(follow(z)) + float(rng.choice([-1, 1])) * (half + float(rng.uniform(0.9, 4.5)))
        if free(x, z, 0.6):
            blossom = rgb(str(rng.choice(BLOSSOM))) if rng.random() < 0.7 else None
            tall = float(rng.uniform(0.5, 1.2))
            things.append(bush(rng, x, z, tall, leaf_colour(rng, False), blossom))
    for z in np.arange(float(rng.uniform(7, 10)), 50, 11):
        side = float(rng.choice([-1, 1]))
        x = float(follow(z)) + side * (half + 0.5)
        things.append(Streetlight(x, float(z), 3.3, 0.0, night))
        at = float(z) + float(rng.uniform(3, 6))
        bench_x = float(follow(at)) - side * (half + 0.8)
        things.append(Bench(bench_x, at, np.pi / 2 * side + float(rng.uniform(-0.5, 0.5))))
    for _ in range(int(rng.integers(3, 8))):
        z = float(rng.uniform(6, 30))
        things.append(person(rng, float(follow(z)) + float(rng.uniform(-half, half)), z))
    if rng.random() < 0.35:
        z = float(rng.uniform(32, 45))
        wood = rgb(str(rng.choice(["7a5a44", "f0eee8"])))
        things.append(Fence(-30.0, z, 30.0, z + float(rng.uniform(-5, 5)), 1.2, "picket", wood))
    return things
