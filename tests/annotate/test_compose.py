"""Regions on top of one another as one label map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rass_bench.annotate.brush_rle import encode_brush
from rass_bench.annotate.compose import compose
from rass_bench.annotate.regions import Region, read_regions
from rass_bench.errors import UserError
from rass_bench.labels import IGNORE, load_label_space

ADE = load_label_space("ade20k-150")
WHERE = "task 7, annotation 12"


def region(label, top, left, mask):
    return Region("r1", label, "brush", "manual", top, left, np.array(mask, dtype=bool))


def test_later_regions_lie_on_top_and_the_rest_is_ignore():
    below, above = region("2", 0, 0, [[1, 1], [1, 0]]), region("149", 0, 1, [[1, 1]])
    composed = compose([below, above], 2, 4, ADE, WHERE)
    assert composed.labels.tolist() == [[2, 149, 149, 255], [2, 255, 255, 255]]
    assert composed.labels.dtype == np.uint8
    assert composed.covered.tolist() == [[True, True, True, False], [True, False, False, False]]


def test_ignore_hides_what_it_covers_and_counts_as_covered():
    composed = compose(
        [region("2", 0, 0, [[1, 1]]), region("ignore", 0, 0, [[1]])], 1, 3, ADE, WHERE
    )
    assert composed.labels.tolist() == [[255, 2, 255]]
    assert composed.covered.tolist() == [[True, True, False]]


def test_without_regions_all_is_ignore_and_nothing_covered():
    composed = compose([], 3, 2, ADE, WHERE)
    assert (composed.labels == IGNORE).all()
    assert not composed.covered.any()


def test_an_erased_region_changes_nothing():
    composed = compose([region("2", 0, 0, np.zeros((0, 0)))], 2, 2, ADE, WHERE)
    assert not composed.covered.any()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 149), st.integers(0, 4), st.integers(0, 4)), max_size=6))
def test_each_pixel_has_the_label_of_the_last_region_over_it(drawn):
    regions = [region(str(label), top, left, np.ones((3, 2))) for label, top, left in drawn]
    labels = compose(regions, 7, 6, ADE, WHERE).labels
    for row in range(7):
        for column in range(6):
            over = [
                label
                for label, top, left in drawn
                if top <= row < top + 3 and left <= column < left + 2
            ]
            assert labels[row, column] == (over[-1] if over else IGNORE)


label_maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 7, 149, IGNORE]),
)


@settings(deadline=None)
@given(label_maps)
def test_a_label_map_sent_as_brushes_comes_back(labels):
    height, width = labels.shape
    result = [
        {
            "id": f"class {class_id}",
            "type": "brushlabels",
            "value": {
                "format": "rle",
                "rle": encode_brush(np.where(labels == class_id, 255, 0).astype(np.uint8)),
                "brushlabels": [str(class_id)],
            },
            "original_width": width,
            "original_height": height,
        }
        for class_id in np.unique(labels[labels != IGNORE]).tolist()
    ]
    composed = compose(read_regions(result, height, width, WHERE), height, width, ADE, WHERE)
    assert np.array_equal(composed.labels, labels)
    assert np.array_equal(composed.covered, labels != IGNORE)


@pytest.mark.parametrize(
    "label", ["150", "255", "-1", "007", " 7", "7.0", "١٣", "wall", "Ignore", "", "<script>"]
)
def test_a_label_that_is_no_class_is_refused_with_its_region(label):
    with pytest.raises(UserError, match="is no class of ade20k-150") as caught:
        compose([region(label, 0, 0, [[1]])], 2, 2, ADE, WHERE)
    assert caught.value.where == f"{WHERE}, region 'r1'"


def test_a_region_without_a_label_is_refused():
    with pytest.raises(UserError, match="a region has no label"):
        compose([region(None, 0, 0, [[1]])], 2, 2, ADE, WHERE)
