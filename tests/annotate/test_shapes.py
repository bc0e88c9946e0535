"""Which pixels polygons, turned rectangles and ellipses hold: those with their centre inside."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly

from rass_bench.annotate.shapes import (
    MAX_POINTS,
    crop,
    fill_ellipse,
    fill_polygon,
    paint,
    rectangle_corners,
)

HEIGHT, WIDTH = 12, 17


def on_photo(patch, height=HEIGHT, width=WIDTH):
    photo = np.zeros((height, width), dtype=bool)
    rows, columns = patch.mask.shape
    photo[patch.top : patch.top + rows, patch.left : patch.left + columns] = patch.mask
    return photo


def centres(height=HEIGHT, width=WIDTH):
    rows, columns = np.mgrid[:height, :width] + 0.5
    return np.stack([columns, rows], axis=-1).reshape(-1, 2)


def winding_number(points, centre):
    """How often the outline turns around a point: the sum of the angles it is seen under."""
    seen = points - centre
    following = np.roll(seen, -1, axis=0)
    cross = seen[:, 0] * following[:, 1] - seen[:, 1] * following[:, 0]
    angles = np.arctan2(cross, (seen * following).sum(axis=1))
    return round(angles.sum() / (2 * np.pi))


def distance_to_outline(points, centre):
    ends = np.roll(points, -1, axis=0)
    along = ends - points
    share = ((centre - points) * along).sum(1) / np.maximum((along**2).sum(1), 1e-12)
    nearest = points + np.clip(share, 0, 1)[:, None] * along
    return np.hypot(*(centre - nearest).T).min()


# Thirds and not whole or half pixels: on a border, who owns a centre is a convention.
coordinates = st.integers(-20, 70).map(lambda value: value / 3 + 0.01)
corners = st.tuples(coordinates, coordinates)


@settings(deadline=None, max_examples=50)
@given(st.lists(corners, min_size=3, max_size=3))
def test_a_triangle_holds_the_centres_that_lie_in_it(points):
    points = np.array(points)
    (ax, ay), (bx, by) = points[1] - points[0], points[2] - points[0]
    assume(abs(ax * by - ay * bx) > 1e-6)
    off_border = [distance_to_outline(points, centre) > 1e-6 for centre in centres()]
    filled = on_photo(fill_polygon(points, HEIGHT, WIDTH)).reshape(-1)
    oracle = points_in_poly(centres(), points)
    assert np.array_equal(filled[off_border], oracle[off_border])


@settings(deadline=None, max_examples=40)
@given(st.lists(corners, min_size=3, max_size=8))
def test_an_outline_that_crosses_itself_is_filled_where_it_winds_around(points):
    points = np.array(points)
    filled = on_photo(fill_polygon(points, HEIGHT, WIDTH)).reshape(-1)
    for centre, inside in zip(centres(), filled, strict=True):
        if distance_to_outline(points, centre) > 1e-6:
            assert inside == (winding_number(points, centre) != 0)


def test_a_pentagram_is_filled_in_its_middle_as_a_canvas_fills_it():
    angles = np.arange(5) * 4 * np.pi / 5
    star = np.stack([20 + 18 * np.sin(angles), 20 - 18 * np.cos(angles)], axis=1)
    assert on_photo(fill_polygon(star, 40, 40), 40, 40)[20, 20]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 17), st.integers(0, 12)), min_size=1, max_size=1), corners)
def test_neighbours_share_no_pixel_and_leave_none_out(inner, other):
    middle = np.array(inner[0], dtype=float)
    frame = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], dtype=float)
    total = np.zeros((HEIGHT, WIDTH), dtype=int)
    for start, end in zip(frame, np.roll(frame, -1, axis=0), strict=True):
        total += on_photo(fill_polygon(np.array([start, end, middle]), HEIGHT, WIDTH))
    assert (total == 1).all()


def test_the_whole_photo_is_every_pixel_and_its_half_is_half():
    frame = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], dtype=float)
    assert fill_polygon(frame, HEIGHT, WIDTH).mask.sum() == HEIGHT * WIDTH
    assert fill_polygon(frame / (1, 2), HEIGHT, WIDTH).mask.sum() == HEIGHT * WIDTH / 2


def test_what_leans_out_of_the_photo_is_cut_off():
    patch = fill_polygon(np.array([[-5, -5], [3, -5], [3, 2], [-5, 2]], dtype=float), 10, 10)
    assert (patch.top, patch.left, patch.mask.shape) == (0, 0, (2, 3))
    outside = fill_polygon(np.array([[20, 20], [30, 20], [30, 30]], dtype=float), 10, 10)
    assert outside.mask.shape == (0, 0)


@pytest.mark.parametrize("points", [0, 2, MAX_POINTS + 1])
def test_too_few_and_too_many_points_are_refused(points):
    with pytest.raises(ValueError, match=f"a polygon of {points} points"):
        fill_polygon(np.zeros((points, 2)), 10, 10)


@settings(deadline=None)
@given(st.floats(-360, 360), st.floats(1, 9), st.floats(1, 9))
def test_a_rectangle_turns_clockwise_about_its_first_corner(degrees, width, height):
    ours = rectangle_corners(3, 4, width, height, degrees)
    assert ours[0] == pytest.approx([3, 4])
    # OpenCV names a turned rectangle by its centre.
    theirs = cv2.boxPoints((tuple(map(float, ours.mean(axis=0))), (width, height), degrees))
    distances = np.hypot(*(ours[:, None] - theirs[None]).transpose(2, 0, 1))
    assert distances.min(axis=1).max() < 1e-4


def test_a_quarter_turn_points_the_width_down():
    assert rectangle_corners(10, 10, 4, 2, 90)[1] == pytest.approx([10, 14])


@settings(deadline=None)
@given(corners, st.floats(0.5, 15), st.floats(0.5, 15), st.floats(-360, 360))
def test_an_ellipse_holds_the_centres_that_lie_in_it(centre, across, along, degrees):
    turn = np.radians(degrees)
    x, y = (centres() - centre).T
    turned_x = (x * np.cos(turn) + y * np.sin(turn)) / across
    turned_y = (y * np.cos(turn) - x * np.sin(turn)) / along
    squared = (turned_x**2 + turned_y**2).reshape(HEIGHT, WIDTH)
    ours = on_photo(fill_ellipse(centre, (across, along), degrees, HEIGHT, WIDTH))
    decided = abs(squared - 1) > 1e-9
    assert np.array_equal(ours[decided], (squared <= 1)[decided])


@pytest.mark.parametrize("radii", [(0.0, 5.0), (5.0, 0.0), (1e-200, 1e-200)])
def test_an_ellipse_without_a_radius_is_empty(radii):
    assert fill_ellipse((5.0, 5.0), radii, 30, 10, 10).mask.shape == (0, 0)


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 5), st.data())
def test_cropping_keeps_every_pixel_and_no_empty_border(top, left, data):
    bits = data.draw(st.lists(st.booleans(), min_size=30, max_size=30))
    mask = np.array(bits).reshape(5, 6)
    patch = crop(mask, top, left)
    expected = np.zeros((10, 11), dtype=bool)
    expected[top : top + 5, left : left + 6] = mask
    assert np.array_equal(on_photo(patch, 10, 11), expected)
    if mask.any():
        sides = [patch.mask[0], patch.mask[-1], patch.mask[:, 0], patch.mask[:, -1]]
        assert all(side.any() for side in sides)


def test_painting_sets_the_pixels_of_the_mask_and_no_others():
    rng = np.random.default_rng(0)
    mask = rng.random((5, 7)) < 0.5
    for kind, value in ((np.uint8, 9), (np.bool_, True)):
        canvas = np.zeros((12, 10), dtype=kind)
        expected = canvas.copy()
        expected[4:9, 3:10][mask] = value
        paint(canvas, 4, 3, mask, value)
        assert np.array_equal(canvas, expected)


def test_a_mask_of_nothing_changes_nothing():
    canvas = np.ones((3, 3), dtype=np.uint8)
    paint(canvas, 0, 0, np.zeros((0, 0), dtype=bool), 5)
    assert (canvas == 1).all()


@pytest.mark.parametrize("corner", [(10, 0), (0, 6), (13, 0)])
def test_a_mask_that_leans_out_is_refused(corner):
    with pytest.raises(ValueError, match="leans out"):
        paint(np.zeros((12, 10), dtype=np.uint8), *corner, np.ones((5, 7), dtype=bool), 1)
