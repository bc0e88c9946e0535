"""Tiles leave no seam."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.models.tiling import restore_in_tiles


def _network(radius, scale):
    """Looks exactly ``radius`` pixels far, mirrors at borders, and enlarges."""

    def restore(photo):
        size = 2 * radius + 1
        blurred = cv2.blur(photo, (size, size), borderType=cv2.BORDER_REFLECT_101)
        sharper = 2 * photo - blurred
        return sharper.repeat(scale, axis=0).repeat(scale, axis=1).astype(np.float32)

    return restore


@settings(deadline=None, max_examples=40)
@given(
    st.integers(20, 200),
    st.integers(20, 200),
    st.integers(1, 3),
    st.sampled_from([(32, 16), (48, 16), (64, 32)]),
)
def test_tiles_equal_the_whole_for_a_network_that_looks_no_farther_than_a_quarter(
    height, width, scale, tiling
):
    tile, overlap = tiling
    photo = np.random.default_rng(height).random((height, width, 3)).astype(np.float32)
    restore = _network(overlap // 4, scale)
    tiled = restore_in_tiles(restore, photo, scale, tile, overlap)
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, restore(photo), atol=2e-5)


def test_a_network_that_looks_farther_shows_the_test_above_can_fail():
    photo = np.random.default_rng(0).random((100, 100, 3)).astype(np.float32)
    restore = _network(12, 1)
    difference = np.abs(restore_in_tiles(restore, photo, 1, 32, 16) - restore(photo))
    assert difference.max() > 1e-3


def test_each_tile_is_at_most_as_large_as_asked():
    seen = []

    def restore(photo):
        seen.append(photo.shape)
        return photo

    photo = np.zeros((150, 333, 3), np.float32)
    restore_in_tiles(restore, photo, 1, 64, 16)
    assert len(seen) == 3 * 7
    assert max(max(shape[:2]) for shape in seen) == 64


@pytest.mark.parametrize("shape", [(64, 64), (1, 5)])
def test_a_small_photo_is_restored_whole(shape):
    seen = []

    def restore(photo):
        seen.append(photo.shape[:2])
        return photo

    restore_in_tiles(restore, np.zeros((*shape, 3), np.float32), 1, 64, 16)
    assert seen == [shape]
