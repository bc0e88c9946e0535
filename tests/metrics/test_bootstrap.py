"""Bootstrap intervals against cases whose answer is known, and their cost at full size."""

import time

import numpy as np
import pytest

from rass_bench.metrics.bootstrap import interval, paired_interval
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import ClassCounts

PSNR = get_metric("psnr/rgb")
MIOU = get_metric("miou/gt-present")
ACCURACY = get_metric("aacc")


def random_counts(rng, images, classes, quality=0.5):
    correct = rng.binomial(1000, quality, size=(images, classes))
    return ClassCounts(
        truth=np.full_like(correct, 1000),
        predicted=correct + rng.integers(500, size=correct.shape),
        correct=correct,
    )


def test_the_interval_of_a_mean_is_the_normal_one_for_many_images():
    values = np.random.default_rng(0).normal(25, 2, size=4000)
    low, high = interval(PSNR, values, seed=0, resamples=4000)
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_95_percent_intervals_cover_the_true_mean_in_95_percent_of_experiments():
    rng = np.random.default_rng(1)
    covered = 0
    for experiment in range(400):
        low, high = interval(PSNR, rng.normal(25, 2, size=80), seed=experiment, resamples=400)
        covered += low <= 25 <= high
    # Binomial(400, 0.95) has a standard deviation of 1.1 %; the percentile interval of 80 images
    # covers a little less than 95 %.
    assert 0.91 <= covered / 400 <= 0.98


def test_class_counts_are_pooled_in_each_draw_not_averaged():
    # Two images of very different size: the pooled accuracy of a draw is one of three values.
    counts = ClassCounts(
        truth=np.array([[10], [990]]),
        predicted=np.array([[10], [990]]),
        correct=np.array([[10], [0]]),
    )
    assert interval(ACCURACY, counts, seed=0) == (0.0, 1.0)
    low, high = interval(ACCURACY, counts, seed=0, level=0.2)  # the central draws hold one of each
    assert low == high == pytest.approx(10 / 1000)


def test_the_interval_equals_one_made_by_drawing_images_one_by_one():
    rng = np.random.default_rng(2)
    counts = random_counts(rng, images=30, classes=5)
    drawn = []
    for _ in range(4000):
        chosen = rng.integers(30, size=30)
        truth = counts.truth[chosen].sum(axis=0)
        predicted = counts.predicted[chosen].sum(axis=0)
        correct = counts.correct[chosen].sum(axis=0)
        drawn.append(np.mean(correct / (truth + predicted - correct)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    ours = interval(MIOU, counts, seed=0, resamples=4000)
    width = high - low
    assert ours == pytest.approx((low, high), abs=0.08 * width)


def test_equal_seeds_give_equal_intervals_and_other_seeds_others():
    values = np.random.default_rng(0).normal(size=50)
    assert interval(PSNR, values, seed=7) == interval(PSNR, values, seed=7)
    assert interval(PSNR, values, seed=7) != interval(PSNR, values, seed=8)


def test_a_number_of_resamples_that_fills_no_block_is_drawn_in_full():
    values = np.array([0.0, 1.0])
    assert interval(PSNR, values, seed=0, resamples=1, level=0.0) is not None
    assert interval(PSNR, values, seed=0, resamples=101) == (0.0, 1.0)


@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_images_have_no_interval(images):
    assert interval(PSNR, np.zeros(images), seed=0) is None
    none = np.zeros((images, 3), dtype=np.int64)
    assert interval(MIOU, ClassCounts(none, none, none), seed=0) is None
    assert paired_interval(PSNR, np.zeros(images), np.ones(images), seed=0) is None


def test_a_metric_that_no_draw_defines_has_no_interval():
    nothing = np.zeros((5, 3), dtype=np.int64)
    assert interval(MIOU, ClassCounts(nothing, nothing, nothing), seed=0) is None


def test_a_constant_gain_on_every_image_is_certain_although_the_intervals_overlap():
    before = np.random.default_rng(0).normal(25, 3, size=60)
    after = before + 0.1
    assert paired_interval(PSNR, before, after, seed=0) == pytest.approx((0.1, 0.1))
    assert interval(PSNR, before, seed=0)[1] > interval(PSNR, after, seed=0)[0]


def test_the_paired_interval_of_a_mean_is_the_normal_one_of_the_differences():
    rng = np.random.default_rng(3)
    before = rng.normal(25, 3, size=2000)
    gain = rng.normal(0.2, 0.5, size=2000)
    error = gain.std() / np.sqrt(2000)
    low, high = paired_interval(PSNR, before, before + gain, seed=0, resamples=4000)
    assert low == pytest.approx(gain.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(gain.mean() + 1.96 * error, abs=0.1 * error)


def test_swapping_the_runs_turns_the_paired_interval_round():
    rng = np.random.default_rng(4)
    worse, better = random_counts(rng, 40, 6, 0.4), random_counts(rng, 40, 6, 0.6)
    low, high = paired_interval(MIOU, worse, better, seed=0)
    assert low > 0
    assert paired_interval(MIOU, better, worse, seed=0) == pytest.approx((-high, -low))


def test_runs_of_different_lengths_are_no_pairs():
    with pytest.raises(ValueError, match="5 and 6 images"):
        paired_interval(PSNR, np.zeros(5), np.zeros(6), seed=0)


def test_an_image_without_a_value_must_be_left_out_by_the_caller():
    with pytest.raises(ValueError, match="psnr/rgb"):
        interval(PSNR, np.array([1.0, np.nan]), seed=0)


def test_values_for_a_counting_metric_are_a_mistake():
    with pytest.raises(TypeError, match="miou/gt-present"):
        interval(MIOU, np.zeros(5), seed=0)


def test_two_thousand_images_of_150_classes_take_about_a_second():
    counts = random_counts(np.random.default_rng(0), images=2000, classes=150)
    start = time.perf_counter()
    low, high = interval(MIOU, counts, seed=0)
    seconds = time.perf_counter() - start
    print(f"\n1,000 resamples of 2,000 images x 150 classes: {seconds:.2f} s")
    assert low < high
    assert seconds < 5
