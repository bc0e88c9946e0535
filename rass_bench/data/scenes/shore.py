"""Compositions by the water: a mountain lake and a sea coast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rass_bench.data.scenes.buildings import draw_house
from rass_bench.data.scenes.camera import Camera
from rass_bench.data.scenes.furniture import Bench, Fence, Streetlight
from rass_bench.data.scenes.ground import Ground, Surface, grass
from rass_bench.data.scenes.light import draw_light, rgb
from rass_bench.data.scenes.noise import Array, fbm
from rass_bench.data.scenes.people import person
from rass_bench.data.scenes.plan import BLOSSOM, NEEDLE, Plan, leaf_colour, range_of, usual_look
from rass_bench.data.scenes.thing import Thing
from rass_bench.data.scenes.vegetation import broadleaf, bush, conifer, reeds
from rass_bench.data.scenes.vehicles import Boat

HULL = ("e8e6e0", "a8322c", "2a4a80", "e0d8c0", "2f5a4a", "8a5a34")
SAIL = ("f4f2ea", "f4f2ea", "f0e4cc", "d8604a", "e8c860")


def lake(rng: np.random.Generator, kind: str) -> Plan:
    """A lake under mountains, seen from its shore."""
    camera = Camera(
        x=0.0, height=float(rng.uniform(2.2, 4.5)), yaw=0.0,
        horizon=float(rng.uniform(230, 300)), focal=float(rng.uniform(400, 500)),
    )  # fmt: skip
    light = draw_light(rng, kind, camera.yaw)
    near, slant = float(rng.uniform(11, 17)), float(rng.uniform(-0.5, 0.5))
    far = float(rng.uniform(150, 320))
    shift, path = float(rng.random()), float(rng.uniform(5.2, 7.5))

    def shore(x: Array | float) -> Array:
        """World Z of the near shore."""
        return near + slant * np.asarray(x) + 7.0 * fbm(np.asarray(x) / 90.0, shift, 2)

    def lay(ground: Ground) -> None:
        edge = shore(ground.x)
        way = path + 0.6 * slant * ground.x + 2.0 * fbm(ground.x / 60.0, shift, 1)
        ground.lay(Surface.EARTH, np.abs(ground.z - way) < 0.9)
        ground.lay(Surface.EARTH, ground.z > edge - 0.7 - 1.2 * fbm(ground.x / 12.0, shift, 1))
        far_edge = far + 40.0 * fbm(ground.x / 500.0, shift, 0)
        ground.lay(Surface.WATER, (ground.z > edge) & (ground.z < far_edge))

    things = _boats(rng, near + 12, 0.7 * far, int(rng.integers(1, 4)))
    things += _far_shore(rng, far)
    things += _lake_shore(rng, shore)
    for _ in range(int(rng.integers(1, 5))):
        x = float(rng.uniform(-4, 4))
        things.append(person(rng, x, float(path + 0.6 * slant * x + rng.uniform(0.5, 2.0))))
    if light.night or rng.random() < 0.3:
        for x in (-3.2, 3.6):
            z = float(path + 0.6 * slant * x + 1.4)
            things.append(Streetlight(x, z, 3.2, 0.0, light.night))
        things += [draw_house(rng, x * far, far + 13, 13, 10, True) for x in (-0.3, 0.12, 0.33)]
    height = float(rng.uniform(500, 1100))
    mountains = [range_of(rng, far + 60, 4000, height, float(rng.uniform(0.5, 1.0)))]
    mountains.append(range_of(rng, far + 25, far + 500, float(rng.uniform(25, 80)), 0.1))
    return Plan(
        camera, light, lay, usual_look(rng, light), tuple(things), tuple(mountains),
        float(rng.uniform(0.02, 0.35)), rgb(str(rng.choice(["1f4a58", "24525a", "1c4048"]))),
    )  # fmt: skip


def _boats(rng: np.random.Generator, near: float, far: float, count: int) -> list[Thing]:
    things: list[Thing] = []
    for index in range(count):
        z = float(near + (far - near) * rng.random() ** 2.2 * (0.25 if index == 0 else 1.0))
        x = float(rng.uniform(-0.42, 0.42)) * z
        sail = rgb(str(rng.choice(SAIL))) if rng.random() < 0.65 else None
        length = float(rng.uniform(5, 7.5)) if sail is not None else float(rng.uniform(4.5, 8))
        side = float(rng.choice([-1.0, 1.0]))
        things.append(Boat(x, z, length, side, rgb(str(rng.choice(HULL))), sail))
    return things


def _far_shore(rng: np.random.Generator, far: float) -> list[Thing]:
    """A wood along the other side, with a house or two in it."""
    things: list[Thing] = []
    for _ in range(34):
        x = float(rng.uniform(-0.75, 0.75)) * far
        z, tall = far + float(rng.uniform(12, 45)), float(rng.uniform(8, 17))
        if rng.random() < 0.6:
            things.append(conifer(rng, x, z, tall, rgb(str(rng.choice(NEEDLE)))))
        else:
            things.append(broadleaf(rng, x, z, tall * 0.8, 0.4, leaf_colour(rng, False)))
    for _ in range(int(rng.integers(0, 3))):
        x = float(rng.uniform(-0.4, 0.4)) * far
        things.append(draw_house(rng, x, far + 14, 13, 10, bool(rng.random() < 0.6)))
    return things


def _lake_shore(rng: np.random.Generator, edge: Callable[[float], Array]) -> list[Thing]:
    """Trees that frame the view, reeds at the edge, a bench, a fence."""
    things: list[Thing] = []
    frame = float(rng.choice([-1, 1]))
    autumn = bool(rng.random() < 0.35)
    for side in (frame, frame, -frame)[: int(rng.integers(1, 4))]:
        z = float(rng.uniform(7, 12))
        x = side * float(rng.uniform(0.34, 0.62)) * z
        if rng.random() < 0.5:
            things.append(
                conifer(rng, x, z, float(rng.uniform(6, 10)), rgb(str(rng.choice(NEEDLE))))
            )
        else:
            tall = float(rng.uniform(5, 8))
            things.append(broadleaf(rng, x, z, tall, 0.34, leaf_colour(rng, autumn)))
    for _ in range(int(rng.integers(6, 14))):
        x = float(rng.uniform(-9, 9))
        z = float(edge(x)) - float(rng.uniform(-0.3, 0.9))
        leaf = rgb(str(rng.choice(["7a8a3c", "6a7f3a", "9a9048"])))
        things.append(reeds(rng, x, z, float(rng.uniform(0.7, 1.5)), leaf))
    for _ in range(int(rng.integers(1, 5))):
        x, z = float(rng.uniform(-4, 4)), float(rng.uniform(4.2, 8))
        blossom = rgb(str(rng.choice(BLOSSOM))) if rng.random() < 0.6 else None
        things.append(
            bush(rng, x, z, float(rng.uniform(0.5, 0.9)), leaf_colour(rng, False), blossom)
        )
    if rng.random() < 0.65:
        x = float(rng.uniform(-3, 3))
        things.append(Bench(x, float(edge(x)) - 3.2, float(rng.uniform(-0.5, 0.5))))
    if rng.random() < 0.45:
        wood = rgb(str(rng.choice(["8a6a4a", "9a8468"])))
        start = float(rng.uniform(-7, 0))
        for x in np.arange(start, start + 8.0, 2.2):
            a, b = float(edge(x)) - 1.6, float(edge(x + 2.2)) - 1.6
            things.append(Fence(float(x), a, float(x) + 2.2, b, 1.1, "rail", wood))
    return things


def coast(rng: np.random.Generator, kind: str) -> Plan:
    """A beach, the sea to the horizon, boats, a headland."""
    camera = Camera(
        x=0.0, height=float(rng.uniform(2.0, 4.2)), yaw=0.0,
        horizon=float(rng.uniform(200, 275)), focal=float(rng.uniform(380, 480)),
    )  # fmt: skip
    light = draw_light(rng, kind, camera.yaw)
    side = float(rng.choice([-1, 1]))
    near, slant, shift = (
        float(rng.uniform(12, 20)),
        side * float(rng.uniform(0.2, 1.3)),
        rng.random(),
    )

    def lay(ground: Ground) -> None:
        depth = (ground.z - near - slant * ground.x) / np.hypot(1.0, slant)
        depth = depth - 5.0 * fbm(ground.x / 110.0, ground.z / 110.0 + shift, 2)
        dunes = depth < -9.5 - 4.0 * fbm(ground.x / 30.0, ground.z / 30.0, 1)
        ground.lay(Surface.SAND, ~dunes | np.bool_(slant * side < 0.5))
        ground.shore[:] = depth
        ground.lay(Surface.SEA, depth > 0)

    look = usual_look(rng, light)
    look[Surface.GRASS] = grass(0.75, rgb("7d8454"))

    def sea_free(x: float, z: float) -> bool:
        return bool((z - near - slant * x) / np.hypot(1.0, slant) < -2.5)

    things = _boats(rng, near + 18, 260, int(rng.integers(2, 5)))
    things = [boat for boat in things if not sea_free(boat.x, boat.z - 14)]
    wanted = int(rng.integers(3, 8))
    for _ in range(40):
        z = float(rng.uniform(5, 26))
        x = float(rng.uniform(-0.5, 0.5)) * z
        if wanted and sea_free(x, z):
            things.append(person(rng, x, z))
            wanted -= 1
    things += _dunes(rng, sea_free)
    mountains = []
    if rng.random() < 0.75:
        cliff = range_of(rng, 400, 2200, float(rng.uniform(120, 330)), float(rng.uniform(0.2, 0.8)))
        mountains.append(replace(cliff, side=float(rng.choice([-1, 1]))))
    return Plan(
        camera, light, lay, look, tuple(things), tuple(mountains),
        float(rng.uniform(0.25, 0.8)), rgb(str(rng.choice(["1f5a70", "24606a", "1c4c66"]))),
    )  # fmt: skip


def _dunes(rng: np.random.Generator, dry: Callable[[float, float], bool]) -> list[Thing]:
    """Beach grass, bushes and a sand fence."""
    things: list[Thing] = []
    for _ in range(26):
        z = float(rng.uniform(4.2, 22))
        x = float(rng.uniform(-0.6, 0.6)) * z
        if not dry(x, z + 3.0):
            continue
        if rng.random() < 0.7:
            leaf = rgb(str(rng.choice(["a8a060", "8a9a50", "98a868"])))
            things.append(reeds(rng, x, z, float(rng.uniform(0.6, 1.1)), leaf))
        else:
            things.append(bush(rng, x, z, float(rng.uniform(0.5, 1.0)), leaf_colour(rng, False)))
    if rng.random() < 0.5:
        x, z = float(rng.uniform(-6, 0)), float(rng.uniform(7, 11))
        things.append(
            Fence(x, z, x + 7.0, z + float(rng.uniform(-2, 2)), 1.1, "picket", rgb("a89070"))
        )
    if rng.random() < 0.35:
        x, z = float(rng.uniform(-2.5, 2.5)), float(rng.uniform(6, 8))
        if dry(x, z):
            things.append(Bench(x, z, float(rng.uniform(-0.4, 0.4))))
    return things
