"""The picture of a degradation shows both photos and all words."""

import numpy as np

from rass_bench.degrade.apply import apply
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import Recipe, sample
from rass_bench.degrade.show import render_comparison


def checkerboard(height, width):
    rows, columns = np.mgrid[:height, :width]
    grey = ((rows // 40 + columns // 40) % 2 * 180 + 30).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def test_a_photo_of_the_shown_size_stands_there_pixel_by_pixel():
    photo = checkerboard(480, 640)
    recipe = sample(PRESETS.get("rass"), 0, "board")
    picture = render_comparison(photo, recipe)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[60:540, 24:664], photo)
    np.testing.assert_array_equal(picture[60:540, 688:1328], apply(recipe, photo))


def test_each_step_has_its_line_of_text():
    photo = checkerboard(240, 640)
    recipe = sample(PRESETS.get("rass"), 0, "board")
    picture = render_comparison(photo, recipe)
    below = picture[60 + 240 + 24 + 28 :].min(axis=2) < 120
    rows = -(-len(recipe.steps) // 2)
    lines = below[: rows * 28].reshape(rows, 28, -1)
    left, right = lines[:, :, :670].any(axis=(1, 2)), lines[:, :, 670:].any(axis=(1, 2))
    assert left.all()
    assert right.sum() == len(recipe.steps) - rows


def test_small_and_large_photos_and_empty_recipes_are_shown():
    for size in ((3, 5), (1, 1), (900, 2000), (2000, 30)):
        picture = render_comparison(checkerboard(*size), Recipe("none", "1", 0, "a", ()))
        assert picture.shape[1] == 1352
        assert picture.shape[0] < 900
