"""Class probabilities of a photo: of class scores, of windows, and of queries."""

import numpy as np
import pytest
import scipy.special
import torch
from torch.nn.functional import interpolate

from rass_bench.annotate.probabilities import STRIDE, predict_probabilities
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from rass_bench.models.protocols import ModelSpec, ScoreWindow, SizeRule
from tests.annotate.builders import Stripes

CLASSES = load_label_space("camvid-11").size
PHOTO = np.zeros((24, 40, 3), dtype=np.uint8)


class Fixed:
    """A segmenter whose answer is given."""

    def __init__(self, answer, rule=None):
        self.parameters = None
        self.answer = answer
        self.spec = ModelSpec(
            name="fixed",
            revision="1",
            title="fixed",
            licence="CC0-1.0",
            label_space="camvid-11",
            size_rule=rule or SizeRule(),
        )

    def predict(self, images):
        return [self.answer] * len(images)


def random(*shape, seed=0, scale=4.0):
    values = np.random.default_rng(seed).normal(scale=scale, size=shape)
    return values.astype(np.float32)


def bilinear(values, size):
    return interpolate(torch.from_numpy(values)[None], size, mode="bilinear")[0].numpy()


def test_class_scores_become_their_softmax_at_their_own_stride():
    scores = random(CLASSES, 6, 10, scale=30)
    found = predict_probabilities(Fixed(scores.copy()), PHOTO)
    assert found.values == pytest.approx(scipy.special.softmax(scores, axis=0), abs=1e-6)
    assert (found.values.shape, found.valid) == ((CLASSES, 6, 10), (1.0, 1.0))


def test_padding_is_told_as_the_fraction_that_the_photo_covers():
    scores = random(CLASSES, 8, 16)
    found = predict_probabilities(Fixed(scores, SizeRule(multiple_of=32)), PHOTO)
    assert found.valid == (24 / 32, 40 / 64)
    assert found.values.shape == (CLASSES, 8, 16)


def test_windows_of_scores_are_averaged_where_they_overlap():
    left = ScoreWindow(0, 0, 24, 24, random(CLASSES, 6, 6, seed=1))
    right = ScoreWindow(0, 16, 24, 24, random(CLASSES, 6, 6, seed=2))
    found = predict_probabilities(Fixed((left, right)), PHOTO)
    total, count = np.zeros((CLASSES, 24, 40), np.float32), np.zeros((24, 40), np.float32)
    for window in (left, right):
        columns = slice(window.left, window.left + window.width)
        total[:, :, columns] += bilinear(window.values, (24, 24))
        count[:, columns] += 1
    scores = bilinear(total / count, (24 // STRIDE, 40 // STRIDE))
    assert found.values == pytest.approx(scipy.special.softmax(scores, axis=0), abs=1e-5)
    assert found.valid == (1.0, 1.0)


def test_queries_become_the_share_of_their_masks_and_padding_is_cut_off():
    classes = scipy.special.softmax(random(5, CLASSES, seed=3), axis=1).astype(np.float32)
    window = ScoreWindow(0, 0, 32, 64, random(5, 8, 16, seed=4), classes)
    found = predict_probabilities(Fixed((window,), SizeRule(multiple_of=32)), PHOTO)
    masks = scipy.special.expit(bilinear(window.values, (32, 64)))
    scores = np.einsum("qk,qhw->khw", classes, masks)[:, :24, :40]
    scores = bilinear(np.ascontiguousarray(scores), (24 // STRIDE, 40 // STRIDE))
    assert found.values == pytest.approx(scores / scores.sum(axis=0), abs=1e-5)
    assert found.values.sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_where_no_query_has_a_mask_no_class_is_likelier():
    classes = np.full((2, CLASSES), 1 / CLASSES, dtype=np.float32)
    empty = np.full((2, 6, 10), -1e4, dtype=np.float32)
    found = predict_probabilities(Fixed((ScoreWindow(0, 0, 24, 40, empty, classes),)), PHOTO)
    assert (found.values == np.float32(1 / CLASSES)).all()


def test_a_photo_smaller_than_the_stride_has_one_probability():
    window = ScoreWindow(0, 0, 3, 2, random(CLASSES, 1, 1))
    found = predict_probabilities(Fixed((window,)), PHOTO[:3, :2])
    expected = scipy.special.softmax(window.values, axis=0)
    assert found.values == pytest.approx(expected, abs=1e-6)


def test_a_model_that_tells_labels_alone_is_refused_with_what_to_use():
    with pytest.raises(UserError) as caught:
        predict_probabilities(Stripes(), PHOTO)
    assert str(caught.value).startswith("the model answers with labels and tells no class scores")
    assert "stripes@1" in str(caught.value)


def test_an_answer_that_breaks_the_contract_names_the_model():
    with pytest.raises(UserError, match="fixed@1"):
        predict_probabilities(Fixed(random(CLASSES + 1, 6, 10)), PHOTO)
