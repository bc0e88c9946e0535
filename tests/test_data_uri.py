"""Photos and label maps as data URIs: small, and label maps exact."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from rass_bench.data_uri import distinct_palette, hex_colour, mask_uri, photo_uri
from rass_bench.labels import IGNORE, label_space_names, load_label_space

SPACE = load_label_space("ade20k-150")
IDS = st.one_of(st.integers(0, SPACE.size - 1), st.just(IGNORE))


def opened(uri, kind):
    head, _, text = uri.partition(",")
    assert head == f"data:{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=IDS))
def test_a_label_maps_classes_can_be_read_off_its_colours(labels):
    pixels = np.asarray(opened(mask_uri(labels, SPACE, side=9), "image/png").convert("RGBA"))
    ids = {tuple(colour): one for one, colour in enumerate(distinct_palette(SPACE)[: SPACE.size])}
    read = [IGNORE if pixel[3] == 0 else ids[tuple(pixel[:3])] for pixel in pixels.reshape(-1, 4)]
    assert read == labels.ravel().tolist()


def test_a_large_label_map_shrinks_without_classes_that_it_lacks():
    labels = np.random.default_rng(0).choice([3, 7, IGNORE], size=(100, 300)).astype(np.uint8)
    small = opened(mask_uri(labels, SPACE, side=30), "image/png")
    assert small.size == (30, 10)
    assert set(np.unique(np.asarray(small))) <= {3, 7, IGNORE}


@pytest.mark.parametrize("name", label_space_names())
def test_no_two_classes_share_a_colour(name):
    space = load_label_space(name)
    palette = distinct_palette(space)[: space.size]
    assert len({hex_colour(colour) for colour in palette}) == space.size
    assert np.abs(palette.astype(int) - space.palette()[: space.size]).max() <= 1


@pytest.mark.parametrize(("size", "shown"), [((40, 20), (40, 20)), ((400, 200), (50, 25))])
def test_a_photo_is_shrunk_to_the_side_and_never_enlarged(size, shown):
    photo = np.full((size[1], size[0], 3), (200, 100, 50), dtype=np.uint8)
    image = opened(photo_uri(photo, side=50), "image/jpeg")
    assert image.size == shown
    assert np.abs(np.asarray(image).astype(int) - (200, 100, 50)).max() <= 3


def test_a_colour_in_hexadecimal():
    assert hex_colour((1, 16, 255)) == "#0110ff"
