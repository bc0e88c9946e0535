"""Majority and STAPLE: votes counted by hand, SimpleITK, and annotators of known sensitivity."""

import statistics
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate.qa.consensus import majority, staple
from rass_bench.errors import UserError

ids = st.sampled_from([0, 1, 2, 255])
opinions = st.lists(
    st.tuples(hnp.arrays(np.uint8, (3, 4), elements=ids), hnp.arrays(bool, (3, 4))),
    min_size=1,
    max_size=5,
)


def everywhere(maps):
    return [np.ones(labels.shape, dtype=bool) for labels in maps]


def row(*values):
    return np.array([values], dtype=np.uint8)


def annotator(truth, performance, rng):
    """Opinions drawn from ``performance[given, true]``."""
    draws = rng.random(truth.shape)
    return (draws[..., None] > performance.T.cumsum(axis=1)[truth]).sum(axis=-1).astype(np.uint8)


def quadrants(side=200):
    truth = np.zeros((side, side), dtype=np.uint8)
    truth[: side // 2, side // 2 :] = 1
    truth[side // 2 :] = 2
    return truth


# Majority


@settings(deadline=None, max_examples=60)
@given(opinions)
def test_majority_equals_a_count_of_votes_at_each_pixel(given_opinions):
    maps, covered = zip(*given_opinions, strict=True)
    found = majority(maps, covered, 3)
    for place in np.ndindex(maps[0].shape):
        votes = Counter(
            int(labels[place]) for labels, drawn in given_opinions if drawn[place]
        ).most_common()
        clear = votes and (len(votes) == 1 or votes[0][1] > votes[1][1])
        assert found[place] == (votes[0][0] if clear else 255)


def test_two_annotators_who_differ_leave_the_pixel_ignored():
    maps = [row(0, 1, 2, 255), row(0, 2, 255, 255)]
    assert majority(maps, everywhere(maps), 3).tolist() == [[0, 255, 255, 255]]


def test_who_drew_nothing_does_not_outvote_who_did():
    maps = [row(1), row(255), row(255)]
    covered = [np.array([[True]]), np.array([[False]]), np.array([[False]])]
    assert majority(maps, covered, 3).tolist() == [[1]]
    assert majority(maps, everywhere(maps), 3).tolist() == [[255]]


def test_a_photo_nobody_touched_is_ignored_altogether():
    maps = [row(255, 255)] * 2
    covered = [np.zeros((1, 2), dtype=bool)] * 2
    assert majority(maps, covered, 3).tolist() == [[255, 255]]
    nothing = staple(maps, covered, 3)
    assert nothing.labels.tolist() == [[255, 255]]
    assert nothing.probability.tolist() == [[0, 0]]


# STAPLE


def test_staple_of_two_classes_equals_simpleitk():
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :60]
    truth = (np.hypot(rows - 30, columns - 30) < 20).astype(np.uint8)
    raters = [
        annotator(truth, np.array([[q, 1 - p], [1 - q, p]]), rng)
        for p, q in ((0.95, 0.9), (0.8, 0.97), (0.7, 0.85), (0.9, 0.9))
    ]
    theirs = sitk.STAPLEImageFilter()
    theirs.SetForegroundValue(1)
    foreground = sitk.GetArrayFromImage(
        theirs.Execute([sitk.GetImageFromArray(labels) for labels in raters])
    )

    ours = staple(raters, everywhere(raters), 2, tolerance=1e-12, max_iterations=10_000)

    assert ours.converged
    np.testing.assert_allclose(ours.performance[:, 1, 1], theirs.GetSensitivity(), atol=1e-5)
    np.testing.assert_allclose(ours.performance[:, 0, 0], theirs.GetSpecificity(), atol=1e-5)
    probability = np.where(ours.labels == 1, ours.probability, 1 - ours.probability)
    np.testing.assert_allclose(probability, foreground, atol=1e-5)


def test_staple_recovers_annotators_of_known_performance():
    rng = np.random.default_rng(0)
    truth = quadrants()
    known = [
        np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]]),
        np.array([[0.8, 0.0, 0.1], [0.1, 0.7, 0.1], [0.1, 0.3, 0.8]]),
        np.array([[0.6, 0.2, 0.05], [0.2, 0.6, 0.05], [0.2, 0.2, 0.9]]),
        np.array([[0.95, 0.3, 0.02], [0.03, 0.6, 0.03], [0.02, 0.1, 0.95]]),
    ]
    maps = [annotator(truth, performance, rng) for performance in known]
    found = staple(maps, everywhere(maps), 3)
    assert found.converged
    assert found.ids.tolist() == [0, 1, 2]
    # A class has 10,000 pixels, so that a share has a standard error of at most 0.005.
    np.testing.assert_allclose(found.performance, known, atol=0.03)
    right = (found.labels == truth).mean()
    assert right > (majority(maps, everywhere(maps), 3) == truth).mean()
    assert right > max((labels == truth).mean() for labels in maps)


def test_staple_trusts_two_good_annotators_over_three_bad_ones():
    rng = np.random.default_rng(1)
    truth = quadrants()

    def of_accuracy(share):
        performance = np.full((3, 3), (1 - share) / 2)
        np.fill_diagonal(performance, share)
        return annotator(truth, performance, rng)

    maps = [of_accuracy(share) for share in (0.95, 0.95, 0.5, 0.5, 0.5)]
    found = staple(maps, everywhere(maps), 3)
    voted = majority(maps, everywhere(maps), 3)
    assert (found.labels == truth).mean() > (voted == truth).mean() + 0.02
    sensitivity = found.performance[:, np.arange(3), np.arange(3)].mean(axis=1)
    np.testing.assert_allclose(sensitivity, [0.95, 0.95, 0.5, 0.5, 0.5], atol=0.03)


def test_missing_opinions_leave_the_estimates_where_they_were():
    rng = np.random.default_rng(2)
    truth = quadrants()
    performance = np.full((3, 3), 0.1) + np.eye(3) * 0.7
    maps = [annotator(truth, performance, rng) for _ in range(4)]
    covered = [rng.random(truth.shape) < 0.7 for _ in maps]
    found = staple(maps, covered, 3)
    np.testing.assert_allclose(found.performance, np.stack([performance] * 4), atol=0.03)
    nobody = ~np.any(covered, axis=0)
    assert nobody.any()
    assert (found.labels[nobody] == 255).all()
    assert (found.probability[nobody] == 0).all()


def test_ignore_is_an_opinion_that_can_win():
    maps = [row(0, 255, 255, 1), row(0, 255, 1, 1), row(0, 255, 255, 1)]
    found = staple(maps, everywhere(maps), 2)
    assert found.ids.tolist() == [0, 1, 255]
    assert found.labels.tolist() == [[0, 255, 255, 1]]


@settings(deadline=None, max_examples=40)
@given(opinions)
def test_performances_and_probabilities_are_shares(given_opinions):
    maps, covered = zip(*given_opinions, strict=True)
    found = staple(maps, covered, 3, max_iterations=50)
    np.testing.assert_allclose(found.performance.sum(axis=1), 1)
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert set(np.unique(found.labels)) <= {*found.ids.tolist(), 255}


def test_annotators_who_all_agree_are_believed():
    truth = quadrants(20)
    found = staple([truth] * 3, everywhere([truth] * 3), 3)
    np.testing.assert_array_equal(found.labels, truth)
    np.testing.assert_allclose(found.performance, np.stack([np.eye(3)] * 3), atol=1e-6)


def test_the_prior_decides_between_two_annotators_of_equal_worth():
    left, right = row(0, 0, 0, 0, 1, 1, 1, 1), row(0, 0, 0, 1, 0, 1, 1, 1)
    both = [left, right]
    even = staple(both, everywhere(both), 2, prior=np.array([0.5, 0.5, 0]), max_iterations=1)
    assert even.labels[0, 3:5].tolist() == [255, 255]
    skewed = staple(both, everywhere(both), 2, prior=np.array([0.2, 0.8, 0]), max_iterations=1)
    assert skewed.labels[0, 3:5].tolist() == [1, 1]


def test_a_prior_that_rules_out_what_was_drawn_is_refused():
    maps = [row(0, 1)] * 2
    with pytest.raises(UserError, match="rules out id 1"):
        staple(maps, everywhere(maps), 2, prior=np.array([1.0, 0.0, 0.0]))


def test_a_round_limit_is_kept_and_told():
    rng = np.random.default_rng(3)
    maps = [annotator(quadrants(40), np.full((3, 3), 0.2) + np.eye(3) * 0.4, rng) for _ in range(3)]
    found = staple(maps, everywhere(maps), 3, max_iterations=2)
    assert (found.iterations, found.converged) == (2, False)


def test_no_opinion_at_all_is_refused():
    with pytest.raises(UserError, match="no opinion"):
        majority([], [], 3)


def test_coverages_of_another_size_are_refused():
    with pytest.raises(UserError, match="differ in size"):
        majority([row(0, 1)], [np.ones((1, 3), dtype=bool)], 3)


def test_three_opinions_on_a_real_photo_are_merged_in_milliseconds(shared_data):
    path = shared_data("ade20k150") / "annotations/validation/ADE_val_00001517.png"
    truth = np.asarray(Image.open(path).resize((512, 512), Image.Resampling.NEAREST)) - np.uint8(1)
    maps = [truth, np.roll(truth, 4, axis=1), np.roll(truth, 3, axis=0)]
    covered = [labels != 255 for labels in maps]
    for merge in (majority, staple):
        merge(maps, covered, 150)
        seconds = []
        for _ in range(7):
            start = time.thread_time()
            merge(maps, covered, 150)
            seconds.append(time.thread_time() - start)
        median = statistics.median(seconds)
        print(f"\n{merge.__name__} of three 512 x 512 maps: {1e3 * median:.1f} ms of CPU")
        assert median < 0.2
