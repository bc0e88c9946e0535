"""Label quality against a model: equal to cleanlab, blind to ignore, frugal with memory."""

import statistics
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rass_bench.annotate.qa.quality import (
    class_probabilities,
    label_quality,
    score_confidence,
    self_confidence,
)
from rass_bench.errors import UserError


def random_case(seed, classes=5, shape=(12, 15)):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), size=shape).transpose(2, 0, 1)
    return rng.integers(classes, size=shape, dtype=np.uint8), probabilities.astype(np.float32)


@pytest.fixture(scope="module")
def street(shared_data):
    """A real ADE20K label map, and a model that gives its classes 80 %."""
    path = shared_data("ade20k150") / "annotations/validation/ADE_val_00000001.png"
    truth = np.asarray(Image.open(path).resize((160, 120), Image.Resampling.NEAREST)) - np.uint8(1)
    known = np.where(truth == 255, 0, truth)
    probabilities = np.full((150, *truth.shape), 0.2 / 149, dtype=np.float32)
    np.put_along_axis(probabilities, known[None].astype(np.int64), 0.8, axis=0)
    return truth, probabilities


def test_the_score_equals_cleanlabs_where_nothing_is_ignored():
    rank = pytest.importorskip("cleanlab.segmentation.rank")
    for seed in range(5):
        labels, probabilities = random_case(seed)
        expected, _ = rank.get_label_quality_scores(
            labels[None].astype(np.int64), probabilities[None], method="softmin", verbose=False
        )
        assert label_quality(labels, probabilities) == pytest.approx(expected[0], rel=1e-9)


@settings(deadline=None, max_examples=30)  # the first call compiles
@given(st.integers(0, 1000), st.floats(0, 0.95))
def test_ignored_pixels_count_as_if_they_were_cut_out(seed, share):
    labels, probabilities = random_case(seed)
    ignored = np.random.default_rng(seed + 1).random(labels.shape) < share
    kept = labels[~ignored]
    masked = np.where(ignored, np.uint8(255), labels)
    if not kept.size:
        assert label_quality(masked, probabilities) is None
        return
    cut = label_quality(kept[None], probabilities[:, ~ignored][:, None])
    assert label_quality(masked, probabilities) == pytest.approx(cut, rel=1e-12)


def test_at_full_size_the_confidence_is_the_label_s_own_probability():
    labels, probabilities = random_case(0)
    labels[3, 4] = 255
    confidence = self_confidence(labels, probabilities)
    for place in np.ndindex(labels.shape):
        if labels[place] == 255:
            assert np.isnan(confidence[place])
        else:
            assert confidence[place] == probabilities[labels[place]][place]


@pytest.mark.parametrize("size", [(24, 30), (29, 31), (7, 8)])
def test_probabilities_at_a_stride_are_interpolated_as_torch_does(size):
    torch = pytest.importorskip("torch")
    _, coarse = random_case(3)
    labels = np.random.default_rng(0).integers(5, size=size, dtype=np.uint8)
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None], size, mode="bilinear", align_corners=False
    )[0].numpy()
    expected = np.take_along_axis(wide, labels[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(self_confidence(labels, coarse), expected, atol=1e-5)


def test_padding_is_left_out():
    labels, probabilities = random_case(4)
    padded = np.pad(probabilities, ((0, 0), (0, 8), (0, 5)))
    valid = labels.shape[0] / padded.shape[1], labels.shape[1] / padded.shape[2]
    np.testing.assert_allclose(
        self_confidence(labels, padded, valid), self_confidence(labels, probabilities), atol=1e-5
    )


def test_softmax_of_large_scores_is_finite_and_sums_to_one():
    logits = np.array([1e4, 0, -1e4], dtype=np.float32).reshape(3, 1, 1)
    probabilities = class_probabilities(logits)
    assert probabilities.ravel().tolist() == [1, 0, 0]
    assert logits.ravel().tolist() == [1e4, 0, -1e4]


def test_the_score_falls_with_the_area_that_a_real_mask_gets_wrong(street):
    truth, probabilities = street
    scores = []
    for wrong in (0, 10, 30, 60):
        labels = truth.copy()
        labels[:wrong, :wrong] = 149
        scores.append(label_quality(labels, probabilities))
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(0.8)
    assert scores[-1] < 0.2


def test_a_photo_without_a_label_has_no_score(street):
    truth, probabilities = street
    assert label_quality(np.full_like(truth, 255), probabilities) is None
    assert score_confidence(np.full((2, 2), np.nan, dtype=np.float32)) is None


def test_class_scores_in_place_of_probabilities_are_refused():
    labels, probabilities = random_case(0)
    with pytest.raises(UserError, match=r"outside 0\.\.1"):
        label_quality(labels, np.log(probabilities + 1e-9))
    with pytest.raises(UserError, match=r"outside 0\.\.1"):
        label_quality(labels, np.full_like(probabilities, np.nan))


def test_a_class_that_the_model_does_not_know_is_named():
    labels, probabilities = random_case(0)
    with pytest.raises(UserError, match="class id 4 and the model knows 4 classes"):
        label_quality(np.full_like(labels, 4), probabilities[:4])


def test_memory_grows_with_the_photo_and_not_with_the_classes():
    labels = np.zeros((256, 256), dtype=np.uint8)
    probabilities = np.full((150, 256, 256), 1 / 150, dtype=np.float32)
    label_quality(labels, probabilities)
    tracemalloc.start()
    start = time.thread_time()
    label_quality(labels, probabilities)
    seconds = time.thread_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < probabilities.nbytes / 10
    assert seconds < 0.1


def test_150_classes_at_a_stride_of_4_take_milliseconds():
    labels = np.random.default_rng(0).integers(150, size=(512, 512), dtype=np.uint8)
    logits = np.random.default_rng(1).normal(size=(150, 128, 128)).astype(np.float32)
    seconds = []
    for _ in range(7):
        start = time.thread_time()
        label_quality(labels, class_probabilities(logits))
        seconds.append(time.thread_time() - start)
    median = statistics.median(seconds)
    print(f"\nlabel quality at 512 x 512, 150 classes at stride 4: {1e3 * median:.1f} ms of CPU")
    assert median < 0.3
