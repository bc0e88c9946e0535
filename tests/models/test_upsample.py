"""Fused upsampling and argmax: torch's labels, pixel for pixel, at a fraction of its time."""

import statistics
import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.models.upsample import argmax_upsampled

torch = pytest.importorskip("torch")


def torch_labels(logits, height, width):
    tensor = torch.from_numpy(logits)[None]
    full = torch.nn.functional.interpolate(
        tensor, size=(height, width), mode="bilinear", align_corners=False
    )
    return full[0].argmax(dim=0).numpy().astype(np.uint8)


def scene_like_logits(rng, classes, rows, columns):
    """Blobs of several cells a class, with a little noise, as a network's scores are."""
    blobs = [
        cv2.resize(
            rng.standard_normal((8, 11)).astype(np.float32),
            (columns, rows),
            interpolation=cv2.INTER_CUBIC,
        )
        for _ in range(classes)
    ]
    noise = 0.1 * rng.standard_normal((classes, rows, columns))
    return (3 * np.stack(blobs) + noise).astype(np.float32)


def white_noise(rng, classes, rows, columns):
    return rng.standard_normal((classes, rows, columns)).astype(np.float32)


@pytest.mark.parametrize("make", [scene_like_logits, white_noise])
@pytest.mark.parametrize(
    ("rows", "columns", "height", "width"),
    [
        (128, 171, 512, 683),  # a network of stride 4
        (65, 65, 513, 600),
        (16, 22, 333, 517),
        (1, 1, 90, 100),
        (1, 40, 200, 300),
        (128, 171, 128, 171),  # nothing to resize
        (128, 171, 100, 60),  # a photo smaller than the scores
    ],
)
def test_labels_equal_torch_pixel_for_pixel(make, rows, columns, height, width):
    logits = make(np.random.default_rng(rows + width), 40, rows, columns)
    np.testing.assert_array_equal(
        argmax_upsampled(logits, height, width), torch_labels(logits, height, width)
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    # Three classes on one thread take another kernel of torch, which rounds differently.
    classes=st.sampled_from([1, 2, 4, 5, 8]),
    stride_shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    height=st.integers(65, 90),
    width=st.integers(65, 90),
)
def test_ties_go_to_the_lowest_class_as_in_torch(seed, classes, stride_shape, height, width):
    # Scores of few distinct values make most comparisons a tie.
    rng = np.random.default_rng(seed)
    logits = rng.integers(-1, 2, size=(classes, *stride_shape)).astype(np.float32)
    np.testing.assert_array_equal(
        argmax_upsampled(logits, height, width), torch_labels(logits, height, width)
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e4, 1e30])
def test_labels_do_not_depend_on_the_magnitude_of_scores(scale):
    logits = white_noise(np.random.default_rng(3), 20, 12, 13) * np.float32(scale)
    np.testing.assert_array_equal(
        argmax_upsampled(logits, 100, 110), torch_labels(logits, 100, 110)
    )


def test_leads_of_one_rounding_are_decided_as_in_torch():
    # One class leads everywhere by one unit in the last place: interpolation may round it to a
    # tie, which the lower class then wins. A shortcut that skipped such cells would differ.
    rng = np.random.default_rng(5)
    lower = (1 + rng.random((24, 24))).astype(np.float32)
    logits = np.stack([lower, np.nextafter(lower, np.float32(9))])
    expected = torch_labels(logits, 200, 210)
    assert set(np.unique(expected)) == {0, 1}
    np.testing.assert_array_equal(argmax_upsampled(logits, 200, 210), expected)


def test_small_outputs_where_torch_rounds_in_another_order_differ_in_near_ties_only():
    logits = white_noise(np.random.default_rng(4), 30, 12, 12)
    ours, theirs = argmax_upsampled(logits, 60, 60), torch_labels(logits, 60, 60)
    assert (ours == theirs).mean() > 0.999


def test_a_photo_in_the_corner_of_a_padded_canvas_reads_only_its_own_scores():
    # The canvas is 64 x 64 at stride 4; the photo covers the top left 40 x 52 of it.
    logits = scene_like_logits(np.random.default_rng(1), 12, 16, 16)
    cropped = torch_labels(logits, 640, 640)[:400, :520]  # tenfold over the canvas, then cropped
    np.testing.assert_array_equal(
        argmax_upsampled(logits, 400, 520, valid=(40 / 64, 52 / 64)), cropped
    )


def test_a_strided_view_is_read_as_its_copy():
    logits = white_noise(np.random.default_rng(2), 9, 20, 30)
    view = logits[:, ::2, ::3]
    np.testing.assert_array_equal(
        argmax_upsampled(view, 80, 90), argmax_upsampled(view.copy(), 80, 90)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(value):
    logits = np.zeros((3, 4, 4), dtype=np.float32)
    logits[1, 2, 3] = value
    with pytest.raises(UserError, match="NaN or infinite"):
        argmax_upsampled(logits, 8, 8)


def test_more_classes_than_an_8_bit_map_holds_are_refused():
    with pytest.raises(UserError, match="256 classes"):
        argmax_upsampled(np.zeros((256, 2, 2), dtype=np.float32), 4, 4)


@pytest.mark.parametrize(("make", "bound"), [(scene_like_logits, 0.2), (white_noise, 1.0)])
def test_time_against_torch_on_one_thread(make, bound):
    torch.set_num_threads(1)
    logits = make(np.random.default_rng(0), 150, 128, 171)
    ours, theirs = [], []
    for _ in range(6):  # taken in turn, so that a busy machine slows both
        start = time.perf_counter()
        argmax_upsampled(logits, 512, 683)
        middle = time.perf_counter()
        torch_labels(logits, 512, 683)
        ours.append(middle - start)
        theirs.append(time.perf_counter() - middle)
    ours_ms, theirs_ms = 1e3 * statistics.median(ours[1:]), 1e3 * statistics.median(theirs[1:])
    ratio = ours_ms / theirs_ms
    print(f"\n{make.__name__}: {ours_ms:.1f} ms, torch {theirs_ms:.0f} ms, ratio {ratio:.3f}")
    assert ratio < bound
