"""Town buildings with window grids and shops, and houses with gable roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.canvas import Canvas, Hits
from rass_bench.data.scenes.ground import Shadow
from rass_bench.data.scenes.light import Lamp, Light, lit_near, rgb
from rass_bench.data.scenes.noise import fbm, hash01, smoothstep
from rass_bench.data.scenes.shadows import prism_shadow
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]

WALL = ("b5694a", "c9b08a", "d8d2c4", "9a8f86", "a85b4a", "d8c49a", "8f9aa2", "c4927a", "b8b0a0",
        "7d6a5e")  # fmt: skip
AWNING = ("b03030", "2f5a8a", "2f6a48", "c08a2a", "6a3a5a")
HOUSE_WALL = ("e8e2d2", "d8c8a0", "b8c4cc", "c8a088", "a8b89a", "d8d8d8", "b06a50", "8aa0b0")
ROOF = ("8a4a36", "5a4a44", "6a6a70", "3f4650", "96563c")
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Facade:
    """The look of a town building.

    Attributes:
        wall: linear albedo of the wall.
        trim: linear albedo of ledges and frames.
        bay: metres from window to window.
        storey: metres from floor to floor.
        wide: window's share of the bay.
        tall: window's share of the storey.
        curtain: all glass, like an office tower.
        shop: the ground floor is a row of shops.
        lit: share of windows lit at night.
        salt: for the hash of its windows.
    """

    wall: Array
    trim: Array
    bay: float
    storey: float
    wide: float
    tall: float
    curtain: bool
    shop: bool
    lit: float
    salt: int


def draw_facade(rng: np.random.Generator, tower: bool = False) -> Facade:
    """Draw the look of a building."""
    curtain = tower and rng.random() < 0.6
    wall = rgb(str(rng.choice(WALL)))
    return Facade(
        wall=rgb("5c6c78") if curtain else wall,
        trim=wall * 0.4 + rgb("e4ddd0") * 0.6,
        bay=float(rng.uniform(1.5, 2.0) if curtain else rng.uniform(2.1, 3.4)),
        storey=float(rng.uniform(3.0, 3.6)),
        wide=float(0.9 if curtain else rng.uniform(0.36, 0.62)),
        tall=float(0.86 if curtain else rng.uniform(0.48, 0.66)),
        curtain=curtain,
        shop=bool(rng.random() < 0.7),
        lit=float(rng.uniform(0.25, 0.6)),
        salt=int(rng.integers(1, 1 << 30)),
    )


@dataclass(frozen=True)
class Block:
    """A building with a flat roof.

    Attributes:
        x0: left side, world X.
        x1: right side.
        z0: front, world Z.
        z1: back.
        height: metres.
        facade: its look.
    """

    x0: float
    x1: float
    z0: float
    z1: float
    height: float
    facade: Facade

    @property
    def x(self) -> float:
        """World X of its middle."""
        return (self.x0 + self.x1) / 2

    @property
    def z(self) -> float:
        """World Z of its front: it is drawn by its nearest wall."""
        return self.z0

    def shadows(self, light: Light) -> list[Shadow]:
        """Of a prism."""
        return prism_shadow(light, _base(self.x0, self.x1, self.z0, self.z1), self.height)

    def lamps(self) -> list[Lamp]:
        """None; its windows shine for themselves."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """The walls that face the viewer, and a hut on the roof."""
        for start, end, normal in _walls(self.x0, self.x1, self.z0, self.z1):
            if normal @ (start - canvas.camera.position) >= 0:
                continue
            hits = canvas.patch([start, end, end + self.height * UP, start + self.height * UP])
            if len(hits.u) == 0:
                continue
            length = float(np.sqrt(((end - start) ** 2).sum()))
            light = lit_near(canvas.light, (start + end) / 2 + 2.0 * UP)
            colour = _facade_colour(light, self, hits, length, normal)
            canvas.paint(hits, colour, load_label_space("ade20k-150").id_of("building"))
        self._draw_roof(canvas)

    def _draw_roof(self, canvas: Canvas) -> None:
        """A lift hut: it breaks the straight line of the roof."""
        wide, deep = self.x1 - self.x0, self.z1 - self.z0
        share = 0.25 + 0.4 * (self.facade.salt % 97) / 97
        x0, z0 = self.x0 + share * wide * 0.8, self.z0 + 0.3 * deep
        hut = _walls(x0, x0 + 0.28 * wide, z0, z0 + 0.4 * deep)
        rise = 1.6 + (self.facade.salt % 31) / 20
        for start, end, normal in hut:
            if normal @ (start - canvas.camera.position) >= 0:
                continue
            low, high = (self.height - 0.2) * UP, (self.height + rise) * UP
            hits = canvas.patch([start + low, end + low, end + high, start + high])
            albedo = np.tile(self.facade.wall * 0.75, (len(hits.u), 1))
            label = load_label_space("ade20k-150").id_of("building")
            canvas.paint(hits, canvas.light.shade(albedo, normal), label)


def _facade_colour(light: Light, block: Block, hits: Hits, length: float, normal: Array) -> Array:
    style, u, v = block.facade, hits.u, hits.v
    bays = max(1, round(length / style.bay))
    base = 4.2 if style.shop else 0.9
    floors = max(1, round((block.height - base - 0.9) / style.storey))
    tall = (block.height - base - 0.9) / floors
    bay, floor = u * bays / length, (v - base) / tall
    column, storey = np.floor(bay), np.floor(floor)
    across, level = bay - column, floor - storey
    side = 7 if abs(normal[0]) > 0.5 else 3
    chance = hash01(column, storey, style.salt + side)
    dirt = fbm(u / 19.0, v / 13.0 + style.salt % 7, 2)
    grain = fbm(u / 2.3, v / 1.1, 1) / (1.0 + 0.08 * hits.depth)
    albedo = style.wall * (1.0 + 0.16 * dirt + 0.16 * grain)[:, None]
    ledge = (level < 0.07) & ~np.bool_(style.curtain) & (storey % 3 == 0)
    albedo = np.where((ledge | (v > block.height - 0.7))[:, None], style.trim, albedo)
    low, high = (1 - style.tall) * 0.45, (1 - style.tall) * 0.45 + style.tall
    inner = np.minimum(
        0.5 * style.wide - np.abs(across - 0.5), np.minimum(level - low, high - level)
    )
    upper = (storey >= 0) & (storey < floors)
    window = (inner > 0) & upper
    frame = (inner > -0.05) & ~window & upper & ~np.bool_(style.curtain)
    albedo = np.where(frame[:, None], style.trim, albedo)
    shaded = (v > block.height - 1.0) & (v <= block.height - 0.7)
    open_sky = np.where(shaded, 0.55, 0.62 + 0.38 * smoothstep(0.0, 6.0, v))
    colour = light.shade(albedo, normal, open_sky)
    glass = window_colour(light, chance, level, high - level, normal, style.lit)
    bars = (np.abs(across - 0.5) < 0.022) | (np.abs(level - high + 0.16) < 0.018)
    glass = np.where(bars[:, None], light.shade(style.trim * 0.8, normal), glass)
    colour = np.where(window[:, None], glass, colour)
    if style.shop:
        colour = _shops(light, style, colour, u, v, normal)
    return colour


def window_colour(
    light: Light, chance: Array, level: Array, under_lintel: Array, normal: Array, lit: float
) -> Array:
    """A pane by day mirrors the sky and hides a dark room; at night some rooms are lit."""
    if light.night or (light.kind in ("rain", "fog") and lit > 0):
        share = lit if light.night else 0.35 * lit
        warm = rgb("ffd08a") * (0.55 + 0.7 * chance / max(share, 1e-6))[:, None]
        room = warm * (0.75 + 0.4 * level)[:, None] * (1.0 if light.night else 0.6)
    else:
        share, room = 0.0, np.zeros((len(chance), 3))
    mirror = light.horizon * 0.6 + light.zenith * 0.4
    amount = 0.10 + 0.30 * hash01(np.floor(chance * 1e6), 0, 3) + 0.12 * level
    if normal @ light.direction > 0.25 and light.casts_shadows:
        amount = amount + 0.10
    pane = 0.025 * light.sky + mirror * amount[:, None]
    blind = (hash01(np.floor(chance * 1e6), 1, 4) < 0.3) & (under_lintel < 0.3)
    pane = np.where(blind[:, None], light.shade(rgb("d8d0c0"), normal) * 0.8, pane)
    pane = pane * np.where(under_lintel < 0.07, 0.45, 1.0)[:, None]
    result: Array = np.where((chance < share)[:, None], room, pane)
    return result


def _shops(light: Light, style: Facade, colour: Array, u: Array, v: Array, normal: Array) -> Array:
    """Show windows, awnings and a fascia on the ground floor."""
    pitch = 5.2
    shop = np.floor(u / pitch)
    inside = u / pitch - shop
    chance = hash01(shop, 9, style.salt)
    awning = np.array([rgb(code) for code in AWNING])[(chance * 997).astype(np.intp) % len(AWNING)]
    tall = (v < 4.0) & (v >= 0)
    pane = tall & (v > 0.55) & (v < 2.9) & (np.abs(inside - 0.5) < 0.43)
    door = tall & (v < 2.6) & (np.abs(inside - 0.22) < 0.10)
    display = 0.10 + 0.10 * hash01(np.floor(u / 0.7), np.floor(v / 0.6), style.salt + 1)
    glass = light.horizon * 0.22 + display[:, None] * rgb("d8c8a8") * light.sky
    if light.night or light.kind == "rain":
        glow = rgb("ffdca0") * (0.9 if light.night else 0.5) * (0.6 + 3.0 * display)[:, None]
        glass = np.where((chance < 0.75)[:, None], glow, glass)
    front = light.shade(style.trim * 0.55, normal, 0.8)
    colour = np.where(tall[:, None], front, colour)
    colour = np.where(pane[:, None], glass, colour)
    colour = np.where(door[:, None], light.shade(rgb("3a2a20"), normal), colour)
    stripe = np.where(np.floor(u / 0.55) % 2 == 0, 1.0, 0.55)
    cloth = (v > 2.75) & (v < 3.45) & (np.abs(inside - 0.5) < 0.47) & (chance > 0.3)
    cloth_normal = (normal + np.array([0.0, 0.8, 0.0])) / np.sqrt(1.64)
    shade = light.shade(awning * stripe[:, None], cloth_normal)
    return np.where(cloth[:, None], shade, colour)


@dataclass(frozen=True)
class House:
    """A family house.

    Attributes:
        x0: left side, world X.
        x1: right side.
        z0: front, world Z.
        z1: back.
        eaves: height of the walls, metres.
        rise: of the roof over the eaves, metres.
        along_z: the ridge runs along Z, so that a gable faces the front.
        wall: linear albedo of the wall.
        roof: linear albedo of the roof.
        salt: for the hash of its windows.
    """

    x0: float
    x1: float
    z0: float
    z1: float
    eaves: float
    rise: float
    along_z: bool
    wall: Array
    roof: Array
    salt: int

    @property
    def x(self) -> float:
        """World X of its middle."""
        return (self.x0 + self.x1) / 2

    @property
    def z(self) -> float:
        """World Z of its front."""
        return self.z0

    def shadows(self, light: Light) -> list[Shadow]:
        """Of a prism as high as the middle of the roof."""
        base = _base(self.x0, self.x1, self.z0, self.z1)
        return prism_shadow(light, base, self.eaves + 0.5 * self.rise)

    def lamps(self) -> list[Lamp]:
        """None; its windows shine for themselves."""
        return []

    def draw(self, canvas: Canvas) -> None:
        """Roof slopes, chimney and the walls that face the viewer."""
        light = lit_near(canvas.light, [self.x, 2.0, self.z0])
        label = load_label_space("ade20k-150").id_of("house")
        self._draw_roof(canvas, light, label)
        for start, end, normal in _walls(self.x0, self.x1, self.z0, self.z1):
            if normal @ (start - canvas.camera.position) >= 0:
                continue
            gable = (abs(normal[2]) > 0.5) == self.along_z
            length = float(np.sqrt(((end - start) ** 2).sum()))
            high = self.eaves + (self.rise if gable else 0.0)
            bounds = [start, end, end + high * UP, start + high * UP]
            hits = canvas.patch(bounds)
            if gable:
                slope = 1.0 - np.abs(hits.u - length / 2) / (length / 2)
                hits = hits.keep(hits.v < self.eaves + self.rise * slope)
            canvas.paint(hits, self._wall_colour(light, hits, length, normal), label)

    def _wall_colour(self, light: Light, hits: Hits, length: float, normal: Array) -> Array:
        u, v = hits.u, hits.v
        board = v / 0.28 - np.floor(v / 0.28)
        lines = 1.0 - 0.22 * (board < 0.18) / (1.0 + 0.05 * hits.depth)
        albedo = self.wall * (lines * (1.0 + 0.10 * fbm(u / 9.0, v / 6.0, 1)))[:, None]
        bays = max(2, round(length / 3.0))
        bay = u * bays / length
        column, across = np.floor(bay), bay - np.floor(bay)
        storey = np.floor(v / 2.9)
        level = v / 2.9 - storey
        front = normal[2] < -0.5
        is_door = front & (column == bays // 2) & (storey == 0)
        half = 0.21
        inner = np.minimum(
            half - np.abs(across - 0.5), np.minimum(level - 0.32, 0.80 - level) * 0.8
        )
        inner = np.where(v > self.eaves - 0.2, -1.0, inner)
        window = (inner > 0) & ~is_door
        cross = (np.abs(across - 0.5) < 0.018) | (np.abs(level - 0.56) < 0.02)
        trim = ((inner > -0.05) & ~window & ~is_door) | (window & cross)
        albedo = np.where(trim[:, None], rgb("f0ece4"), albedo)
        door = is_door & (np.abs(across - 0.5) < 0.17) & (level < 0.74)
        jamb = is_door & (np.abs(across - 0.5) < 0.21) & (level < 0.78) & ~door
        albedo = np.where(door[:, None], rgb(("7a2a24", "2a4a6a", "3a2a20")[self.salt % 3]), albedo)
        albedo = np.where(jamb[:, None], rgb("f0ece4"), albedo)
        eave = np.where((v > self.eaves - 0.45) & (v < self.eaves), 0.62, 1.0)
        colour = light.shade(albedo, normal, eave * (0.65 + 0.35 * smoothstep(0, 1.5, v)))
        chance = hash01(column, storey, self.salt + int(10 * normal[0]))
        glass = window_colour(light, chance, level, 0.80 - level, normal, 0.6)
        return np.where((window & ~cross)[:, None], glass, colour)

    def _draw_roof(self, canvas: Canvas, light: Light, label: int) -> None:
        over, top, low = 0.45, self.eaves + self.rise, self.eaves
        x0, x1, z0, z1 = self.x0, self.x1, self.z0, self.z1
        if self.along_z:
            middle, drop = (x0 + x1) / 2, over * self.rise / ((x1 - x0) / 2)
            slopes = [([[x, low - drop, z0 - over], [x, low - drop, z1 + over],
                        [middle, top, z1 + over], [middle, top, z0 - over]],
                       np.array([np.sign(x - middle) * self.rise, (x1 - x0) / 2, 0.0]))
                      for x in (x0 - over, x1 + over)]  # fmt: skip
        else:
            middle, drop = (z0 + z1) / 2, over * self.rise / ((z1 - z0) / 2)
            slopes = [([[x0 - over, low - drop, z], [x1 + over, low - drop, z],
                        [x1 + over, top, middle], [x0 - over, top, middle]],
                       np.array([0.0, (z1 - z0) / 2, np.sign(z - middle) * self.rise]))
                      for z in (z0 - over, z1 + over)]  # fmt: skip
        self._draw_chimney(canvas, light, label)
        for corners, direction in slopes:
            normal = direction / np.sqrt(direction @ direction)
            # The eaves hang over the wall, so that the underside of a slope can be seen too.
            hits = canvas.patch(corners)
            below = normal @ (np.array(corners[0]) - canvas.camera.position) >= 0
            course = hits.v / 0.32 - np.floor(hits.v / 0.32)
            tile = hash01(np.floor(hits.u / 0.4), np.floor(hits.v / 0.32), self.salt) - 0.5
            fade = 1.0 / (1.0 + 0.03 * hits.depth)
            bright = 1.0 + fade * (0.25 * tile - 0.30 * (course < 0.22))
            bright = bright * (1.0 + 0.15 * fbm(hits.u / 9.0, hits.v / 9.0, 2))
            albedo = self.roof * bright[:, None]
            if light.snow:
                cover = smoothstep(-0.7, -0.2, fbm(hits.u / 20.0, hits.v / 20.0, 1)) * light.snow
                albedo = albedo + (rgb("eef3fb") - albedo) * (0.94 * cover)[:, None]
            colour = light.shade(albedo, normal) * (0.35 if below else 1.0)
            canvas.paint(hits, colour, label)

    def _draw_chimney(self, canvas: Canvas, light: Light, label: int) -> None:
        x = self.x0 + (0.3 + 0.4 * (self.salt % 89) / 89) * (self.x1 - self.x0)
        z = (self.z0 + self.z1) / 2 + 0.6
        top = self.eaves + self.rise + 0.8
        for start, end, normal in _walls(x - 0.35, x + 0.35, z - 0.35, z + 0.35):
            if normal @ (start - canvas.camera.position) >= 0:
                continue
            low, high = (self.eaves + 0.2) * UP, top * UP
            hits = canvas.patch([start + low, end + low, end + high, start + high])
            albedo = np.where(
                (hits.v > top - self.eaves - 0.45)[:, None], rgb("5a4a40"), rgb("96584a")
            )
            canvas.paint(hits, light.shade(albedo, normal), label)


def draw_house(
    rng: np.random.Generator, x: float, z: float, wide: float, deep: float, two_storeys: bool
) -> House:
    """Draw a house whose front-left corner of the ground plan is (x, z)."""
    along_z = bool(rng.random() < 0.5)
    span = wide if along_z else deep
    return House(
        x0=x, x1=x + wide, z0=z, z1=z + deep,
        eaves=5.4 if two_storeys else 2.9, rise=float(rng.uniform(0.30, 0.42)) * span,
        along_z=along_z, wall=rgb(str(rng.choice(HOUSE_WALL))), roof=rgb(str(rng.choice(ROOF))),
        salt=int(rng.integers(1, 1 << 30)),
    )  # fmt: skip


def _walls(x0: float, x1: float, z0: float, z1: float) -> list[tuple[Array, Array, Array]]:
    """Start, end and outward normal of the four walls of a box, at ground level."""
    corner = {(i, j): np.array([(x0, x1)[i], 0.0, (z0, z1)[j]]) for i in (0, 1) for j in (0, 1)}
    return [
        (corner[0, 0], corner[1, 0], np.array([0.0, 0.0, -1.0])),
        (corner[1, 0], corner[1, 1], np.array([1.0, 0.0, 0.0])),
        (corner[1, 1], corner[0, 1], np.array([0.0, 0.0, 1.0])),
        (corner[0, 1], corner[0, 0], np.array([-1.0, 0.0, 0.0])),
    ]


def _base(x0: float, x1: float, z0: float, z1: float) -> Array:
    return np.array([[x0, z0], [x1, z0], [x1, z1], [x0, z1]])
