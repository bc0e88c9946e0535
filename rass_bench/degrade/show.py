"""One picture of a degradation: clean, degraded, and the recipe in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rass_bench.degrade.apply import apply
from rass_bench.degrade.recipe import Recipe, describe

_PAPER = (250, 250, 247)
_INK = (32, 33, 36)
_FAINT = (110, 112, 116)
_SIDE = 640
"""Long side that each photo is shown with; smaller ones are enlarged by a whole factor."""


def render_comparison(image: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """Draw a photo before and after, with the recipe below in words.

    Args:
        image: the clean photo, RGB uint8 (H, W, 3).
        recipe: what to do to it.

    Returns:
        RGB uint8, about 1340 pixels wide.
    """
    clean, degraded = _fit(image), _fit(apply(recipe, image))
    origin = f"{recipe.preset}@{recipe.preset_version}, seed {recipe.seed}, {recipe.sample_id}"
    words = describe(recipe) or ["nothing is done to the photo"]
    rows = -(-len(words) // 2)
    margin, caption, line_height = 24, 36, 28
    column = max(clean.width, _SIDE) + margin
    words_top = margin + caption + clean.height + margin + line_height
    size = (margin + 2 * column, words_top + rows * line_height + margin)
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    for number, (title, photo) in enumerate((("clean", clean), ("degraded", degraded))):
        left = margin + number * column
        draw.text((left, margin), title, font=_font(22), fill=_INK)
        page.paste(photo, (left, margin + caption))
    draw.text((margin, words_top - line_height), origin, font=_font(17), fill=_FAINT)
    for number, line in enumerate(words):
        left = margin + number // rows * column
        top = words_top + number % rows * line_height
        draw.text((left, top), line, font=_font(17), fill=_INK)
    return np.asarray(page)


def _fit(image: NDArray[np.uint8]) -> Image.Image:
    """Shrink to the long side of the picture, or enlarge so that pixels stay squares."""
    photo = Image.fromarray(image)
    long_side = max(photo.size)
    if long_side > _SIDE:
        width, height = (max(1, round(side * _SIDE / long_side)) for side in photo.size)
        return photo.resize((width, height), Image.Resampling.LANCZOS)
    factor = max(1, _SIDE // long_side)
    return photo.resize((photo.width * factor, photo.height * factor), Image.Resampling.NEAREST)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
