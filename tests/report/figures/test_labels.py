"""Labels in figures: none covers another or a point, and each stands nearest to its own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from rass_bench.report.figures.labels import Label, place_labels, spread
from rass_bench.report.figures.style import new_figure, paper_style

PLACE = st.floats(0, 1).map(lambda value: round(value, 3))
LABELS = st.lists(
    st.builds(
        Label, PLACE, PLACE, st.sampled_from(["rass", "scr →\nsegformer"]), st.just("#0072B2")
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=20)
@given(LABELS)
def test_labels_cover_neither_each_other_nor_a_point_nor_leave_the_axes(labels):
    with paper_style():
        figure = new_figure(3.3, 2.6)
        axes = figure.subplots()
        axes.set(xlim=(-0.2, 1.2), ylim=(-0.2, 1.2))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        left_out = place_labels(axes, labels)
        # Measured by matplotlib once they are drawn.
        figure.draw_without_rendering()
        boxes = [Text.get_window_extent(text) for text in axes.texts]  # without the leader
        frame = axes.get_window_extent()
        points = axes.transData.transform([(label.x, label.y) for label in labels])
    assert len(boxes) + len(left_out) == len(labels)
    for index, box in enumerate(boxes):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
        assert not any(box.contains(*point) for point in points)


def test_a_lone_label_stands_right_beside_its_point():
    with paper_style():
        figure = new_figure(3.3, 2.6)
        axes = figure.subplots()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        assert place_labels(axes, [Label(0.5, 0.5, "rass", "black")]) == []
        figure.draw_without_rendering()
        box = Text.get_window_extent(axes.texts[0])
        x, y = axes.transData.transform((0.5, 0.5))
    assert 0 < box.x0 - x < 30  # pixels at 300 dpi: a tenth of an inch
    assert abs((box.y0 + box.y1) / 2 - y) < 3


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.floats(0.1, 10))
def test_spread_heights_keep_their_order_and_distance_within_bounds(wanted, apart):
    heights = spread(wanted, apart, 0, 100)
    order = np.argsort(wanted, kind="stable")
    placed = np.array(heights)[order]
    room = min(apart, 100 / max(1, len(wanted) - 1))
    assert (np.diff(placed) >= room - 1e-6).all()
    assert placed.min() >= -1e-6
    assert placed.max() <= 100 + 1e-6


def test_heights_with_room_between_them_stay_where_they_are():
    assert spread([50, 10, 30], 8, 0, 100) == [50, 10, 30]
