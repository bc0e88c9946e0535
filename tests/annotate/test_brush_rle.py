"""Label Studio's brush encoding: the SDK's own bytes, and streams from strangers."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rass_bench.annotate.brush_rle import decode_brush, encode_brush
from rass_bench.images import MAX_PIXELS
from tests.annotate.sdk_codec import load_sdk_codec


@pytest.fixture(scope="module")
def sdk_brush():
    return load_sdk_codec()


def stream(values, blocks, value_bits=8, counters=(3, 4, 8, 16)):
    """A stream as text of bits: blocks of (repeat or literal, which counter, count, values)."""
    bits = f"{values:032b}{value_bits - 1:05b}" + "".join(f"{size - 1:04b}" for size in counters)
    for repeat, counter, count, held in blocks:
        bits += f"{repeat:b}{counter:02b}{count - 1:0{counters[counter]}b}"
        bits += "".join(f"{value:0{value_bits}b}" for value in held)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def blob(height, width, raggedness):
    """A disc with a frayed edge."""
    noise = np.random.default_rng(0).normal(size=(height, width))
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(rows - height / 2, columns - width / 2) / (min(height, width) / 3)
    frayed = radius + raggedness * cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.where(frayed < 1, 255, 0).astype(np.uint8)


few_levels = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=24),
    elements=st.sampled_from([0, 255]),
)
all_levels = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))
masks = few_levels | all_levels


@settings(deadline=None)
@given(masks)
def test_decoding_undoes_encoding(alpha):
    assert np.array_equal(decode_brush(encode_brush(alpha), *alpha.shape), alpha)


@settings(deadline=None)
@given(masks)
def test_the_bytes_are_the_sdks(sdk_brush, alpha):
    assert encode_brush(alpha) == sdk_brush.mask2rle(alpha)


@settings(deadline=None)
@given(masks)
def test_the_sdk_reads_what_is_written(sdk_brush, alpha):
    channels = sdk_brush.decode_rle(encode_brush(alpha)).reshape(*alpha.shape, 4)
    assert np.array_equal(channels, np.repeat(alpha[:, :, None], 4, axis=2))


@pytest.mark.parametrize(
    "pixels", [1, 2, 3, 4, 5, 63, 64, 65, 16383, 16384, 16385, 32768, 32769, 70000]
)
def test_runs_at_each_limit_of_the_counters_are_the_sdks(sdk_brush, pixels):
    alpha = np.zeros((1, pixels + 1), dtype=np.uint8)
    alpha[0, :pixels] = 255
    assert encode_brush(alpha) == sdk_brush.mask2rle(alpha)
    assert np.array_equal(decode_brush(encode_brush(alpha), *alpha.shape), alpha)


def test_ragged_masks_are_the_sdks(sdk_brush):
    alpha = blob(160, 200, 1.0)
    rle = encode_brush(alpha)
    assert rle == sdk_brush.mask2rle(alpha)
    assert np.array_equal(sdk_brush.decode_rle(rle).reshape(160, 200, 4)[:, :, 3], alpha)


def test_a_real_mask_is_written_as_the_sdk_writes_its_file(sdk_brush, shared_data):
    path = shared_data("label_studio/sdk_converter_data/test_brush/test.png")
    rle, width, height = sdk_brush.image2rle(str(path))
    alpha = np.where(np.asarray(Image.open(path).convert("L")) > 128, 255, 0).astype(np.uint8)
    assert encode_brush(alpha) == rle
    assert np.array_equal(decode_brush(rle, height, width), alpha)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_split_into_blocks_and_any_counters_are_read_as_the_sdk_reads_them(sdk_brush, data):
    height, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    counters = data.draw(st.tuples(*[st.integers(1, 16)] * 4))
    blocks, left = [], 4 * height * width
    while left:
        counter = data.draw(st.integers(0, 3))
        count = data.draw(st.integers(1, min(left, 1 << counters[counter])))
        repeat = data.draw(st.booleans())
        size = 1 if repeat else count
        held = data.draw(st.lists(st.integers(0, 255), min_size=size, max_size=size))
        blocks.append((repeat, counter, count, held))
        left -= count
    rle = stream(4 * height * width, blocks, counters=counters)
    oracle = sdk_brush.decode_rle(rle).reshape(height, width, 4)[:, :, 3]
    assert np.array_equal(decode_brush(rle, height, width), oracle)


def test_of_a_coloured_stream_of_literals_only_alpha_is_kept():
    pixels = np.random.default_rng(1).integers(0, 256, size=(64, 48, 4))
    values = pixels.reshape(-1)
    blocks = [(False, 3, values.size, values)]
    rle = stream(values.size, blocks)
    assert np.array_equal(decode_brush(rle, 64, 48), pixels[:, :, 3])


def test_a_transposed_array_is_encoded_in_its_own_rows():
    alpha = np.array([[0, 255, 255], [0, 0, 255]], dtype=np.uint8)
    assert encode_brush(alpha.T) == encode_brush(np.ascontiguousarray(alpha.T))


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 3), np.uint8)]
)
def test_only_masks_are_encoded(array):
    with pytest.raises(ValueError, match="a mask is uint8"):
        encode_brush(array)


def test_a_stream_that_declares_10_to_the_9_pixels_is_refused_before_anything_is_allocated():
    bomb = stream(4 * 10**9 & 0xFFFFFFFF, [(True, 3, 65536, [255])])
    with pytest.raises(ValueError, match=r"declares \d+ values, not the 4 x 8 x 8"):
        decode_brush(bomb, 8, 8)


@pytest.mark.parametrize(
    ("height", "width"), [(10**5, 10**5), (MAX_PIXELS + 1, 1), (0, 8), (-2, -2)]
)
def test_a_photo_beyond_the_limit_is_refused(height, width):
    with pytest.raises(ValueError, match="are decoded"):
        decode_brush(stream(16, [(True, 3, 16, [0])]), height, width)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (2, 4), (3, 3)])
def test_a_stream_of_another_size_is_refused(height, width):
    rle = encode_brush(np.zeros((3, 4), np.uint8))
    with pytest.raises(ValueError, match="not the 4 x"):
        decode_brush(rle, height, width)


def test_each_truncation_of_a_stream_is_refused():
    rle = encode_brush(blob(16, 16, 0.5))
    for length in range(len(rle) - 2):
        with pytest.raises(ValueError, match=r"ends before|fewer than its header"):
            decode_brush(rle[:length], 16, 16)


def test_literals_that_end_early_are_refused():
    with pytest.raises(ValueError, match="ends before"):
        decode_brush(stream(4096, [(False, 3, 4096, [7] * 100)]), 32, 32)


@pytest.mark.parametrize("repeat", [True, False])
def test_a_block_beyond_the_last_pixel_is_refused(repeat):
    with pytest.raises(ValueError, match="beyond the last pixel"):
        decode_brush(stream(16, [(repeat, 3, 17, [255] * 17)]), 2, 2)


def test_a_stream_that_goes_on_after_the_last_pixel_is_refused():
    with pytest.raises(ValueError, match="goes on after"):
        decode_brush([*encode_brush(np.zeros((2, 2), np.uint8)), 0, 0], 2, 2)


@pytest.mark.parametrize("value_bits", [1, 7, 16, 32])
def test_values_that_are_no_bytes_are_refused(value_bits):
    with pytest.raises(ValueError, match=f"values of {value_bits} bits"):
        decode_brush(stream(4, [(True, 0, 4, [1])], value_bits=value_bits), 1, 1)


@pytest.mark.parametrize("wrong", [-1, 256, 10**30, 0.5, "7", None, [1], {}])
def test_something_else_than_a_byte_is_refused(wrong):
    rle = encode_brush(np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"whole numbers 0\.\.255"):
        decode_brush([*rle[:5], wrong, *rle[6:]], 2, 2)


@pytest.mark.parametrize("rle", [None, "AAAA", b"1234567890", 10**9, {}, 1.5, []])
def test_something_else_than_a_stream_is_refused(rle):
    with pytest.raises(ValueError, match=r"not a list of bytes|fewer than its header"):
        decode_brush(rle, 2, 2)


@settings(deadline=None)
@given(st.lists(st.integers(0, 255), max_size=60))
def test_noise_is_refused_or_decoded_and_never_more(noise):
    rle = stream(64, [])[:6] + noise
    try:
        alpha = decode_brush(rle, 4, 4)
    except ValueError:
        return
    assert alpha.shape == (4, 4)
    assert alpha.dtype == np.uint8


def processor_ms(function, repeats):
    """The least processor time of a call, in milliseconds: other load on the machine stays out."""
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return 1000 * min(times)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(512, 512), (1536, 2048)])
@pytest.mark.parametrize("raggedness", [0.0, 1.0], ids=["smooth", "ragged"])
def test_the_codec_is_faster_than_the_sdks_and_stated_beside_pycocotools(
    sdk_brush, capsys, height, width, raggedness
):
    coco = pytest.importorskip("pycocotools.mask")
    alpha = blob(height, width, raggedness)
    rle, counts = encode_brush(alpha), coco.encode(np.asfortranarray(alpha))
    decode_brush(rle, height, width)  # compiled before the clock runs

    def pycoco_encode():
        return coco.encode(np.asfortranarray(alpha))

    ours = processor_ms(lambda: encode_brush(alpha), 20)
    ours_back = processor_ms(lambda: decode_brush(rle, height, width), 20)
    theirs = processor_ms(lambda: sdk_brush.mask2rle(alpha), 3)
    theirs_back = processor_ms(lambda: sdk_brush.decode_rle(rle), 3)
    pycoco = processor_ms(pycoco_encode, 20)
    pycoco_back = processor_ms(lambda: coco.decode(counts), 20)
    with capsys.disabled():
        print(
            f"\n{width} x {height}, raggedness {raggedness}, {len(rle)} bytes; ms: "
            f"encode {ours:.3f}, SDK {theirs:.2f} ({theirs / ours:.0f} x), "
            f"pycocotools {pycoco:.3f}; decode {ours_back:.3f}, SDK {theirs_back:.2f} "
            f"({theirs_back / ours_back:.0f} x), pycocotools {pycoco_back:.3f}"
        )
    assert theirs >= 7 * ours
    assert theirs_back >= 50 * ours_back
