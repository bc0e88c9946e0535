"""Each family of networks is tested at the size, and in the windows, of its publication."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rass_bench.models.protocols import SizeRule
from rass_bench.models.published import PUBLISHED, Windows, short_side, size_rule, window_starts

MEAN = (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("model_type", "config", "processor", "expected"),
    [
        ("segformer", {}, {"size": {"height": 512, "width": 512}}, 512),
        ("segformer", {}, {"size": {"height": 640, "width": 640}}, 640),  # B5
        ("segformer", {}, {"size": 512}, 512),  # the processors' older form
        ("segformer", {}, {}, 512),
        ("upernet", {}, {"size": {"shortest_edge": 512}}, 512),
        # Mask2Former's processors say 384; the published figures were measured at 512 and 640.
        ("mask2former", {"backbone_config": {"embed_dim": 96}}, {"size": 384}, 512),
        ("mask2former", {"backbone_config": {"embed_dim": 128}}, {"size": 384}, 640),
        ("mask2former", {"backbone_config": {"embed_dim": 192}}, {"size": 384}, 640),
        ("mask2former", {"backbone_config": {"depths": [3, 4, 6, 3]}}, {}, 512),  # ResNet-50
        ("oneformer", {}, {"size": {"shortest_edge": 640, "longest_edge": 2560}}, 640),
        ("beit", {"image_size": 640}, {"size": {"height": 640, "width": 640}}, 640),
        ("eomt", {"image_size": 512}, {"size": {"shortest_edge": 512}}, 512),
        ("dpt", {"image_size": 384}, {"size": {"height": 480, "width": 480}}, 480),
    ],
)
def test_the_short_side(model_type, config, processor, expected):
    assert short_side(model_type, config, processor) == expected


def test_the_size_rules():
    assert size_rule("segformer", 512, MEAN) == SizeRule(short_side=512, max_long_side=2048)
    assert size_rule("mask2former", 640, MEAN) == SizeRule(
        short_side=640, max_long_side=2560, multiple_of=32, pad_value=(124, 116, 104)
    )
    assert size_rule("eomt", 512, MEAN) == SizeRule(short_side=512)


@pytest.mark.parametrize(
    ("windows", "length", "side", "expected"),
    [
        (Windows.WHOLE, 683, 512, [0]),
        # EoMT: 2 x 512 over 683 share 341.
        (Windows.SPREAD, 512, 512, [0]),
        (Windows.SPREAD, 683, 512, [0, 171]),
        (Windows.SPREAD, 1025, 512, [0, 256, 513]),  # 3 x 512 over 1025 share 255.5 each
        # mmsegmentation: stride 426 for side 640.
        (Windows.STRIDE, 640, 640, [0]),
        (Windows.STRIDE, 853, 640, [0, 213]),
        (Windows.STRIDE, 1066, 640, [0, 426]),
        (Windows.STRIDE, 1280, 640, [0, 426, 640]),
    ],
)
def test_where_windows_start(windows, length, side, expected):
    assert window_starts(windows, length, side) == expected


@example(Windows.SPREAD, 9, 440)  # in floating point the last pixel would stay uncovered
@given(st.sampled_from([Windows.SPREAD, Windows.STRIDE]), st.integers(3, 700), st.integers(0, 3000))
def test_windows_lie_inside_the_photo_and_cover_it(windows, side, more):
    length = side + more
    starts = window_starts(windows, length, side)
    assert starts[0] == 0
    assert starts[-1] + side == length
    assert all(0 < after - before <= side for before, after in itertools.pairwise(starts))


@pytest.mark.parametrize("model_type", PUBLISHED)
def test_each_family_names_its_source_and_a_class_of_transformers(model_type):
    import transformers

    test = PUBLISHED[model_type]
    assert hasattr(transformers, test.network)
    assert len(test.source) > 20
