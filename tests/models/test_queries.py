"""Rows taken in chunks give the labels of the reference implementations' order of operations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from rass_bench.models import queries
from rass_bench.models.protocols import ScoreWindow
from rass_bench.models.queries import argmax_windows

CLASSES, QUERIES = 7, 5


def _bilinear(values, size):
    return interpolate(values[None], size=size, mode="bilinear", align_corners=False)[0]


def _straightforward(windows, canvas, valid, height, width):
    """Everything at full size, as the papers' code has it; scores (K, height, width)."""
    total = torch.zeros((CLASSES, *canvas), dtype=torch.float64)
    count = torch.zeros(canvas, dtype=torch.float64)
    for one in windows:
        scores = _bilinear(torch.from_numpy(one.values).double(), (one.height, one.width))
        if one.classes is not None:
            classes = torch.from_numpy(one.classes).double()
            scores = torch.einsum("qk,qhw->khw", classes, scores.sigmoid())
        place = (slice(one.top, one.top + one.height), slice(one.left, one.left + one.width))
        total[(slice(None), *place)] += scores
        count[place] += 1
    return _bilinear((total / count)[:, : valid[0], : valid[1]], (height, width))


def _assert_equal_labels(found, scores):
    """Labels equal wherever the best class leads by more than float32 resolves.

    Returns:
        The share of the photo where it does.
    """
    best = scores.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-5).numpy()
    assert (found[clear] == scores.argmax(dim=0).numpy()[clear]).all()
    return clear.mean()


def _masks(generator, rows, columns):
    values = generator.normal(scale=4, size=(QUERIES, rows, columns)).astype(np.float32)
    classes = generator.dirichlet(np.ones(CLASSES + 1), QUERIES)[:, :-1].astype(np.float32)
    return values, classes


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(1, 130),
    st.integers(1, 130),
    st.data(),
)
def test_queries_over_a_padded_photo(rows, columns, height, width, data):
    canvas = rows * 4, columns * 4
    valid = data.draw(st.integers(1, canvas[0])), data.draw(st.integers(1, canvas[1]))
    masks, classes = _masks(np.random.default_rng(rows), rows, columns)
    windows = (ScoreWindow(0, 0, *canvas, masks, classes),)
    found = argmax_windows(windows, valid, height, width)
    assert found.shape == (height, width)
    assert found.dtype == np.uint8
    _assert_equal_labels(found, _straightforward(windows, canvas, valid, height, width))


@pytest.mark.parametrize("with_queries", [True, False])
@pytest.mark.parametrize("size", [(64, 101), (150, 240)])
def test_overlapping_windows_are_averaged(with_queries, size):
    generator = np.random.default_rng(3)
    canvas = (64, 101)
    windows = []
    for left in (0, 23, 37):
        values, classes = _masks(generator, 16, 16)
        if not with_queries:
            values, classes = generator.normal(size=(CLASSES, 16, 16)).astype(np.float32), None
        windows.append(ScoreWindow(0, left, 64, 64, values, classes))
    found = argmax_windows(tuple(windows), canvas, *size)
    scores = _straightforward(windows, canvas, canvas, *size)
    assert _assert_equal_labels(found, scores) > 0.99


def test_the_chunk_size_changes_nothing(monkeypatch):
    masks, classes = _masks(np.random.default_rng(1), 20, 30)
    windows = (ScoreWindow(0, 0, 80, 120, masks, classes),)
    labels = []
    for rows in (1, 7, 1000):
        monkeypatch.setattr(queries, "ROWS", rows)
        labels.append(argmax_windows(windows, (75, 118), 131, 97))
    assert (labels[0] == labels[2]).all()
    assert (labels[1] == labels[2]).all()


def test_a_tie_goes_to_the_lowest_class():
    values = np.zeros((CLASSES, 4, 4), np.float32)
    values[[2, 5]] = 1
    assert (argmax_windows((ScoreWindow(0, 0, 16, 16, values),), (16, 16), 33, 9) == 2).all()


def test_scores_of_150_classes_are_never_held_at_full_size(monkeypatch):
    """Each interpolation sees a chunk of rows, whatever the photo's size."""
    heights = []
    original = torch.nn.functional.interpolate

    def spy(source, size, **options):
        heights.append(size[0])
        return original(source, size, **options)

    monkeypatch.setattr(torch.nn.functional, "interpolate", spy)
    values = np.random.default_rng(0).normal(size=(CLASSES, 32, 32)).astype(np.float32)
    argmax_windows((ScoreWindow(0, 0, 128, 128, values),), (128, 128), 300, 200)
    assert heights
    assert max(heights) <= queries.ROWS + 1
