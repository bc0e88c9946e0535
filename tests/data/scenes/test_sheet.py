"""The contact sheet shows every photo and every label map, unscaled."""

import numpy as np

from rass_bench.data.scenes import Scene, contact_sheet
from rass_bench.labels import load_label_space


def contains(sheet, tile):
    """Whether ``tile`` lies somewhere on ``sheet``."""
    height, width, _ = tile.shape
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (height, width, 3))[:, :, 0]
    return bool((windows == tile).all(axis=(2, 3, 4)).any())


def test_photos_and_coloured_labels_stand_on_the_sheet():
    space = load_label_space("ade20k-150")
    rng = np.random.default_rng(0)
    scenes = [
        Scene(rng.integers(0, 255, (8, 8, 3), np.uint8), rng.integers(0, 150, (8, 8), np.uint8))
        for _ in range(5)
    ]
    sheet = contact_sheet(scenes, space, columns=2)
    for scene in scenes:
        assert contains(sheet, scene.image)
        assert contains(sheet, space.palette()[scene.labels])
    assert (sheet[-1] == 255).all() and (sheet[:, -1] == 255).all()
