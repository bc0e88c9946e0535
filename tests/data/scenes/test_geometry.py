"""Camera, patches, height fields and mirrors against positions worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from rass_bench.data.scenes.camera import FILM, Camera
from rass_bench.data.scenes.canvas import Canvas
from rass_bench.data.scenes.ground import Ground, Shadow, Surface
from rass_bench.data.scenes.light import draw_light
from rass_bench.data.scenes.noise import fbm, hash01
from rass_bench.data.scenes.shadows import convex_hull, shift
from rass_bench.data.scenes.terrain import _visible
from rass_bench.data.scenes.water import mirrored
from rass_bench.data.scenes.weather import majority

EYE = Camera(x=0.0, height=2.0, yaw=0.0, horizon=256.0, focal=400.0)


def canvas(camera=EYE):
    light = draw_light(np.random.default_rng(0), "day", 0.0)
    clear = type(light)(**{**vars_of(light), "haze": 0.0})
    return Canvas(camera, clear, np.zeros((FILM, 3)))


def vars_of(light):
    return {name: getattr(light, name) for name in light.__dataclass_fields__}


def wall(depth, left=-2.0, right=2.0, low=0.0, high=3.0):
    return [[left, low, depth], [right, low, depth], [right, high, depth], [left, high, depth]]


def test_a_ground_point_ahead_lies_focal_times_height_over_depth_below_the_horizon():
    row, column, depth = EYE.project([0.0, 0.0, 10.0])
    assert (row, column, depth) == pytest.approx((256 + 400 * 2 / 10, FILM / 2, 10.0))


def test_turning_right_moves_the_world_left():
    turned = Camera(x=0.0, height=2.0, yaw=0.1, horizon=256.0, focal=400.0)
    _, column, _ = turned.project([0.0, 0.0, 10.0])
    assert column == pytest.approx(FILM / 2 - 400 * np.tan(0.1))


@given(depth=st.floats(1, 500), across=st.floats(-1, 1), yaw=st.floats(-0.5, 0.5))
def test_place_is_the_inverse_of_project(depth, across, yaw):
    camera = Camera(x=1.0, height=2.0, yaw=yaw, horizon=250.0, focal=420.0)
    x, z = camera.place(depth, across)
    _, column, seen = camera.project([x, 0.0, z])
    assert seen == pytest.approx(depth)
    assert column == pytest.approx(FILM / 2 * (1 + across), abs=1e-6)


def test_a_wall_covers_the_samples_that_perspective_gives_it():
    film = canvas()
    hits = film.patch(wall(10.0))
    assert (hits.column.min(), hits.column.max()) == (256 - 80, 256 + 80 - 1)
    assert (hits.row.min(), hits.row.max()) == (256 - 40, 256 + 80 - 1)
    assert len(hits.row) == 160 * 120
    assert hits.depth == pytest.approx(10.0)


def test_the_nearer_surface_wins_whatever_the_order():
    labels = []
    for order in ([(10.0, 1), (5.0, 2)], [(5.0, 2), (10.0, 1)]):
        film = canvas()
        for depth, label in order:
            film.paint(film.patch(wall(depth, -1, 1)), np.ones(3), label)
        labels.append(film.labels)
    assert np.array_equal(*labels)
    assert set(np.unique(labels[0])) == {2, 255}, "the near wall hides the far one"


def test_a_wall_that_passes_the_viewer_is_cut_at_the_near_plane():
    film = canvas()
    side = [[3.0, 0, -5.0], [3.0, 0, 20.0], [3.0, 4, 20.0], [3.0, 4, -5.0]]
    hits = film.patch(side)
    assert hits.depth.min() >= 0.25
    assert hits.column.min() >= 256 + 400 * 3 / 20 - 1
    assert hits.column.max() == FILM - 1


def test_a_plateau_is_seen_where_its_edge_projects():
    film = canvas()
    depths = np.geomspace(100, 1000, 200)
    hits = _visible(film, lambda x, z: np.where(z >= 200.0, 52.0, 0.0), depths)
    top = np.array([hits.row[hits.column == column].min() for column in range(FILM)])
    edge = depths[depths >= 200.0][0]
    assert np.abs(top - (256 - 400 * 50 / edge)).max() <= 1.0
    assert np.abs(hits.depth[hits.row == 200] - edge).max() < 4.0


def test_ground_coordinates_project_back_to_their_samples():
    camera = Camera(x=1.5, height=2.5, yaw=0.2, horizon=240.3, focal=430.0)
    ground = Ground(camera)
    points = np.stack([ground.x, np.zeros_like(ground.x), ground.z], axis=-1)
    row, column, depth = camera.project(points)
    assert row == pytest.approx(
        np.broadcast_to(np.arange(ground.top, FILM)[:, None] + 0.5, row.shape)
    )
    assert column == pytest.approx(np.broadcast_to(np.arange(FILM)[None] + 0.5, column.shape))
    assert depth == pytest.approx(np.broadcast_to(ground.depth, depth.shape))
    assert not ground.surface.any() and Surface.GRASS == 0


def test_a_mirror_shows_a_wall_as_far_below_its_foot_as_it_stands_above():
    film = canvas()
    red = np.array([1.0, 0.0, 0.0])
    film.paint(film.patch(wall(10.0)), red, 1)
    mirror = mirrored(film)
    foot, tall = 256 + 80, 120
    assert np.all(mirror[foot + 2 : foot + tall - 2, 256] == red)
    assert not mirror[foot + tall + 2, 256].any()


def test_shadows_fall_away_from_the_sun():
    light = draw_light(np.random.default_rng(1), "day", 0.0)
    moved = shift(light)
    toward_sun = light.direction[[0, 2]]
    assert moved @ toward_sun < 0
    assert np.hypot(*moved) == pytest.approx(1 / np.tan(light.elevation))


def test_a_square_shadow_covers_its_inside_and_nothing_far_off():
    square = Shadow(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), soft=0.1)
    covered = square.coverage(np.array([1.0, 1.9, 3.0]), np.array([1.0, 0.5, 1.0]))
    assert covered == pytest.approx([1.0, 0.5, 0.0], abs=0.51)
    assert covered[0] == 1.0 and covered[2] == 0.0


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=4, max_size=20))
def test_the_convex_hull_is_that_of_qhull(points):
    spread = np.array(points, dtype=float)
    if np.linalg.matrix_rank(spread - spread[0]) < 2:
        return
    ours = convex_hull(spread)
    x, z = ours[:, 0], ours[:, 1]
    area = 0.5 * (x @ np.roll(z, -1) - z @ np.roll(x, -1))
    assert area == pytest.approx(ConvexHull(spread).volume), "counter-clockwise, so positive"


@given(st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_a_pixel_takes_the_most_frequent_of_its_samples(four):
    label = int(majority(np.array(four, dtype=np.uint8).reshape(2, 2))[0, 0])
    counts = {value: four.count(value) for value in four}
    assert counts[label] == max(counts.values())


def test_noise_is_periodic_centred_and_continuous():
    u = np.linspace(0, 1, 4001)
    assert fbm(u + 3, 0.3) == pytest.approx(fbm(u, 0.3), abs=1e-9)
    grid = np.linspace(0, 1, 512, endpoint=False)
    assert abs(fbm(grid[None], grid[:, None]).mean()) < 0.02
    assert np.abs(np.diff(fbm(u, 0.3))).max() < 0.1


def test_cell_hashes_look_uniform():
    cells = hash01(np.arange(100)[None], np.arange(100)[:, None], 5).ravel()
    assert len(np.unique(cells)) == cells.size
    counts, _ = np.histogram(cells, bins=20, range=(0, 1))
    assert ((counts - 500) ** 2 / 500).sum() < 43.8, "chi-square, 19 degrees, p = 0.001"
