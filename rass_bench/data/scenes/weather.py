"""The last steps on the film: halos, rain, snow, the tone curve, and the way down to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.camera import FILM, SIZE
from rass_bench.data.scenes.canvas import Canvas

Array = NDArray[np.float64]


def draw_glows(canvas: Canvas) -> None:
    """Add a halo around every bright point that is in view."""
    camera = canvas.camera
    for position, colour, radius in canvas.glows:
        row, column, depth = (float(value) for value in camera.project(position))
        reach = 3.0 * radius * camera.focal / depth
        top, bottom = (int(v) for v in np.clip([row - reach, row + reach + 1], 0, FILM))
        left, right = (int(v) for v in np.clip([column - reach, column + reach + 1], 0, FILM))
        if depth <= 0.5 or top >= bottom or left >= right:
            continue
        rows = (np.arange(top, bottom) + 0.5 - row)[:, None] * 3.0 / reach
        columns = (np.arange(left, right) + 0.5 - column)[None, :] * 3.0 / reach
        square = rows**2 + columns**2
        fall = np.maximum(1.0 / (1.0 + 2.5 * square) - 1.0 / 23.5, 0.0)
        behind = canvas.depth[top:bottom, left:right] > depth - 1.0
        fall = fall * np.where(behind, 1.0, 0.12)
        canvas.colour[top:bottom, left:right] += fall[:, :, None] * colour


def draw_rain(canvas: Canvas, rng: np.random.Generator, strength: float) -> None:
    """Slanted streaks of rain."""
    slant = rng.uniform(-0.25, 0.25)
    for _ in range(int(260 * strength)):
        length = int(rng.uniform(14, 46))
        row, column = rng.uniform(-40, FILM), rng.uniform(0, FILM)
        rows = np.arange(length) + int(row)
        columns = (column + slant * np.arange(length)).astype(np.intp)
        inside = (rows >= 0) & (rows < FILM) & (columns >= 0) & (columns < FILM)
        bright = rng.uniform(0.10, 0.30)
        here = canvas.colour[rows[inside], columns[inside]]
        canvas.colour[rows[inside], columns[inside]] = here + (0.75 - here) * bright


def draw_snowfall(canvas: Canvas, rng: np.random.Generator, strength: float) -> None:
    """Falling flakes: many small, a few near and large."""
    rows = np.arange(-9, 10)[:, None]
    columns = np.arange(-9, 10)[None, :]
    for _ in range(int(330 * strength)):
        radius = 0.8 + 2.6 * rng.random() ** 5
        row, column = (int(value) for value in rng.uniform(9, FILM - 10, 2))
        flake = np.clip(radius + 0.5 - np.sqrt(rows**2 + columns**2), 0, 1)[:, :, None]
        flake = flake * rng.uniform(0.35, 0.85)
        place = (slice(row - 9, row + 10), slice(column - 9, column + 10))
        canvas.colour[place] += (1.2 - canvas.colour[place]) * flake


def develop(canvas: Canvas) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Film to picture: RGB uint8 (SIZE, SIZE, 3) and labels uint8 (SIZE, SIZE).

    The tone curve is K. Narkowicz's fit of the ACES film curve (2016), followed by gamma 2; both
    are applied to the samples, before four of them are averaged to a pixel.
    """
    x = canvas.colour * canvas.light.exposure
    x = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0)
    x = np.sqrt(x).reshape(SIZE, 2, SIZE, 2, 3)
    image = np.floor((x[:, 0, :, 0] + x[:, 0, :, 1] + x[:, 1, :, 0] + x[:, 1, :, 1]) * 63.75 + 0.5)
    return image.astype(np.uint8), majority(canvas.labels)


def majority(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent of each 2 x 2 samples, (2h, 2w) to (h, w); ties go to the higher id."""
    height, width = labels.shape[0] // 2, labels.shape[1] // 2
    four = labels.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(height, width, 4)
    ordered = np.sort(four, axis=2)
    return np.where(ordered[:, :, 2] == ordered[:, :, 3], ordered[:, :, 3], ordered[:, :, 1])
