"""Sample pictures: panels show what they say, and the grid shows the panels unharmed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.labels import IGNORE, load_label_space
from rass_bench.pictures import (
    PictureRow,
    attention_panels,
    draw_grid,
    heat_panel,
    label_panel,
    mask_panel,
    photo_panel,
    segmentation_row,
)

SPACE = load_label_space("ade20k-150")
SKY, TREE, ROAD = (SPACE.id_of(name) for name in ("sky", "tree", "road"))
MARGIN, GAP, TITLES = 16, 10, 20
"""Lengths of a grid whose panels have 256 pixels."""


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 250, (height, width, 3), dtype=np.uint8)


def grid_of(*panels, **options):
    return draw_grid([PictureRow(panels)], SPACE, **options)


def luma(image):
    return image.astype(np.float64) @ [0.299, 0.587, 0.114]


def is_white(pixels):
    return bool((pixels == 255).all())


def test_photos_of_the_shown_size_stand_side_by_side_pixel_by_pixel():
    photos = [noise(256, 256, seed) for seed in range(3)]
    page = grid_of(*(photo_panel("photo", photo) for photo in photos))
    assert page.dtype == np.uint8
    assert page.shape == (2 * MARGIN + TITLES + 256, 2 * MARGIN + 3 * 256 + 2 * GAP, 3)
    top = MARGIN + TITLES
    for number, photo in enumerate(photos):
        left = MARGIN + number * (256 + GAP)
        np.testing.assert_array_equal(page[top : top + 256, left : left + 256], photo)
        assert is_white(page[top:, left + 256 : left + 256 + GAP])


def test_a_small_photo_is_enlarged_to_squares_and_a_large_one_keeps_its_mean_colour():
    small = noise(100, 64)
    page = grid_of(photo_panel("small", small))
    shown = page[MARGIN + TITLES :][:200, MARGIN:][:, :128]
    np.testing.assert_array_equal(shown, small.repeat(2, axis=0).repeat(2, axis=1))
    large = noise(1024, 512)
    page = grid_of(photo_panel("large", large))
    shown = page[MARGIN + TITLES :][:256, MARGIN:][:, :128]
    np.testing.assert_allclose(shown.mean((0, 1)), large.mean((0, 1)), atol=0.5)
    assert is_white(page[MARGIN + TITLES :, MARGIN + 128 :])


def test_a_title_is_written_where_it_differs_from_the_one_above():
    def row(second):
        return PictureRow(
            (photo_panel("photo", noise(256, 256)), photo_panel(second, noise(256, 256)))
        )

    same = draw_grid([row("sky"), row("sky")], SPACE)
    other = draw_grid([row("sky"), row("tree")], SPACE)
    assert other.shape[0] == same.shape[0] + TITLES
    first, second = MARGIN, MARGIN + TITLES + 256 + GAP
    left, right = slice(0, MARGIN + 256), slice(MARGIN + 256 + GAP, None)
    for column in (left, right):
        assert not is_white(other[first : first + TITLES, column])
    assert is_white(other[second : second + TITLES, left])
    assert not is_white(other[second : second + TITLES, right])


@settings(max_examples=20, deadline=None)
@given(
    title=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80),
    name=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    side=st.integers(64, 200),
    extent=st.floats(1e-9, 1e9),
)
def test_nothing_reaches_into_the_margin(title, name, size, side, extent):
    photo = np.zeros((*size, 3), np.uint8)
    values = np.linspace(-extent, extent, 9).reshape(3, 3)
    labels = np.full(size, TREE, np.uint8)
    rows = [
        PictureRow((heat_panel(name, photo, values),)),
        PictureRow((photo_panel(name[::-1], photo), label_panel("truth", labels, SPACE))),
    ]
    page = draw_grid(rows, SPACE, title, side)
    margin = round(MARGIN * side / 256)
    for edge in (page[:margin], page[-margin:], page[:, :margin], page[:, -margin:]):
        assert is_white(edge)


def test_a_label_map_has_the_colours_of_its_space():
    labels = np.array([[SKY, TREE], [ROAD, SKY]], np.uint8)
    image = label_panel("truth", labels, SPACE).image
    for place, name in np.ndenumerate(np.array([["sky", "tree"], ["road", "sky"]])):
        assert tuple(image[place]) == SPACE.classes[SPACE.id_of(name)].colour


def test_ignored_pixels_are_black_with_a_hatch_and_others_have_none():
    labels = np.full((64, 128), SKY, np.uint8)
    labels[:, 64:] = IGNORE
    image = label_panel("truth", labels, SPACE).image
    assert (image[:, :64] == SPACE.classes[SKY].colour).all()
    ignored = image[:, 64:].reshape(-1, 3)
    black = (ignored == 0).all(axis=1)
    assert 0.5 < black.mean() < 0.9
    assert len(np.unique(ignored[~black], axis=0)) == 1


def test_an_id_outside_the_space_is_refused():
    with pytest.raises(ValueError, match="id 150 is outside ade20k-150"):
        label_panel("truth", np.full((2, 2), 150, np.uint8), SPACE)


@pytest.mark.parametrize("shape", [(5, 3), (8, 8), (32, 48)])
def test_heat_rises_with_the_bilinearly_enlarged_values(shape):
    import torch

    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    black = np.zeros((32, 48, 3), np.uint8)
    panel = heat_panel("attention", black, values)
    [[enlarged]] = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=(32, 48), mode="bilinear", align_corners=False
    ).numpy()
    order = np.argsort(enlarged.ravel())
    brightness = luma(panel.image).ravel()[order]
    # Neighbours may swap by the rounding of colours to 8 bits.
    assert (np.diff(brightness) > -1.5).all()
    assert brightness[-1] - brightness[0] > 60
    assert panel.extent == (float(values.min()), float(values.max()))


def test_heat_lets_the_photo_shine_through():
    photo = noise(32, 32)
    image = heat_panel("attention", photo, np.ones((4, 4))).image
    assert np.corrcoef(luma(image).ravel(), luma(photo).ravel())[0, 1] > 0.99


def test_equal_values_are_all_cold_and_values_that_are_no_numbers_are_refused():
    photo = np.zeros((8, 8, 3), np.uint8)
    panel = heat_panel("attention", photo, np.full((2, 2), 0.25))
    assert panel.extent == (0.25, 0.25)
    coldest = heat_panel("attention", photo, np.array([[0.0, 1.0]])).image[0, 0]
    assert (panel.image == coldest).all()
    for broken in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not finite"):
            heat_panel("attention", photo, np.array([[0.0, broken]]))


def test_the_scale_below_a_heat_map_runs_from_cold_to_hot():
    page = grid_of(
        heat_panel("attention", np.zeros((256, 256, 3), np.uint8), np.eye(2)),
        photo_panel("photo", np.zeros((256, 256, 3), np.uint8)),
    )
    below = page[MARGIN + TITLES + 256 : -MARGIN]
    assert is_white(below[:, MARGIN + 256 :])
    bar = luma(below[12, MARGIN + 24 : MARGIN + 256 - 24])
    assert (np.diff(bar) >= 0).all() and bar[-1] - bar[0] > 180


def test_a_mask_shows_in_two_colours_on_an_even_photo():
    photo = np.full((16, 16, 3), 128, np.uint8)
    mask = np.zeros((16, 16), bool)
    mask[3:9, 4:7] = True
    image = mask_panel("mask", photo, mask).image
    assert len(np.unique(image[mask], axis=0)) == len(np.unique(image[~mask], axis=0)) == 1
    assert luma(image)[mask].min() > luma(image)[~mask].max() + 60


def test_attention_and_mask_of_a_class_stand_together():
    truth = np.full((16, 16), SKY, np.uint8)
    truth[8:] = TREE
    photo, attention = np.full((16, 16, 3), 90, np.uint8), (truth == TREE).astype(np.float32)
    heat, mask = attention_panels(photo, attention, truth, TREE, SPACE)
    assert (heat.title, mask.title) == ("attention of tree", "mask of tree")
    for panel in (heat, mask):
        assert luma(panel.image)[8:].min() > luma(panel.image)[:8].max() + 60


def test_the_legend_names_the_most_frequent_class_first_and_ignored_pixels_last():
    labels = np.full((256, 256), IGNORE, np.uint8)
    labels[:100], labels[100:110], labels[110:130] = TREE, SKY, ROAD
    page = grid_of(label_panel("truth", labels, SPACE))
    line = page[MARGIN + TITLES + 256 + GAP + 11]
    colours = [SPACE.classes[index].colour for index in (TREE, ROAD, SKY)]
    starts = [np.flatnonzero((line == colour).all(axis=1))[0] for colour in colours]
    black = np.flatnonzero((line == 0).all(axis=1))
    assert starts == sorted(starts) and starts[0] == MARGIN
    assert black[0] > starts[-1]


def test_a_legend_of_many_classes_stays_short():
    labels = np.repeat(np.arange(40, dtype=np.uint8), 256).reshape(40, 256)
    page = grid_of(label_panel("truth", labels, SPACE))
    legend = page[MARGIN + TITLES + 40 + GAP :].reshape(-1, 3)
    swatch = 13 * 13
    colours = SPACE.palette()[:40]
    shown = [i for i, colour in enumerate(colours) if (legend == colour).all(1).sum() >= swatch]
    assert shown == list(range(20))


def test_a_grid_without_label_maps_has_no_legend():
    photo = noise(256, 256)
    bare = grid_of(photo_panel("photo", photo))
    mapped = grid_of(label_panel("photo", np.full((256, 256), SKY, np.uint8), SPACE))
    assert mapped.shape[0] > bare.shape[0] == 2 * MARGIN + TITLES + 256


def test_a_row_of_a_segmentation_leaves_out_what_does_not_exist():
    photo, labels = noise(8, 8), np.full((8, 8), SKY, np.uint8)
    whole = segmentation_row(photo, photo, labels, labels, SPACE)
    assert [panel.title for panel in whole.panels] == [
        "low quality",
        "restored",
        "prediction",
        "truth",
    ]
    direct = segmentation_row(photo, None, labels, labels, SPACE)
    assert [panel.title for panel in direct.panels] == ["low quality", "prediction", "truth"]


def test_text_and_gaps_grow_with_the_panels():
    panel = photo_panel("photo", noise(256, 256))
    single, double = grid_of(panel, title="A title"), grid_of(panel, title="A title", side=512)
    assert double.shape == (2 * single.shape[0], 2 * single.shape[1], 3)


def test_a_grid_that_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="needs a panel"):
        draw_grid([], SPACE)
    with pytest.raises(ValueError, match="no room for text"):
        grid_of(photo_panel("photo", noise(8, 8)), side=32)
