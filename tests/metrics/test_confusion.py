"""Counting pixels per class: equal to an independent count, strict about ids and sizes."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rass_bench.errors import UserError
from rass_bench.metrics.confusion import confusion_matrix, count_classes


def count_pixel_by_pixel(truth, predicted, classes):
    matrix = np.zeros((classes, classes), dtype=np.int64)
    for true_id, predicted_id in zip(truth.flat, predicted.flat, strict=True):
        if true_id != 255:
            matrix[true_id, predicted_id] += 1
    return matrix


def photo_like_maps(rng, classes=150, height=512, width=683):
    """Regions of about 30 pixels, a prediction that is right for 70 %, 5 % ignored."""
    coarse = rng.integers(classes, size=(height // 30 + 1, width // 30 + 1), dtype=np.uint8)
    truth = coarse.repeat(30, axis=0).repeat(30, axis=1)[:height, :width].copy()
    predicted = truth.copy()
    wrong = rng.random(truth.shape) < 0.3
    predicted[wrong] = rng.integers(classes, size=int(wrong.sum()))
    truth[rng.random(truth.shape) < 0.05] = 255
    return truth, predicted


@settings(deadline=None)  # the first call compiles
@given(
    data=st.data(),
    classes=st.integers(1, 255),
    shape=hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
)
def test_counts_equal_a_count_pixel_by_pixel(data, classes, shape):
    ids = st.integers(0, classes - 1)
    truth = data.draw(hnp.arrays(np.uint8, shape, elements=ids | st.just(255)))
    predicted = data.draw(hnp.arrays(np.uint8, shape, elements=ids))

    expected = count_pixel_by_pixel(truth, predicted, classes)

    np.testing.assert_array_equal(confusion_matrix(truth, predicted, classes), expected)
    counts = count_classes(truth, predicted, classes)
    np.testing.assert_array_equal(counts.truth, expected.sum(axis=1))
    np.testing.assert_array_equal(counts.predicted, expected.sum(axis=0))
    np.testing.assert_array_equal(counts.correct, expected.diagonal())
    assert counts.truth.dtype == counts.predicted.dtype == counts.correct.dtype == np.int64


def test_a_wrong_prediction_on_an_ignored_pixel_costs_nothing():
    truth = np.array([[0, 255]], dtype=np.uint8)
    counts = count_classes(truth, np.array([[0, 1]], dtype=np.uint8), 2)
    assert counts.predicted.tolist() == [1, 0]


@pytest.mark.parametrize("true_id", [0, 255])
@pytest.mark.parametrize("predicted_id", [3, 255])
def test_a_predicted_id_out_of_range_is_named_wherever_it_stands(true_id, predicted_id):
    truth = np.array([[1, true_id]], dtype=np.uint8)
    predicted = np.array([[1, predicted_id]], dtype=np.uint8)
    with pytest.raises(UserError, match=rf"prediction holds class id {predicted_id} in 1 pixels"):
        count_classes(truth, predicted, 3)


def test_a_label_id_out_of_range_is_named():
    with pytest.raises(UserError, match=r"label map holds class id 3 .* ids are 0\.\.2"):
        count_classes(np.full((2, 2), 3, np.uint8), np.zeros((2, 2), np.uint8), 3)


def test_maps_of_different_sizes_are_refused_with_both_sizes():
    with pytest.raises(UserError, match="prediction is 5 x 4 and the label map 4 x 5"):
        count_classes(np.zeros((5, 4), np.uint8), np.zeros((4, 5), np.uint8), 3)


def test_a_prediction_of_wide_integers_is_refused():
    with pytest.raises(UserError, match="int32"):
        count_classes(np.zeros((4, 4), np.uint8), np.full((4, 4), -1, np.int32), 3)


def test_a_view_with_strides_counts_like_its_copy():
    truth, predicted = photo_like_maps(np.random.default_rng(0))
    view = count_classes(truth[::2, ::3], predicted[::2, ::3], 150)
    copy = count_classes(truth[::2, ::3].copy(), predicted[::2, ::3].copy(), 150)
    np.testing.assert_array_equal(view.correct, copy.correct)


def test_counts_equal_torchmetrics_in_a_fraction_of_its_time():
    torch = pytest.importorskip("torch")
    torchmetrics = pytest.importorskip("torchmetrics")
    torch.set_num_threads(1)
    truth, predicted = photo_like_maps(np.random.default_rng(0))
    theirs = torchmetrics.classification.MulticlassConfusionMatrix(150, ignore_index=255)
    truth_tensor, predicted_tensor = torch.from_numpy(truth), torch.from_numpy(predicted)

    def run_theirs():
        theirs.reset()
        theirs.update(predicted_tensor, truth_tensor)
        return theirs.compute().numpy()

    np.testing.assert_array_equal(confusion_matrix(truth, predicted, 150), run_theirs())
    ours_ms = milliseconds(lambda: count_classes(truth, predicted, 150), repeats=15)
    theirs_ms = milliseconds(run_theirs, repeats=5)
    print(f"\ncounting 512 x 683, 150 classes: {ours_ms:.2f} ms; torchmetrics {theirs_ms:.1f} ms")
    assert ours_ms < 0.2 * theirs_ms


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    """Median time of one call, the first call left out."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)
