"""Scale, crop, colours, mirror image and padding, against detectron2's and SSD's definitions."""

import colorsys
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.labels import IGNORE
from rass_bench.train.augment import (
    PADDING,
    Augmentation,
    _resized,
    augment,
    change_colours,
)

OFFICIAL = (256, 307, 358, 409, 460, 512, 563, 614, 665, 716, 768, 819, 870, 921, 972, 1024)
"""Base-ADE20K's MIN_SIZE_TRAIN."""


class Scripted:
    """Answers like a Generator, with numbers given in advance; tells what it was asked for."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def random(self):
        self.asked.append("random")
        return self.answers.pop(0)

    def uniform(self, low, high):
        self.asked.append((low, high))
        return self.answers.pop(0)

    def integers(self, low, high):
        self.asked.append((low, high))
        return self.answers.pop(0)


YES, NO = 0.0, 0.9


def rng(seed=0):
    return np.random.default_rng(seed)


# Sizes


def test_the_official_sizes():
    assert Augmentation.of_side(512, 512) == Augmentation(512, OFFICIAL, 2048)


def detectron2_size(height, width, short, longest):
    """ResizeShortestEdge.get_output_shape, written down from its documentation."""
    scale = short / min(height, width)
    new_height, new_width = (short, scale * width) if height < width else (scale * height, short)
    if max(new_height, new_width) > longest:
        scale = longest / max(new_height, new_width)
        new_height, new_width = new_height * scale, new_width * scale
    return floor(new_height + 0.5), floor(new_width + 0.5)


@settings(deadline=None)
@given(height=st.integers(16, 3000), width=st.integers(16, 3000), short=st.sampled_from(OFFICIAL))
def test_photos_are_resized_as_detectron2_does(height, width, short):
    ours = _resized((height, width), short, 2048)
    wanted = detectron2_size(height, width, short, 2048)
    # A side of exactly half a pixel may round either way.
    assert max(abs(a - b) for a, b in zip(ours, wanted, strict=True)) <= 1
    exact = [
        side * min(short / min(height, width), 2048 / max(height, width))
        for side in (height, width)
    ]
    assert ours == wanted or any(abs(side % 1 - 0.5) < 1e-6 for side in exact)


def test_every_size_is_drawn_as_often():
    """A photo without structure whose crop shows its scaled size as what is not padding."""
    sizes = Augmentation(64, (16, 24, 32, 40), 1000)
    image, labels = np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.uint8)
    generator, drawn = rng(), []
    for _ in range(800):
        _, crop = augment(image, labels, sizes, generator)
        drawn.append(int((crop[0] != IGNORE).sum()))
    counts = {size: drawn.count(size) for size in sizes.short_sides}
    assert sum(counts.values()) == 800
    assert all(140 < count < 260 for count in counts.values()), counts  # 200, five sigma 61


# Crops


def test_what_is_missing_is_padded_right_and_below():
    sizes = Augmentation(50, (30,), 1000)
    image = np.full((30, 40, 3), 200, np.uint8)
    crop, labels = augment(image, np.full((30, 40), 5, np.uint8), sizes, rng())
    assert crop.shape == (50, 50, 3) and labels.shape == (50, 50)
    assert (labels[:30, :40] == 5).all()
    assert (labels[30:] == 255).all() and (labels[:, 40:] == 255).all()
    assert (crop[30:] == 128).all() and (crop[:, 40:] == 128).all()
    assert PADDING == 128


def test_crops_come_from_everywhere():
    """Columns and rows are numbered by their labels; colours do not matter here."""
    sizes = Augmentation(8, (24,), 1000)
    numbers = np.arange(24, dtype=np.uint8)
    generator = rng()
    for labels in (np.tile(numbers, (24, 1)), np.tile(numbers[:, None], (1, 24))):
        starts = [
            int(augment(np.zeros((24, 24, 3), np.uint8), labels, sizes, generator)[1].min())
            for _ in range(850)
        ]
        assert set(starts) == set(range(17))
        assert all(15 < starts.count(start) < 90 for start in range(17))  # 50, five sigma 34


def test_every_second_crop_is_a_mirror_image():
    sizes = Augmentation(8, (8,), 1000)
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4] = 255
    labels = np.zeros((8, 8), np.uint8)
    labels[:, :4] = 1
    generator, mirrored = rng(), 0
    for _ in range(400):
        crop, map_ = augment(image, labels, sizes, generator)
        turned = bool(map_[0, 7])
        assert (map_ == (labels[:, ::-1] if turned else labels)).all()
        assert crop[map_ == 1].mean() > crop[map_ == 0].mean()
        mirrored += turned
    assert 150 < mirrored < 250  # 200, five sigma 50


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_labels_are_never_mixed(seed):
    generator = rng(seed)
    height, width = generator.integers(10, 60, 2)
    labels = generator.choice(np.array([3, 100, 255], np.uint8), (height, width))
    sizes = Augmentation(32, (16, 23, 40, 64), 90)
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    crop, map_ = augment(image, labels, sizes, generator)
    assert set(np.unique(map_)) <= {3, 100, 255}
    assert crop.dtype == map_.dtype == np.uint8


# Colours


def hsv_reference(photo, hue=0, saturation=1.0):
    """Python's own colour conversion, hue in half degrees."""
    changed = np.empty_like(photo)
    for index in np.ndindex(photo.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(photo[index] / 255))
        rgb = colorsys.hsv_to_rgb((h + hue / 180) % 1, min(1, s * saturation), v)
        changed[index] = np.round(255 * np.array(rgb))
    return changed


@pytest.fixture
def photo():
    return rng(3).integers(30, 220, (9, 11, 3), dtype=np.uint8)


def test_without_any_change_a_photo_stays(photo):
    assert (change_colours(photo, Scripted(NO, YES, NO, NO, NO)) == photo).all()


def test_brightness_adds_and_clips(photo):
    brighter = change_colours(photo, Scripted(YES, 32.0, NO, NO, NO, NO))
    assert (brighter == np.clip(photo.astype(int) + 32, 0, 255)).all()


@pytest.mark.parametrize("first", [True, False])
def test_contrast_comes_before_or_after_the_others(photo, first):
    """The order shows where contrast clips."""
    if first:
        script = Scripted(NO, YES, YES, 1.5, YES, 0.5, NO)
        wanted = hsv_reference(np.clip(photo * 1.5, 0, 255).astype(np.uint8), saturation=0.5)
    else:
        script = Scripted(NO, NO, YES, 0.5, NO, YES, 1.5)
        wanted = np.clip(hsv_reference(photo, saturation=0.5) * 1.5, 0, 255)
    changed = change_colours(photo, script)
    # OpenCV's hue counts whole half degrees; contrast multiplies what that costs.
    assert np.abs(changed.astype(int) - wanted).max() <= 9
    assert not script.answers


@pytest.mark.parametrize("shift", [-18, 7, 18])
def test_hue_turns_by_half_degrees(photo, shift):
    changed = change_colours(photo, Scripted(NO, YES, NO, NO, YES, shift))
    assert np.abs(changed.astype(int) - hsv_reference(photo, hue=shift)).max() <= 6


def test_the_ranges_are_ssds():
    script = Scripted(YES, 0.0, YES, YES, 1.0, YES, 1.0, YES, 0)
    change_colours(np.full((2, 2, 3), 100, np.uint8), script)
    ranges = [one for one in script.asked if one != "random"]
    assert ranges == [(-32, 32), (0.5, 1.5), (0.5, 1.5), (-18, 19)]


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_colours_stay_within_their_range(seed):
    generator = rng(seed)
    photo = generator.choice(np.array([0, 1, 127, 254, 255], np.uint8), (4, 4, 3))
    changed = change_colours(photo, generator).astype(int)
    # No step can turn a bright photo into a black one: nothing wraps around.
    if photo.min() >= 127:
        assert changed.max() >= (127 - 32) // 2 - 1
    assert changed.dtype == int and changed.min() >= 0 and changed.max() <= 255
