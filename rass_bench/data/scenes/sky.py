"""The sky: gradient, sun or moon, clouds in perspective, stars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import Camera
from rass_bench.data.scenes.canvas import Canvas
from rass_bench.data.scenes.light import Light, rgb
from rass_bench.data.scenes.noise import fbm, hash01, smoothstep
from rass_bench.labels import load_label_space

Array = NDArray[np.float64]


def air_colour(camera: Camera, light: Light) -> Array:
    """Colour of distant air for each column, (FILM, 3): the sky just over the horizon."""
    ahead = camera.ahead / np.sqrt((camera.ahead**2).sum(axis=1, keepdims=True))
    toward = np.clip(ahead @ light.direction, 0.0, 1.0)[:, None]
    air: Array = light.horizon * 0.97 + light.glow * 0.8 * toward**6
    return air


def draw_sky(canvas: Canvas, shift: tuple[float, float]) -> None:
    """Fill every sample that nothing covers.

    Args:
        canvas: the film.
        shift: where in the noise the clouds begin, drawn once a scene.
    """
    row, column = np.nonzero(np.isinf(canvas.depth))
    camera, light = canvas.camera, canvas.light
    ray = camera.ahead[column]
    rise = np.maximum(camera.rise[row], 1e-3)
    length = np.sqrt((ray**2).sum(axis=1) + rise**2)
    up = rise / length
    toward = (ray @ light.direction + rise * light.direction[1]) / length
    colour = _gradient(light, up, toward)
    if light.night:
        colour += _stars(row, column, up)
    colour += _disc(light, toward)
    colour = _clouds(light, colour, ray, rise, up, toward, shift)
    canvas.colour[row, column] = colour
    canvas.labels[row, column] = load_label_space("ade20k-150").id_of("sky")


def _gradient(light: Light, up: Array, toward: Array) -> Array:
    """Horizon to zenith, with the light of the sun spread around it."""
    height = (1.0 - np.clip(up, 0.0, 1.0))[:, None] ** 3.5
    near = np.clip(toward, 0.0, 1.0)[:, None]
    spread = 0.55 * near**6 + 0.45 * near**40
    colour: Array = light.zenith * (1.0 - height) + light.horizon * height + light.glow * spread
    return colour


def _disc(light: Light, toward: Array) -> Array:
    """The sun, or a moon at night; hidden under closed cloud."""
    if light.clouds >= 1.0:
        return np.zeros((len(toward), 3))
    edge = np.cos(0.030 if light.night else 0.026)
    disc = smoothstep(edge - 0.00012, edge + 0.00012, toward)[:, None]
    return disc * (rgb("fff6e0") * (0.8 if light.night else 5.0))


def _stars(row: NDArray[np.intp], column: NDArray[np.intp], up: Array) -> Array:
    spark = hash01(row // 2, column // 2, 77)
    bright = np.where(spark > 0.9985, (spark - 0.9985) / 0.0015, 0.0) * smoothstep(0.05, 0.3, up)
    stars: Array = (0.25 * bright)[:, None] * np.array([0.9, 0.95, 1.0])
    return stars


def _clouds(
    light: Light, behind: Array, ray: Array, rise: Array, up: Array, toward: Array,
    shift: tuple[float, float],
) -> Array:  # fmt: skip
    """A layer of clouds on a plane overhead: small and flat towards the horizon."""
    reach = 0.085 / (rise + 0.10)
    u, v = ray[:, 0] * reach + shift[0], ray[:, 2] * reach + shift[1]
    billow = fbm(u, v, 0) + 0.35 * fbm(u * 2.7, v * 2.7, 1)
    # The same cloud a step nearer to the sun: thinner there means that this side is lit.
    step = 0.012
    shade = fbm(u + step * light.direction[0], v + step * light.direction[2], 0)
    threshold = 0.75 - 1.3 * light.clouds
    closed = light.clouds >= 1.0
    cover = smoothstep(threshold, threshold + 0.55, billow)
    thick = 0.9 * billow if closed else 0.35 * (billow - threshold)
    lit = np.clip(0.5 + 2.2 * (fbm(u, v, 0) - shade) - thick, 0.0, 1.0)
    bright = (
        light.horizon * 1.15 if closed else light.sun * 0.24 + light.sky * 0.62 + light.glow * 0.5
    )
    dark = light.zenith * 0.62 if closed else light.sky * 0.42 + light.horizon * 0.16
    colour = dark + (bright - dark) * lit[:, None]
    colour = colour + light.glow * (np.clip(toward, 0, 1) ** 12)[:, None] * 0.9
    fade = (cover * smoothstep(0.0, 0.09, up) * (0.85 if closed else 0.95))[:, None]
    result: Array = behind * (1.0 - fade) + colour * fade
    return result
