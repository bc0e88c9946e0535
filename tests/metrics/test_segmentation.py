"""Segmentation metrics against slow counts, torchmetrics, and the identities they must obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rass_bench.metrics.confusion import count_classes
from rass_bench.metrics.registry import ClassCounts
from rass_bench.metrics.segmentation import (
    frequency_weighted_iou,
    iou_per_class,
    mean_accuracy,
    miou_gt_present,
    miou_union,
    pixel_accuracy,
)

CLASSES = 6
ALL = [miou_gt_present, miou_union, mean_accuracy, pixel_accuracy, frequency_weighted_iou]

ids = st.integers(0, CLASSES - 1)
images = st.lists(
    st.tuples(
        hnp.arrays(np.uint8, (3, 5), elements=ids | st.just(255)),
        hnp.arrays(np.uint8, (3, 5), elements=ids),
    ),
    min_size=1,
    max_size=5,
)


def pooled(pairs):
    each = [count_classes(truth, predicted, CLASSES) for truth, predicted in pairs]
    return ClassCounts(
        truth=sum(counts.truth for counts in each),
        predicted=sum(counts.predicted for counts in each),
        correct=sum(counts.correct for counts in each),
    )


def expected_metrics(pairs):
    """All metrics from sets of pixels, class by class, in plain Python."""
    truth = np.concatenate([pair[0].ravel() for pair in pairs])
    predicted = np.concatenate([pair[1].ravel() for pair in pairs])[truth != 255]
    truth = truth[truth != 255]
    iou, recall, share = {}, {}, {}
    for k in range(CLASSES):
        is_true = {i for i, value in enumerate(truth) if value == k}
        is_predicted = {i for i, value in enumerate(predicted) if value == k}
        if is_true | is_predicted:
            iou[k] = len(is_true & is_predicted) / len(is_true | is_predicted)
        if is_true:
            recall[k] = len(is_true & is_predicted) / len(is_true)
            share[k] = len(is_true) / len(truth)
    mean = lambda values: sum(values) / len(values) if values else np.nan  # noqa: E731
    return iou, {
        miou_gt_present: mean([iou[k] for k in recall]),
        miou_union: mean(list(iou.values())),
        mean_accuracy: mean(list(recall.values())),
        pixel_accuracy: sum(recall[k] * share[k] for k in share) if share else np.nan,
        frequency_weighted_iou: sum(iou[k] * share[k] for k in share) if share else np.nan,
    }


@settings(deadline=None)
@given(images)
def test_every_metric_equals_its_definition_on_sets_of_pixels(pairs):
    iou, expected = expected_metrics(pairs)
    counts = pooled(pairs)
    per_class = iou_per_class(counts)
    for k in range(CLASSES):
        assert per_class[k] == pytest.approx(iou.get(k, np.nan), nan_ok=True)
    for metric in ALL:
        assert float(metric(counts)) == pytest.approx(expected[metric], nan_ok=True)


@settings(deadline=None)
@given(images, st.randoms(use_true_random=False))
def test_the_order_of_images_changes_nothing(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    for metric in ALL:
        np.testing.assert_array_equal(metric(pooled(pairs)), metric(pooled(shuffled)))


@settings(deadline=None)
@given(images)
def test_union_is_gt_present_scaled_by_the_share_of_true_classes(pairs):
    counts = pooled(pairs)
    in_truth, in_either = counts.truth > 0, counts.truth + counts.predicted > 0
    if in_truth.any():
        scaled = miou_gt_present(counts) * in_truth.sum() / in_either.sum()
        assert float(miou_union(counts)) == pytest.approx(float(scaled))


@settings(deadline=None)
@given(images)
def test_a_perfect_prediction_scores_one(pairs):
    counts = pooled([(truth, np.where(truth == 255, 0, truth)) for truth, _ in pairs])
    expected = 1 if counts.truth.any() else np.nan
    for metric in ALL:
        assert float(metric(counts)) == pytest.approx(expected, nan_ok=True)


def test_leading_axes_are_scored_side_by_side():
    rng = np.random.default_rng(0)
    correct = rng.integers(5, size=(2, 3, CLASSES))
    counts = ClassCounts(
        truth=correct + rng.integers(5, size=correct.shape),
        predicted=correct + rng.integers(5, size=correct.shape),
        correct=correct,
    )
    for metric in ALL:
        together = metric(counts)
        assert together.shape == (2, 3)
        one = ClassCounts(counts.truth[1, 2], counts.predicted[1, 2], counts.correct[1, 2])
        assert together[1, 2] == metric(one)


def test_without_a_labelled_pixel_every_metric_is_undefined_not_zero():
    nothing = np.zeros(CLASSES, dtype=np.int64)
    for metric in ALL:
        assert np.isnan(metric(ClassCounts(nothing, nothing, nothing)))
    assert np.isnan(iou_per_class(ClassCounts(nothing, nothing, nothing))).all()


def test_miou_agrees_with_torchmetrics_jaccard_when_classes_are_missing():
    torch = pytest.importorskip("torch")
    torchmetrics = pytest.importorskip("torchmetrics")
    rng = np.random.default_rng(0)
    truth = rng.choice(np.array([0, 1, 2, 255], np.uint8), size=(40, 50))
    predicted = rng.choice(np.array([1, 2, 3], np.uint8), size=(40, 50))  # 0 missed, 3 invented
    counts = count_classes(truth, predicted, CLASSES)
    jaccard = torchmetrics.classification.MulticlassJaccardIndex(
        CLASSES, average="macro", ignore_index=255
    )
    theirs = float(jaccard(torch.from_numpy(predicted), torch.from_numpy(truth)))
    assert float(miou_union(counts)) == pytest.approx(theirs, abs=1e-6)
    assert float(miou_gt_present(counts)) == pytest.approx(theirs * 4 / 3, abs=1e-6)


def test_labels_shifted_by_one_drop_the_score_below_chance():
    rng = np.random.default_rng(0)
    truth = rng.integers(149, size=(60, 80), dtype=np.uint8)
    right = count_classes(truth, truth, 150)
    shifted = count_classes(truth, truth + np.uint8(1), 150)
    assert float(miou_gt_present(right)) == 1
    assert float(miou_gt_present(shifted)) == 0
