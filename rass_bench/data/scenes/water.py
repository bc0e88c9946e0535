"""Level mirrors: lakes and the sea with waves, and wet roads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import FILM
from rass_bench.data.scenes.canvas import Canvas
from rass_bench.data.scenes.ground import Ground, Surface
from rass_bench.data.scenes.light import Light, rgb
from rass_bench.data.scenes.noise import fbm, smoothstep

Array = NDArray[np.float64]


def mirrored(canvas: Canvas) -> Array:
    """What a perfect mirror on the ground would show, (FILM, FILM, 3).

    A sample at depth d stands over its own foot; its mirror image lies as far below the foot as
    it lies above. Nearer samples are written last and so win.
    """
    camera = canvas.camera
    row, column = np.nonzero(np.isinf(canvas.depth) | above_ground(canvas))
    depth = canvas.depth[row, column]
    target = np.rint(2 * (camera.horizon + camera.focal * camera.height / depth) - row - 1)
    target = target.astype(np.intp)
    valid = (target >= 0) & (target < FILM)
    row, column, target, depth = row[valid], column[valid], target[valid], depth[valid]
    order = np.argsort(-depth, kind="stable")
    mirror = np.empty((FILM, FILM, 3))
    # Rows whose partner lies above the picture continue the topmost sky.
    mirror[:] = canvas.colour[0][None]
    mirror[target[order], column[order]] = canvas.colour[row[order], column[order]]
    return mirror


def above_ground(canvas: Canvas) -> NDArray[np.bool_]:
    """Samples that show something over the ground plane, (FILM, FILM)."""
    height = (
        canvas.camera.height
        + np.where(np.isinf(canvas.depth), 0.0, canvas.depth) * (canvas.camera.rise[:, None])
    )
    return height > 0.02


def draw_water(canvas: Canvas, ground: Ground, mirror: Array, wind: float, tone: Array) -> None:
    """Colour the samples of water that can be seen.

    Args:
        canvas: the film, everything else drawn.
        ground: for surface ids.
        mirror: from :func:`mirrored`.
        wind: 0 a still lake .. 1 a rough sea.
        tone: linear colour of deep water.
    """
    liquid = (ground.surface == Surface.WATER) | (ground.surface == Surface.SEA)
    row, column = np.nonzero(liquid & (canvas.depth[ground.top :] == ground.depth))
    if len(row) == 0:
        return
    light, camera = canvas.light, canvas.camera
    x, z, depth = ground.x[row, column], ground.z[row, column], ground.depth[row, 0]
    row = row + ground.top
    swell = fbm(x / 46.0, z / 19.0, 0)
    ripple = fbm(x / 9.0, z / 3.4, 1) / (1.0 + depth * 0.01)
    slope = (0.25 + wind) * (0.7 * swell + 0.6 * ripple)
    reach = 26.0 * np.minimum(1.0, 12.0 / depth + 0.25)
    from_row = np.clip(row + slope * reach * 1.6, ground.top, FILM - 1).astype(np.intp)
    from_column = np.clip(column + slope * reach * 0.35, 0, FILM - 1).astype(np.intp)
    seen = mirror[from_row, from_column]
    graze = camera.height / np.sqrt(depth**2 + camera.height**2)
    fresnel = np.clip(0.08 + 0.92 * (1.0 - graze) ** 4 - 0.55 * np.maximum(slope, 0), 0.05, 0.95)
    body = tone * (light.sky + light.sun * 0.35) * (1.0 + 0.6 * slope)[:, None]
    colour = body * (1.0 - fresnel)[:, None] + seen * fresnel[:, None]
    colour = colour + _glitter(light, camera.ahead[column], slope, ripple)
    colour = _foam(light, colour, slope, wind, ground.shore[row - ground.top, column])
    clear = light.clarity(depth)[:, None]
    canvas.colour[row, column] = colour * clear + canvas.air[column] * (1.0 - clear)


def _glitter(light: Light, ray: Array, slope: Array, ripple: Array) -> Array:
    """The path of light under a low sun or moon."""
    flat = ray / np.sqrt((ray**2).sum(axis=1, keepdims=True))
    toward = np.clip(flat @ light.direction, 0.0, 1.0) ** 220
    spark = smoothstep(0.05, 0.45, slope + 0.5 * ripple)
    result: Array = light.sun * (0.9 * toward * spark * float(light.elevation < 0.35))[:, None]
    return result


def _foam(light: Light, colour: Array, slope: Array, wind: float, shore: Array) -> Array:
    """White caps when the wind is strong, and surf in lines along a beach."""
    caps = smoothstep(0.45, 0.7, slope) * wind
    near = np.where(np.isfinite(shore), shore, 1e3) + 3.0 * slope
    surf = np.maximum(
        1.0 - smoothstep(0.3, 1.1, near),
        (1.0 - smoothstep(0.0, 0.9, np.abs(near - 4.5))) * smoothstep(0.0, 0.25, slope + 0.12),
    )
    white = rgb("f0f4f6") * (light.sky + light.sun * 0.6) * 0.9
    amount = np.clip(0.8 * caps + 0.9 * surf, 0.0, 0.92)[:, None]
    result: Array = colour + (white - colour) * amount
    return result


def draw_wet(canvas: Canvas, ground: Ground, mirror: Array, wet: float) -> None:
    """Let wet roads and pavements mirror what stands over them, blurred along the view."""
    hard = np.isin(ground.surface, (Surface.ROAD, Surface.MARKING, Surface.SIDEWALK, Surface.KERB))
    row, column = np.nonzero(hard & (canvas.depth[ground.top :] == ground.depth))
    if wet == 0.0 or len(row) == 0:
        return
    x, z, depth = ground.x[row, column], ground.z[row, column], ground.depth[row, 0]
    row = row + ground.top
    puddle = smoothstep(-0.25, 0.35, fbm(x / 17.0, z / 17.0, 0))
    seen = np.zeros((len(row), 3))
    for step in (-14, -8, -3, 3, 8, 14):
        seen += mirror[np.clip(row + step, 0, FILM - 1), column]
    graze = canvas.camera.height / np.sqrt(depth**2 + canvas.camera.height**2)
    strength = wet * (0.10 + 0.5 * (1.0 - graze) ** 3) * (0.45 + 0.55 * puddle)
    here = canvas.colour[row, column]
    canvas.colour[row, column] = here + (seen / 6 - 0.55 * here) * strength[:, None]
