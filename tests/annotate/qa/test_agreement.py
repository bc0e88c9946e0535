"""Agreement between annotators: equal to independent implementations and hand-made cases."""

import math
import statistics
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate.qa.agreement import (
    boundary_counts,
    boundary_f1,
    cohen_kappa,
    coincidences,
    compact,
    compare,
    iou_by_class,
    joint_counts,
    krippendorff_alpha,
)
from rass_bench.errors import UserError

CLASSES = 4
ids = st.sampled_from([0, 1, 2, 3, 255])
shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
pairs = shapes.flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.uint8, shape, elements=ids) for _ in range(2)])
)
stacks = shapes.flatmap(
    lambda shape: st.lists(hnp.arrays(np.uint8, shape, elements=ids), min_size=2, max_size=5)
)


def shifted(labels, pixels):
    return np.roll(labels, pixels, axis=1)


def box(top, left, bottom, right, shape=(40, 40)):
    labels = np.zeros(shape, dtype=np.uint8)
    labels[top:bottom, left:right] = 1
    return labels


@pytest.fixture(scope="module")
def street(shared_data):
    """A real ADE20K label map."""
    path = shared_data("ade20k150") / "annotations/validation/ADE_val_00000001.png"
    return np.asarray(Image.open(path)) - np.uint8(1)


# Cohen's kappa


@settings(deadline=None, max_examples=60)  # the first call compiles
@given(pairs)
def test_kappa_equals_scikit_learn(pair):
    sklearn = pytest.importorskip("sklearn.metrics")
    first, second = (labels.ravel() for labels in pair)
    both = (first != 255) & (second != 255)
    assume(both.any() and len({*first[both], *second[both]}) > 1)

    expected = sklearn.cohen_kappa_score(first[both], second[both])

    assert cohen_kappa(joint_counts(*pair, CLASSES)) == pytest.approx(expected, abs=1e-12)


def test_kappa_of_cohens_two_by_two_example():
    # 20 and 15 pixels of agreement, 5 and 10 of disagreement: p_o = 0.7, p_e = 0.5.
    first = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]).astype(np.uint8).reshape(5, 10)
    second = np.repeat([0, 1, 0, 1], [20, 5, 10, 15]).astype(np.uint8).reshape(5, 10)
    assert cohen_kappa(joint_counts(first, second, 2)) == pytest.approx(0.4)


def test_kappa_of_two_annotators_who_saw_one_class_is_undefined():
    sky = np.zeros((3, 3), np.uint8)
    assert cohen_kappa(joint_counts(sky, sky, CLASSES)) is None


def test_kappa_without_a_pixel_labelled_by_both_is_undefined():
    first = np.array([[0, 255]], np.uint8)
    assert cohen_kappa(joint_counts(first, first[:, ::-1].copy(), CLASSES)) is None


# Krippendorff's alpha


@settings(deadline=None, max_examples=60)
@given(stacks)
def test_alpha_equals_the_krippendorff_package_with_missing_values(maps):
    krippendorff = pytest.importorskip("krippendorff")
    values = np.stack([labels.ravel() for labels in maps]).astype(float)
    values[values == 255] = np.nan
    pairable = (~np.isnan(values)).sum(axis=0) >= 2
    assume(np.unique(values[:, pairable][~np.isnan(values[:, pairable])]).size > 1)

    expected = krippendorff.alpha(reliability_data=values, level_of_measurement="nominal")

    alpha = krippendorff_alpha(coincidences(maps, CLASSES))
    assert alpha == pytest.approx(expected, abs=1e-12)


def test_alpha_of_krippendorffs_own_example_with_missing_values():
    # Krippendorff 2011, section C: four observers, twelve units, five values; alpha = 0.743.
    nothing = 255
    table = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nothing, nothing, nothing],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nothing, 3],
            [nothing, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nothing],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nothing],
        ],
        dtype=np.uint8,
    )
    alpha = krippendorff_alpha(coincidences([row[None] for row in table], 6))
    assert alpha == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_a_single_class_is_undefined():
    sky = np.zeros((3, 3), np.uint8)
    assert krippendorff_alpha(coincidences([sky, sky, sky], CLASSES)) is None


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_two_annotators_take_the_same_way_as_many(pair):
    nobody = np.full_like(pair[0], 255)
    np.testing.assert_allclose(coincidences(pair, CLASSES), coincidences([*pair, nobody], CLASSES))


# Overlap


def test_iou_counts_only_pixels_that_both_labelled():
    first = np.array([[0, 0, 1, 1, 255]], np.uint8)
    second = np.array([[0, 1, 1, 255, 1]], np.uint8)
    iou = iou_by_class(joint_counts(first, second, 3))
    np.testing.assert_allclose(iou, [1 / 2, 1 / 2, np.nan])


def test_joint_counts_keep_what_one_annotator_left_out():
    first = np.array([[0, 0, 1, 255]], np.uint8)
    second = np.array([[0, 255, 255, 1]], np.uint8)
    assert joint_counts(first, second, 2).tolist() == [[1, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_sums_of_joint_counts_pool_photos():
    rng = np.random.default_rng(0)
    photos = [rng.integers(3, size=(2, 6, 7), dtype=np.uint8) for _ in range(3)]
    summed = sum(joint_counts(*photo, 3) for photo in photos)
    together = joint_counts(*np.concatenate(photos, axis=1), 3)
    np.testing.assert_array_equal(summed, together)


def test_compact_tables_add_up_to_the_full_ones():
    rng = np.random.default_rng(0)
    tables = [joint_counts(*rng.choice([0, 3, 255], size=(2, 4, 5)).astype(np.uint8), 5)] * 2
    total = np.zeros((6, 6), dtype=np.int64)
    for table in tables:
        small = compact(table)
        assert small.ids.tolist() == [0, 3, 5]
        small.add_to(total)
    np.testing.assert_array_equal(total, sum(tables))


# Boundaries


def boundary_f1_by_brute_force(first, second, classes, radius):
    """Precision and recall from all distances between boundary pixels, in plain numpy."""

    def edges(labels, class_id):
        height, width = labels.shape
        return [
            (y, x)
            for y in range(height)
            for x in range(width)
            if labels[y, x] == class_id
            and any(
                0 <= row < height and 0 <= column < width and labels[row, column] != class_id
                for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            )
        ]

    def matched(points, targets, other):
        judged = [point for point in points if other[point] != 255]
        return len(judged), sum(
            any(math.dist(point, target) <= radius for target in targets) for point in judged
        )

    scores = []
    for class_id in range(classes):
        one, two = edges(first, class_id), edges(second, class_id)
        count_one, found_one = matched(one, two, second)
        count_two, found_two = matched(two, one, first)
        if count_one + count_two == 0:
            scores.append(np.nan)
        elif found_one * found_two == 0:
            scores.append(0.0)
        else:
            precision, recall = found_one / count_one, found_two / count_two
            scores.append(2 * precision * recall / (precision + recall))
    return scores


@settings(deadline=None, max_examples=60)
@given(pairs, st.sampled_from([1.0, 2.0, 2.5]))
def test_boundary_f1_equals_its_definition(pair, radius):
    tolerance = radius / math.hypot(*pair[0].shape) * (1 + 1e-12)
    f1 = boundary_f1(boundary_counts(*pair, CLASSES, tolerance))
    np.testing.assert_allclose(f1, boundary_f1_by_brute_force(*pair, CLASSES, radius))


def test_a_shift_within_the_tolerance_costs_nothing_and_one_beyond_it_does():
    truth = box(10, 10, 30, 30)
    three_pixels = 3.01 / math.hypot(40, 40)
    near = boundary_f1(boundary_counts(truth, box(10, 13, 30, 33), 2, three_pixels))
    far = boundary_f1(boundary_counts(truth, box(10, 17, 30, 37), 2, three_pixels))
    np.testing.assert_array_equal(near, [1, 1])
    assert (far < 0.9).all()


def test_the_frame_of_the_photo_is_no_boundary():
    sky = np.zeros((20, 20), np.uint8)
    assert np.isnan(boundary_f1(boundary_counts(sky, sky, 1))).all()


def test_a_boundary_that_only_one_annotator_drew_scores_zero():
    assert boundary_f1(boundary_counts(box(10, 10, 30, 30), box(0, 0, 0, 0), 2)).tolist() == [0, 0]


def test_boundaries_in_a_part_that_the_other_left_blank_are_not_judged():
    left = box(5, 5, 15, 12)
    both = left.copy()
    both[20:35, 25:35] = 1
    left[:, 20:] = 255
    both_sides = boundary_counts(both, left, 2)
    assert both_sides.first[1] == both_sides.first_matched[1] == 2 * (10 + 7) - 4


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_which_annotator_comes_first_changes_no_measure(pair):
    one, other = compare(*pair, CLASSES), compare(*pair[::-1], CLASSES)
    assert one.kappa == pytest.approx(other.kappa, nan_ok=True)
    assert (one.mean_iou, one.both_labelled) == (other.mean_iou, other.both_labelled)
    np.testing.assert_array_equal(one.class_boundary_f1, other.class_boundary_f1)


# All together


def test_an_annotator_agrees_with_herself_completely(street):
    same = compare(street, street, 150)
    assert same.pixel_agreement == same.kappa == same.mean_iou == same.boundary_f1 == 1
    assert same.one_labelled == 0


def test_agreement_falls_as_a_real_mask_is_shifted_further(street):
    found = [compare(street, shifted(street, by), 150) for by in (0, 2, 4, 8, 16)]
    for measure in ("kappa", "mean_iou", "boundary_f1", "pixel_agreement"):
        values = [getattr(one, measure) for one in found]
        assert values == sorted(values, reverse=True)
        assert values[-1] < values[0]


def test_a_relabelled_class_is_found_by_its_iou(street):
    class_id = int(np.bincount(street[street != 255]).argmax())
    unused = next(one for one in range(150) if not (street == one).any())
    other = np.where(street == class_id, np.uint8(unused), street)
    found = compare(street, other, 150)
    assert found.class_iou[class_id] == found.class_iou[unused] == 0
    kept = [one for one in np.unique(street) if one not in (class_id, 255)]
    np.testing.assert_array_equal(found.class_iou[kept], 1)


def test_maps_of_different_sizes_are_refused_with_both_sizes():
    with pytest.raises(UserError, match="4 x 5 and 5 x 4"):
        compare(np.zeros((5, 4), np.uint8), np.zeros((4, 5), np.uint8), 3)


def test_an_id_that_is_no_class_is_named():
    with pytest.raises(UserError, match=r"class id 3; ids are 0\.\.2 and 255"):
        compare(np.zeros((5, 4), np.uint8), np.full((5, 4), 3, np.uint8), 3)


def test_a_pair_of_512_pixels_is_compared_in_milliseconds(street):
    first = np.asarray(Image.fromarray(street).resize((512, 512), Image.Resampling.NEAREST))
    second = shifted(first, 6)
    compare(first, second, 150)
    seconds = []
    for _ in range(15):
        start = time.thread_time()
        compare(first, second, 150)
        coincidences([first, second], 150)
        seconds.append(time.thread_time() - start)
    print(f"\nagreement of a 512 x 512 pair: {1e3 * statistics.median(seconds):.1f} ms of CPU")
    assert statistics.median(seconds) < 0.05
