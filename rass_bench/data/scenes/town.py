"""Compositions in town: a city street and a suburb."""

from __future__ import annotations

import numpy as np

from rass_bench.data.scenes.buildings import Block, draw_facade, draw_house
from rass_bench.data.scenes.camera import Camera
from rass_bench.data.scenes.furniture import Bench, Fence, Sign, Streetlight
from rass_bench.data.scenes.ground import Ground, Surface
from rass_bench.data.scenes.light import Light, draw_light, rgb
from rass_bench.data.scenes.people import person
from rass_bench.data.scenes.plan import BLOSSOM, Plan, leaf_colour, range_of, usual_look
from rass_bench.data.scenes.thing import Thing
from rass_bench.data.scenes.vegetation import broadleaf, bush
from rass_bench.data.scenes.vehicles import Bus, car

BUS_PAINT = ("c8322c", "e8b02c", "2f6ab0", "e8e8e4", "3a8a5a")


def street(rng: np.random.Generator, kind: str) -> Plan:
    """A city street with shops, traffic, people and trees."""
    half, walk = float(rng.uniform(4.6, 6.2)), float(rng.uniform(3.2, 4.6))
    camera = Camera(
        x=float(rng.uniform(-half - 0.7 * walk, half + 0.7 * walk)),
        height=float(rng.uniform(1.7, 3.6)), yaw=float(rng.uniform(-0.16, 0.16)),
        horizon=float(rng.uniform(235, 300)), focal=float(rng.uniform(380, 500)),
    )  # fmt: skip
    light = draw_light(rng, kind, camera.yaw)
    crossing = float(rng.uniform(9, 20))

    def lay(ground: Ground) -> None:
        x = np.abs(ground.x)
        ground.lay(Surface.SIDEWALK, x < half + walk + 30)
        ground.lay(Surface.KERB, x < half + 0.22)
        ground.lay(Surface.ROAD, x < half)
        dash = (ground.z / 6.0 - np.floor(ground.z / 6.0)) < 0.5
        ground.lay(Surface.MARKING, (x < 0.09) & dash)
        ground.lay(Surface.MARKING, np.abs(x - half + 2.2) < 0.05)
        band = (ground.x / 1.1 - np.floor(ground.x / 1.1)) < 0.5
        ground.lay(Surface.MARKING, band & (x < half) & (np.abs(ground.z - crossing) < 1.6))

    things: list[Thing] = [
        *_rows(rng, half + walk), *_skyline(rng), *_traffic(rng, light, half, crossing),
        *_pavement(rng, light, half, walk),
    ]  # fmt: skip
    things.extend(
        person(rng, float(rng.uniform(-half, half)), crossing + float(rng.uniform(-1.2, 1.2)))
        for _ in range(int(rng.integers(1, 4)))
    )
    return Plan(camera, light, lay, usual_look(rng, light), tuple(things))


def _rows(rng: np.random.Generator, edge: float) -> list[Thing]:
    """Two rows of buildings, wall to wall, now and then a gap."""
    things: list[Thing] = []
    for side in (-1.0, 1.0):
        z = float(rng.uniform(-14, -4))
        while z < 170:
            deep, height = float(rng.uniform(9, 22)), float(rng.uniform(8.5, 25))
            back = float(rng.uniform(0.0, 0.8))
            x0, x1 = sorted((side * (edge + back), side * (edge + 14)))
            things.append(Block(x0, x1, z, z + deep, height, draw_facade(rng)))
            z += deep + (float(rng.uniform(5, 9)) if rng.random() < 0.15 else 0.0)
    return things


def _skyline(rng: np.random.Generator) -> list[Thing]:
    """Towers at the end of the street."""
    things: list[Thing] = []
    for _ in range(int(rng.integers(2, 6))):
        x, z = float(rng.uniform(-70, 60)), float(rng.uniform(185, 330))
        wide = float(rng.uniform(18, 34))
        facade = draw_facade(rng, tower=True)
        things.append(Block(x, x + wide, z, z + 20, float(rng.uniform(25, 85)), facade))
    return things


def _traffic(rng: np.random.Generator, light: Light, half: float, crossing: float) -> list[Thing]:
    """Parked cars at the kerbs, one or two lanes in motion, often a bus."""
    things: list[Thing] = []
    for side in (-1.0, 1.0):
        z = float(rng.uniform(7.5, 12))
        while z < 90:
            if rng.random() < 0.55 and abs(z - crossing) > 4.5:
                heading = 0.0 if side > 0 else np.pi
                things.append(
                    car(rng, side * (half - 1.15), z, heading + rng.normal(0, 0.02), light)
                )
            z += float(rng.uniform(5.6, 9.0))
    bus_side = float(rng.choice([-1.0, 1.0]))
    for side in (-1.0, 1.0):
        heading = 0.0 if side > 0 else np.pi
        z = crossing + float(rng.uniform(4, 10))
        if side == bus_side and rng.random() < 0.85:
            z += 4.0
            paint = rgb(str(rng.choice(BUS_PAINT)))
            stripe = paint * 0.5 if rng.random() < 0.5 else rgb(str(rng.choice(BUS_PAINT)))
            things.append(Bus(side * (half - 3.6), z, heading, paint, stripe, light.night))
            z += 16
        for _ in range(int(rng.integers(1, 4))):
            things.append(car(rng, side * (half - 3.5) * 0.9, z, heading, light))
            z += float(rng.uniform(9, 24))
    return things


def _pavement(rng: np.random.Generator, light: Light, half: float, walk: float) -> list[Thing]:
    """Lamps, trees, plants, signs and people on both pavements."""
    things: list[Thing] = []
    autumn = bool(rng.random() < 0.3)
    trees = rng.random() < 0.75
    for side in (-1.0, 1.0):
        z = float(rng.uniform(6, 13))
        while z < 120:
            things.append(Streetlight(side * (half + 0.6), z, 6.8, -side * 1.9, light.night))
            if trees:
                tall = float(rng.uniform(4.5, 7.5))
                at = z + float(rng.uniform(5, 8))
                things.append(
                    broadleaf(rng, side * (half + 1.0), at, tall, 0.3, leaf_colour(rng, autumn))
                )
            z += float(rng.uniform(15, 19))
        for _ in range(int(rng.integers(3, 8))):
            x = side * (half + float(rng.uniform(0.9, walk - 0.6)))
            things.append(person(rng, x, float(rng.uniform(5.5, 38))))
        for _ in range(int(rng.integers(1, 5))):
            blossom = rgb(str(rng.choice(BLOSSOM))) if rng.random() < 0.5 else None
            x = side * (half + walk - 0.4)
            tall = float(rng.uniform(0.8, 1.4))
            things.append(
                bush(rng, x, float(rng.uniform(5, 30)), tall, leaf_colour(rng, False), blossom)
            )
        if rng.random() < 0.7:
            kind = int(rng.integers(0, 3))
            things.append(Sign(side * (half + 0.5), float(rng.uniform(7, 18)), 2.5, 0.42, kind))
    return things


def suburb(rng: np.random.Generator, kind: str) -> Plan:
    """A quiet road with houses, front gardens and fences."""
    half, verge, walk = float(rng.uniform(3.2, 4.2)), float(rng.uniform(0.0, 1.6)), 1.7
    edge = half + verge + walk
    camera = Camera(
        x=float(rng.uniform(-edge, edge)), height=float(rng.uniform(1.8, 3.4)),
        yaw=float(rng.choice([-1, 1]) * rng.uniform(0.05, 0.32)),
        horizon=float(rng.uniform(215, 275)), focal=float(rng.uniform(370, 470)),
    )  # fmt: skip
    light = draw_light(rng, kind, camera.yaw)
    homes, drives = _homes(rng, light, edge)

    def lay(ground: Ground) -> None:
        x = np.abs(ground.x)
        for side, z in drives:
            lane = (np.abs(ground.z - z) < 1.5) & (ground.x * side > half) & (x < edge + 11)
            ground.lay(Surface.SIDEWALK, lane)
        ground.lay(Surface.SIDEWALK, (x > half + verge) & (x < edge))
        ground.lay(Surface.KERB, (x < half + 0.18) & (x >= half))
        ground.lay(Surface.ROAD, x < half)
        dash = (ground.z / 5.0 - np.floor(ground.z / 5.0)) < 0.45
        ground.lay(Surface.MARKING, (x < 0.07) & dash)

    things: list[Thing] = [*homes]
    for _ in range(int(rng.integers(2, 6))):
        x = float(rng.choice([-1, 1])) * (half + verge + float(rng.uniform(0.3, 1.4)))
        things.append(person(rng, x, float(rng.uniform(5.5, 26))))
    for side in (-1.0, 1.0):
        heading = 0.0 if side > 0 else np.pi
        z = float(rng.uniform(9, 16))
        for _ in range(int(rng.integers(1, 4))):
            things.append(car(rng, side * (half - 1.1), z, heading, light))
            z += float(rng.uniform(8, 20))
    for z in np.arange(float(rng.uniform(8, 14)), 100, 24):
        side = float(rng.choice([-1, 1]))
        things.append(Streetlight(side * (half + 0.45), float(z), 5.6, -side * 1.3, light.night))
    things.append(Sign(half + 0.6, float(rng.uniform(8, 18)), 2.3, 0.4, int(rng.integers(0, 3))))
    mountains = [
        range_of(rng, 700, 3000, float(rng.uniform(160, 420)), float(rng.uniform(0.2, 0.8)))
    ]
    if rng.random() < 0.4:
        mountains = []
    return Plan(camera, light, lay, usual_look(rng, light), tuple(things), tuple(mountains))


def _homes(
    rng: np.random.Generator, light: Light, edge: float
) -> tuple[list[Thing], list[tuple[float, float]]]:
    """Houses with gardens on both sides, and where their drives meet the road."""
    things: list[Thing] = []
    drives: list[tuple[float, float]] = []
    autumn = bool(rng.random() < 0.35)
    for side in (-1.0, 1.0):
        kind = str(rng.choice(["picket", "board", "picket", "hedge"]))
        paint = rgb(
            "f0eee8" if kind == "picket" else str(rng.choice(["8a6444", "7a5a44", "9a7a5a"]))
        )
        z = float(rng.uniform(-4, 6))
        while z < 120:
            wide, deep = float(rng.uniform(8, 11)), float(rng.uniform(9, 12))
            near = edge + float(rng.uniform(5, 8))
            x = near if side > 0 else -near - wide
            house = draw_house(rng, x, z, wide, deep, bool(rng.random() < 0.5))
            things.append(house)
            drive = z + deep + 2.2
            drives.append((side, drive))
            if rng.random() < 0.6:
                turn = side * np.pi / 2 * float(rng.choice([-1, 1]))
                things.append(car(rng, side * (edge + 4.2), drive, turn, light))
            start, end, foot = z - 2.5, drive - 1.6, side * (edge + 0.4)
            if kind == "hedge":
                things.extend(
                    bush(rng, foot + 0.3 * side, float(at), 1.25, rgb("4a6f36"))
                    for at in np.arange(start, end, 0.95)
                )
            else:
                tall = 1.05 if kind == "picket" else 1.45
                things.append(Fence(foot, start, foot, end, tall, kind, paint))
            things += _garden(rng, side, edge, near, z, deep, autumn)
            z = drive + 2.2 + float(rng.uniform(0.5, 4.0))
    return things, drives


def _garden(
    rng: np.random.Generator, side: float, edge: float, near: float, z: float, deep: float,
    autumn: bool,
) -> list[Thing]:  # fmt: skip
    things: list[Thing] = []
    for _ in range(int(rng.integers(1, 4))):
        x = side * float(rng.uniform(edge + 1.4, near - 0.8))
        blossom = rgb(str(rng.choice(BLOSSOM))) if rng.random() < 0.6 else None
        tall = float(rng.uniform(0.6, 1.2))
        at = float(rng.uniform(z, z + deep))
        things.append(bush(rng, x, at, tall, leaf_colour(rng, False), blossom))
    if rng.random() < 0.6:
        x = side * float(rng.uniform(edge + 2.4, edge + 4.5))
        tall = float(rng.uniform(4.0, 7.0))
        at = z + float(rng.uniform(0, deep))
        things.append(
            broadleaf(rng, x, at, tall, float(rng.uniform(0.3, 0.45)), leaf_colour(rng, autumn))
        )
    behind = side * (near + float(rng.uniform(12, 18)))
    tall = float(rng.uniform(8, 13))
    things.append(broadleaf(rng, behind, z + deep, tall, 0.35, leaf_colour(rng, autumn)))
    if rng.random() < 0.12:
        things.append(Bench(side * (edge + 2.0), z + 1.0, -side * np.pi / 2))
    return things
