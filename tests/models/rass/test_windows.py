"""Where windows lie and how their maps are averaged, against the official rule, on any size."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.windows import Cells, average, cells_of, map_size, place_windows
from tests.models.rass.toy import CONFIG

STRIDES = (4, 8, 16, 32)
SIDES = st.integers(1, 256).map(lambda eighth: 8 * eighth)


class OfficialCrashError(Exception):
    """The official code raises here: a window's map does not fit into its cells."""


def official_windows(height, width):
    """Top, left, bottom, right (rass.md, section 1, step 4)."""
    short = min(height, width)
    windows = []
    for row in range(-(-height // short)):
        for column in range(-(-width // short)):
            bottom = min(row * short + short, height)
            right = min(column * short + short, width)
            windows.append((bottom - short, right - short, bottom, right))
    return windows


def official_average(height, width, stride, maps):
    """Add each window's map where it belongs, and divide by how many lie there."""
    rows, columns = height // stride, width // stride
    canvas, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for (top, left, bottom, right), values in zip(
        official_windows(height, width), maps, strict=True
    ):
        place = (
            slice(top // stride, bottom // stride),
            slice(left // stride, right // stride),
        )
        if canvas[place].shape != values.shape:
            raise OfficialCrashError
        canvas[place] += values
        count[place] += 1
    return canvas / count


@given(SIDES, SIDES)
def test_windows_are_the_official_ones(height, width):
    placed = [(one.top, one.left, one.bottom, one.right) for one in place_windows(height, width)]
    assert placed == official_windows(height, width)


@given(SIDES, SIDES)
def test_windows_cover_every_pixel_and_stay_inside(height, width):
    covered = np.zeros((height // 8, width // 8), dtype=bool)  # all edges are multiples of 8
    for one in place_windows(height, width):
        assert 0 <= one.top < one.bottom <= height
        assert 0 <= one.left < one.right <= width
        covered[one.top // 8 : one.bottom // 8, one.left // 8 : one.right // 8] = True
    assert covered.all()


@given(SIDES, SIDES, st.sampled_from(STRIDES))
@settings(max_examples=300)
def test_every_cell_of_every_level_is_filled(height, width, stride):
    size = map_size(height, width, stride)
    filled = np.zeros(size, dtype=bool)
    for window in place_windows(height, width):
        cells = cells_of(window, height, width, stride)
        assert 0 <= cells.top < cells.bottom <= size[0]
        assert 0 <= cells.left < cells.right <= size[1]
        filled[cells.top : cells.bottom, cells.left : cells.right] = True
    assert filled.all()


@given(SIDES, SIDES, st.sampled_from(STRIDES), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_averages_are_the_official_ones_where_the_official_code_runs(height, width, stride, seed):
    short = min(height, width)
    windows = place_windows(height, width)
    draw = np.random.default_rng(seed)
    maps = [draw.normal(size=(short // stride, short // stride)) for _ in windows]
    try:
        expected = official_average(height, width, stride, maps)
    except OfficialCrashError:
        return
    if short < stride:
        return  # the official map has no cell there, and the network behind it fails
    places = [cells_of(window, height, width, stride) for window in windows]
    assert all(place.size == values.shape for place, values in zip(places, maps, strict=True))
    tensors = [torch.from_numpy(values)[None, None] for values in maps]
    found = average(tensors, places, map_size(height, width, stride))
    assert np.allclose(found[0, 0].numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("height", "width", "crashes"),
    [(72, 96, True), (72, 128, True), (80, 96, True), (72, 104, False), (512, 688, False)],
)
def test_the_official_rule_crashes_where_the_official_code_does(height, width, crashes):
    """The oracle itself, against what was seen of the official code (rass.md, quirk 6)."""

    def run():
        short = min(height, width)
        for stride in STRIDES:
            size = (short // stride, short // stride)
            count = len(official_windows(height, width))
            official_average(height, width, stride, [np.ones(size)] * count)

    if crashes:
        with pytest.raises(OfficialCrashError):
            run()
    else:
        run()


def test_photos_of_usual_ratios_are_those_where_the_official_code_runs():
    """Short side 512: a multiple of every stride."""
    for width in range(512, 2049, 8):
        for stride in STRIDES:
            for window in place_windows(512, width):
                assert cells_of(window, 512, width, stride).size == (512 // stride,) * 2


def test_overlapping_maps_are_averaged_plainly():
    maps = [torch.full((1, 1, 1, 3), 2.0), torch.full((1, 1, 1, 3), 4.0)]
    places = [Cells(0, 0, 1, 3), Cells(0, 2, 1, 5)]
    assert average(maps, places, (1, 5)).tolist() == [[[[2.0, 2.0, 3.0, 4.0, 4.0]]]]


@pytest.fixture(scope="module")
def network(toy):
    return toy.rass


@pytest.mark.parametrize(
    ("height", "width"),
    [
        *((8, 8), (8, 200), (200, 8), (16, 8), (24, 40), (72, 96), (72, 128), (80, 96)),
        *((72, 104), (96, 72), (104, 72), (128, 128), (40, 512), (8, 2048)),
    ],
)
def test_the_network_runs_on_every_size(network: RassNetwork, height, width):
    generator = torch.Generator().manual_seed(height * width)
    photo = torch.rand((1, 3, height, width), generator=generator) * 2 - 1
    with torch.no_grad():
        scores = network.segment(photo, torch.zeros(1, 77, CONFIG.text.width))
    assert scores.masks.shape == (1, CONFIG.head.queries, height // 4, width // 4)
    assert scores.classes.shape == (1, CONFIG.head.queries, 151)
    assert torch.isfinite(scores.masks).all()
    assert torch.isfinite(scores.classes).all()


@pytest.mark.parametrize("size", [(8, 8), (32, 96)])
def test_the_mini_size_runs_on_the_smallest_windows(size):
    """GroupNorm refuses a group of one value: a map of one cell needs two channels a group."""
    config = RassConfig.mini()
    scores = RassNetwork(config).eval().segment(torch.zeros(1, 3, *size), torch.zeros(1, 77, 64))
    assert scores.masks.shape[2:] == (size[0] // 4, size[1] // 4)


def test_a_photo_taken_whole_is_one_window(toy):
    whole = RassNetwork(dataclasses.replace(CONFIG, slide=False))
    assert len(whole.windows(64, 200)) == 1
    assert len(toy.rass.windows(64, 200)) == 4
