"""Coverage, specks, holes and roughness of a label map: hand-made cases and real masks."""

import statistics
import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate.qa.shape import measure_shape
from rass_bench.errors import UserError

SPECK = 0.0025
"""25 of 100 x 100 pixels."""


def grass(height=100, width=100):
    return np.full((height, width), 9, dtype=np.uint8)


def measure(labels, covered=None, speck_share=SPECK):
    covered = np.ones(labels.shape, dtype=bool) if covered is None else covered
    return measure_shape(labels, covered, 150, speck_share)


@pytest.fixture(scope="module")
def street(shared_data):
    path = shared_data("ade20k150") / "annotations/validation/ADE_val_00000001.png"
    return np.asarray(Image.open(path)) - np.uint8(1)


def test_shares_tell_ignore_from_what_nobody_drew():
    labels = grass(10, 10)
    covered = np.ones(labels.shape, dtype=bool)
    labels[:3] = 255
    covered[:1] = False
    shape = measure(labels, covered)
    assert (shape.labelled, shape.ignored, shape.unlabelled) == pytest.approx((0.7, 0.2, 0.1))


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(np.uint8, (7, 8), elements=st.sampled_from([0, 1, 2, 255])),
    hnp.arrays(bool, (7, 8)),
)
def test_shares_add_up_to_the_photo_and_pixels_to_each_class(labels, drawn):
    covered = drawn | (labels != 255)
    shape = measure_shape(labels, covered, 3, 0.1)
    assert shape.labelled + shape.ignored + shape.unlabelled == pytest.approx(1)
    counts = {one.class_id: one.pixels for one in shape.classes}
    assert counts == {k: int((labels == k).sum()) for k in range(3) if (labels == k).any()}
    assert shape.specks == sum(one.specks for one in shape.classes)


def test_a_small_region_is_a_speck_and_a_larger_one_is_not():
    labels = grass()
    labels[10:14, 10:16] = 4  # 24 pixels
    labels[40:45, 40:45] = 4  # 25 pixels
    labels[70, 70] = 12
    shape = measure(labels)
    by_class = {one.class_id: one for one in shape.classes}
    assert (by_class[4].components, by_class[4].specks, by_class[4].speck_pixels) == (2, 1, 24)
    assert (by_class[12].components, by_class[12].specks) == (1, 1)
    assert (shape.specks, shape.speck_pixels) == (2, 25)


def test_a_diagonal_line_is_one_region():
    labels = grass()
    np.fill_diagonal(labels, 4)
    assert {one.class_id: one.components for one in measure(labels).classes}[4] == 1


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.sampled_from([0, 1, 2, 255]),
    )
)
def test_regions_are_those_that_a_flood_fills(labels):
    found = measure(labels, speck_share=4 / labels.size)
    by_class = {one.class_id: one for one in found.classes}
    assert set(by_class) == set(labels.ravel().tolist()) - {255}
    for class_id, one in by_class.items():
        mask = np.zeros((labels.shape[0], labels.shape[1]), dtype=np.uint8)
        mask[labels == class_id] = 1
        areas = []
        while mask.any():
            row, column = np.argwhere(mask)[0].tolist()
            areas.append(cv2.floodFill(mask, None, (column, row), 0, flags=8)[0])
        specks = [area for area in areas if area < 4]
        assert (one.components, one.pixels) == (len(areas), sum(areas))
        assert (one.specks, one.speck_pixels) == (len(specks), sum(specks))


def test_holes_are_small_gaps_that_do_not_reach_the_frame():
    covered = np.ones((100, 100), dtype=bool)
    covered[20:23, 20:23] = False  # a hole of 9 pixels
    covered[50:60, 50:60] = False  # too large: a region somebody has yet to label
    covered[0:3, 40:43] = False  # at the frame
    labels = np.where(covered, grass(), np.uint8(255))
    shape = measure(labels, covered)
    assert (shape.holes, shape.hole_pixels) == (1, 9)


def test_an_ignored_spot_is_no_hole():
    labels = grass()
    labels[20:23, 20:23] = 255
    assert measure(labels).holes == 0


def test_roughness_is_the_length_over_that_of_the_averaged_outline():
    labels = np.full((120, 120), 255, dtype=np.uint8)
    cv2.ellipse(labels, (60, 60), (40, 25), 20, 0, 360, 9, -1)
    labels[30:90:4, 55:70] = 255
    mask = (labels == 9).astype(np.uint8)
    lengths = []
    for contour in cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]:
        points = contour[:, 0].astype(float)
        averaged = np.mean([np.roll(points, shift, axis=0) for shift in range(-4, 5)], axis=0)
        closed = [np.concatenate([curve, curve[:1]]) for curve in (points, averaged)]
        if len(points) >= 36:
            lengths.append([np.linalg.norm(np.diff(one, axis=0), axis=1).sum() for one in closed])
    outline, smooth = np.sum(lengths, axis=0)
    assert measure(labels).roughness == pytest.approx(outline / smooth - 1)


@pytest.mark.parametrize("angle", [0, 10, 22.5, 30, 45])
def test_a_straight_boundary_is_smooth_at_any_angle(angle):
    rows, columns = np.mgrid[:300, :300]
    side = np.sin(np.deg2rad(angle)) * (columns - 150) + np.cos(np.deg2rad(angle)) * (rows - 150)
    shape = measure(np.where(side > 0, 9, 2).astype(np.uint8))
    assert 0 <= shape.roughness < 0.1


def test_roughness_grows_with_the_jitter_of_a_circle():
    rows, columns = np.mgrid[:300, :300]
    angle = np.arctan2(rows - 150, columns - 150)
    noise = np.random.default_rng(0).normal(size=720)
    values = []
    for jitter in (0, 0.5, 1):
        radius = 100 + jitter * noise[((angle + np.pi) / (2 * np.pi) * 719).astype(int)]
        inside = np.hypot(rows - 150, columns - 150) < radius
        values.append(measure(np.where(inside, 9, 2).astype(np.uint8)).roughness)
    assert values == sorted(values)
    assert values[0] < 0.1
    assert values[-1] > 0.5


def test_the_frame_does_not_make_a_rough_boundary_look_smooth():
    jagged = grass(60, 60)
    jagged[30::2, ::2] = 2
    jagged[31:] = 2
    wide = np.pad(jagged, ((300, 300), (0, 0)), mode="edge")
    assert measure(wide, speck_share=0).roughness == pytest.approx(
        measure(jagged, speck_share=0).roughness, rel=0.02
    )


def test_a_map_of_one_class_has_no_roughness():
    assert measure(grass()).roughness is None


def test_a_map_without_any_class_is_measured():
    nothing = np.full((10, 10), 255, dtype=np.uint8)
    shape = measure(nothing, np.zeros((10, 10), dtype=bool))
    assert (shape.labelled, shape.unlabelled, shape.classes) == (0, 1, ())


def test_a_real_mask_gets_specks_when_salt_is_strewn_on_it(street):
    rng = np.random.default_rng(0)
    spots = rng.permutation(street.size)[:50]
    salted = street.copy()
    salted.flat[spots] = 149
    covered = np.ones(street.shape, dtype=bool)
    before = measure_shape(street, covered, 150, 5e-5)
    after = measure_shape(salted, covered, 150, 5e-5)
    assert after.specks >= before.specks + 40


def test_a_real_mask_is_smoother_than_its_jpeg_like_ruin(street):
    noise = np.random.default_rng(0).normal(scale=2, size=(2, *street.shape)).astype(np.float32)
    rows, columns = np.mgrid[: street.shape[0], : street.shape[1]].astype(np.float32)
    torn = cv2.remap(street, columns + noise[0], rows + noise[1], cv2.INTER_NEAREST)
    assert measure(torn).roughness > 2 * measure(street).roughness


def test_coverage_of_another_size_is_refused():
    with pytest.raises(UserError, match="differ in size"):
        measure_shape(grass(4, 4), np.ones((4, 5), bool), 150, SPECK)


def test_an_id_that_is_no_class_is_named():
    with pytest.raises(UserError, match="class id 9"):
        measure_shape(grass(4, 4), np.ones((4, 4), bool), 9, SPECK)


def test_a_map_of_512_pixels_is_measured_in_milliseconds(street):
    labels = np.asarray(Image.fromarray(street).resize((512, 512), Image.Resampling.NEAREST))
    measure(labels)
    seconds = []
    for _ in range(15):
        start = time.thread_time()
        measure(labels)
        seconds.append(time.thread_time() - start)
    print(f"\nshape of a 512 x 512 map: {1e3 * statistics.median(seconds):.1f} ms of CPU")
    assert statistics.median(seconds) < 0.05
