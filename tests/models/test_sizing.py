"""Photos are scaled, padded and brought back as the published protocols do it."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from rass_bench.errors import UserError
from rass_bench.models.contract import check_description
from rass_bench.models.protocols import ParameterCount, ScoreWindow, SizeRule
from rass_bench.models.sizing import (
    Fitted,
    fit,
    labels_at_original,
    restore,
    scaled_size,
    segment,
)

RULES = {
    "as it is": SizeRule(),
    "short side": SizeRule(short_side=64, max_long_side=256),
    "letterbox": SizeRule(letterbox=65, pad_value=128),
    "square": SizeRule(square=48),
    "multiple": SizeRule(multiple_of=32, pad_value=(124, 116, 104)),
    "mirrored multiple": SizeRule(multiple_of=16, pad_value=None),
    "short side and multiple": SizeRule(short_side=50, multiple_of=32),
}

sides = st.integers(9, 90)


# The sizes: hand-computed from detectron2's formula.
@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ((480, 640), (512, 683)),  # 682.67 rounds up
        ((640, 480), (683, 512)),
        ((512, 683), (512, 683)),
        ((300, 300), (512, 512)),
        ((100, 1000), (205, 2048)),  # 512 x 5120 is too long: x 0.4 gives 204.8 x 2048
        ((2000, 3000), (512, 768)),
        ((3000, 7), (2048, 5)),  # 219428.6 x 512: x 2048 / 219428.6 gives 4.78
    ],
)
def test_short_side_512_at_most_2048(photo, expected):
    assert scaled_size(photo, SizeRule(short_side=512, max_long_side=2048)) == expected


@given(sides, sides, st.integers(8, 700), st.integers(700, 3000))
def test_scaling_keeps_the_ratio_to_half_a_pixel(height, width, short, longest):
    rows, columns = scaled_size((height, width), SizeRule(short_side=short, max_long_side=longest))
    factor = min(short / min(height, width), longest / max(height, width))
    assert abs(rows - height * factor) <= 0.5 + 1e-6
    assert abs(columns - width * factor) <= 0.5 + 1e-6


def test_scaling_down_is_antialiased_bilinear_to_one_grey_level():
    photo = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    fitted = fit(photo, SizeRule(short_side=33))
    reference = interpolate(
        torch.from_numpy(photo).permute(2, 0, 1)[None].float(),
        size=(44, 33),
        mode="bilinear",
        antialias=True,
    )[0].permute(1, 2, 0)
    difference = np.abs(fitted.pixels.astype(int) - reference.numpy())
    assert fitted.pixels.shape == (44, 33, 3)
    assert difference.max() <= 1


def test_letterbox_puts_the_photo_top_left_on_a_canvas_of_the_padding_colour():
    photo = np.full((30, 60, 3), 200, dtype=np.uint8)
    fitted = fit(photo, SizeRule(letterbox=60, pad_value=128))
    assert fitted.valid == (30, 60)
    assert (fitted.pixels[:30] == 200).all()
    assert (fitted.pixels[30:] == 128).all()
    assert fitted.pixels.shape == (60, 60, 3)


def test_padding_takes_a_colour_or_mirrors_the_photo(noise_photo):
    photo = noise_photo(30, 20)
    coloured = fit(photo, SizeRule(multiple_of=32, pad_value=(1, 2, 3))).pixels
    assert coloured.shape == (32, 32, 3)
    assert (coloured[:, 20:] == (1, 2, 3)).all()
    mirrored = fit(photo, SizeRule(multiple_of=32, pad_value=None)).pixels
    assert (mirrored[30] == mirrored[28]).all()
    assert (mirrored[:, 31] == mirrored[:, 7]).all()


def test_a_photo_of_the_right_size_is_not_touched(noise_photo):
    photo = noise_photo(64, 96)
    assert fit(photo, SizeRule(short_side=64, multiple_of=32)).pixels is photo


@settings(deadline=None)
@given(sides, sides, sides, sides)
def test_labels_go_back_nearest_from_pixel_centre_to_pixel_centre(rows, columns, height, width):
    labels = np.random.default_rng(rows * columns).integers(0, 150, (rows, columns), dtype=np.uint8)
    canvas = np.full((rows + 3, columns + 5), 77, dtype=np.uint8)
    canvas[:rows, :columns] = labels
    fitted = Fitted(np.zeros((*canvas.shape, 3), np.uint8), (rows, columns), (height, width))
    found = labels_at_original(canvas, fitted)
    y = ((np.arange(height) + 0.5) * rows / height).astype(int)
    x = ((np.arange(width) + 0.5) * columns / width).astype(int)
    # Where a source position falls on a pixel border, either side is nearest.
    inside_y = np.abs((np.arange(height) + 0.5) * rows / height % 1 - 0.5) < 0.499
    inside_x = np.abs((np.arange(width) + 0.5) * columns / width % 1 - 0.5) < 0.499
    chosen = np.ix_(inside_y, inside_x)
    assert (found[chosen] == labels[np.ix_(y, x)][chosen]).all()
    assert found.shape == (height, width)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 90), st.integers(1, 90))
def test_scores_lose_their_padding_and_go_back_bilinearly(rows, columns, height, width):
    scores = np.random.default_rng(rows).normal(size=(150, 12, 12)).astype(np.float32)
    stride = 4
    fitted = Fitted(
        np.zeros((12 * stride, 12 * stride, 3), np.uint8),
        (rows * stride, columns * stride),
        (height, width),
    )
    found = labels_at_original(scores, fitted)
    # The padding's scores may take part at the photo's very border, where the sampling position
    # lies between its last score and the padding's first.
    inner_y = int(height * (rows - 0.5) / rows)
    inner_x = int(width * (columns - 0.5) / columns)
    expected = interpolate(
        torch.from_numpy(scores[:, :rows, :columns])[None],
        size=(height, width),
        mode="bilinear",
        align_corners=False,
    )[0].argmax(dim=0)
    agreement = found[:inner_y, :inner_x] == expected.numpy()[:inner_y, :inner_x]
    assert agreement.all()
    assert found.shape == (height, width)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("answer", ["labels", "scores"])
@pytest.mark.parametrize("shape", [(40, 60), (75, 50), (64, 64)])
def test_a_bright_half_is_found_where_it_is(Thresholder, rule, answer, shape):
    height, width = shape
    photo = np.zeros((height, width, 3), dtype=np.uint8)
    photo[:, width // 2 :] = 255
    model = Thresholder(rule, answer)
    labels = segment(model, [photo])[0]
    assert labels.shape == shape
    assert labels.dtype == np.uint8
    # One column on either side of the edge may go either way after scaling.
    assert (labels[:, : width // 2 - 1] == 0).all()
    assert (labels[:, width // 2 + 1 :] == 2).all()


def test_photos_of_several_sizes_keep_their_order(Thresholder):
    photos = [np.full((20 + index, 30, 3), 255 * (index % 2), np.uint8) for index in range(4)]
    labels = segment(Thresholder(SizeRule(multiple_of=8)), photos)
    assert [one.shape for one in labels] == [(20, 30), (21, 30), (22, 30), (23, 30)]
    assert [int(one[0, 0]) for one in labels] == [0, 2, 0, 2]


def test_the_model_sees_photos_that_obey_its_rule(Thresholder, noise_photo):
    model = Thresholder(SizeRule(short_side=50, multiple_of=32))
    segment(model, [noise_photo(40, 60)])
    assert model.seen == [(64, 96, 3)]


@given(st.tuples(sides, sides), st.integers(1, 4), st.sampled_from([1, 4, 32]))
def test_a_restored_photo_has_scale_times_the_size_without_padding(
    Repeater, noise_photo, size, scale, multiple
):
    photo = noise_photo(*size)
    rule = SizeRule(multiple_of=multiple, pad_value=None)
    restored = restore(Repeater(scale, rule), [photo])[0]
    assert (restored == photo.repeat(scale, axis=0).repeat(scale, axis=1)).all()


def test_a_restorer_may_not_scale_its_input(Repeater, noise_photo):
    with pytest.raises(UserError, match="may pad but not scale"):
        restore(Repeater(1, SizeRule(square=32)), [noise_photo(40, 40)])


def _window(**changes):
    whole = {"top": 0, "left": 0, "height": 16, "width": 16}
    values = np.zeros((150, 4, 4), np.float32)
    return ScoreWindow(**{**whole, "values": values, **changes})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "a NoneType instead of an array"),
        (np.zeros((16, 16), np.int64), "int64 .16, 16.; labels are uint8"),
        (np.zeros((16, 15), np.uint8), "labels uint8 .16, 15. for a photo of .16, 16."),
        (np.full((16, 16), 150, np.uint8), "class id 150; ade20k-150 has 0..149"),
        (np.full((16, 16), 255, np.uint8), "class id 255"),
        (np.zeros((151, 4, 4), np.float32), "scores float32 .151, 4, 4.; ade20k-150 has 150"),
        (np.zeros((150, 4, 4), np.float64), "float64"),
        (np.zeros((1, 150, 4, 4), np.float32), "float32 .1, 150, 4, 4."),
        (np.full((150, 4, 4), np.nan, np.float32), "NaN or infinite"),
        (("a", "b"), "a tuple with a str"),
        ((_window(height=9),), "leave 112 pixels uncovered"),
        ((_window(left=3),), "a window that leaves the photo"),
        ((_window(values=np.zeros((9, 4, 4), np.float32)),), "9 classes"),
        ((_window(classes=np.zeros((7, 150), np.float32)),), "150 masks, 7 class distributions"),
        ((_window(values=np.full((150, 4, 4), np.inf, np.float32)),), "NaN or infinite"),
        (np.zeros((150, 0, 4), np.float32), "scores float32 .150, 0, 4."),
        ((_window(values=None),), "a window with a NoneType"),
        ((_window(values=np.zeros((150, 4), np.float32)),), "a window with float32 .150, 4."),
        ((_window(values=np.zeros((150, 4, 4), np.int64)),), "a window with int64"),
        ((_window(classes=np.zeros(150, np.float32)),), "a window with float32 .150,."),
        ((_window(height=16.0),), "not whole numbers"),
    ],
)
def test_a_segmenter_that_breaks_its_contract_is_told_how(Thresholder, answer, message):
    model = Thresholder(SizeRule())
    model.predict = lambda images: [answer for _ in images]
    with pytest.raises(UserError, match=message):
        segment(model, [np.zeros((16, 16, 3), np.uint8)])


@pytest.mark.parametrize("answers", [None, iter(())])
def test_a_model_answers_with_a_list(Thresholder, answers):
    model = Thresholder(SizeRule())
    model.predict = lambda images: answers
    with pytest.raises(UserError, match="instead of a list"):
        segment(model, [np.zeros((16, 16, 3), np.uint8)])


@pytest.mark.parametrize(
    ("changes", "parameters", "message"),
    [
        ({"name": 5}, None, "name = 5 in its spec"),
        ({"revision": None}, None, "revision = None in its spec"),
        ({"weights_sha256": b"1"}, None, "weights_sha256 = b'1' in its spec"),
        ({"size_rule": None}, None, "size_rule = None in its spec"),
        ({"scale": 0}, None, "scale = 0 in its spec"),
        ({"scale": 1.5}, None, "scale = 1.5 in its spec"),
        ({}, 12, "parameters = 12, not a ParameterCount"),
        ({}, ParameterCount(np.int64(5), 3), "not a ParameterCount of whole numbers"),
    ],
)
def test_a_description_that_no_record_can_hold_is_told(Thresholder, changes, parameters, message):
    model = Thresholder(SizeRule())
    check_description(model)
    model.spec, model.parameters = dataclasses.replace(model.spec, **changes), parameters
    with pytest.raises(UserError, match=message):
        check_description(model)


def test_a_segmenter_must_answer_each_photo(Thresholder, noise_photo):
    model = Thresholder(SizeRule())
    model.predict = lambda images: []
    with pytest.raises(UserError, match=r"0 answers for 1 photos.*thresholder@1"):
        segment(model, [noise_photo(16, 16)])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1], "a list instead of an array"),
        (np.zeros((32, 32, 3), np.float32), "float32 .32, 32, 3. instead of uint8 .32, 32, 3."),
        (np.zeros((16, 16, 3), np.uint8), "uint8 .16, 16, 3. instead of uint8 .32, 32, 3."),
    ],
)
def test_a_restorer_that_breaks_its_contract_is_told_how(Repeater, noise_photo, answer, message):
    model = Repeater(2, SizeRule())
    model.restore = lambda images: [answer for _ in images]
    with pytest.raises(UserError, match=f"{message}.*repeater@1"):
        restore(model, [noise_photo(16, 16)])


def test_two_scalings_exclude_each_other():
    with pytest.raises(ValueError, match="exclude each other"):
        SizeRule(short_side=512, square=512)


@pytest.mark.parametrize(
    ("rule", "shape"),
    [(SizeRule(letterbox=10**6), (8, 8, 3)), (SizeRule(short_side=512), (1, 3000, 3))],
    ids=["a mistyped rule", "a photo of one row"],
)
def test_a_size_that_no_memory_holds_is_refused(rule, shape):
    with pytest.raises(UserError, match=r"pixels would become .*size rule"):
        fit(np.zeros(shape, np.uint8), rule)


@pytest.mark.parametrize("field", ["short_side", "square", "max_long_side", "multiple_of"])
def test_a_size_is_at_least_one_pixel(field):
    with pytest.raises(ValueError, match="counts pixels from 1, not 0"):
        SizeRule(**{field: 0})
