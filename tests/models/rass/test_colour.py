"""Colour fixes against their definitions, derived anew with NumPy and SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rass_bench.models.rass.colour import ColourFix, adain, fix_colour, low_frequencies, wavelet

SIZES = [(1, 1), (1, 5), (7, 2), (3, 40), (64, 48)]
"""Small ones are below the blur's reach of 31 pixels."""


def photos(height, width, seed=0, count=2):
    return torch.from_numpy(
        np.random.default_rng(seed).random((count, 3, height, width), dtype=np.float32)
    )


def assert_near(one, other, tolerance=1e-6):
    torch.testing.assert_close(one, torch.as_tensor(other, dtype=one.dtype), rtol=0, atol=tolerance)


def binomial_blur(photo, levels=5):
    """The à-trous blur in float64, by SciPy's correlation with a dilated 3x3 kernel."""
    blurred = photo.double().numpy()
    for level in range(levels):
        kernel = np.zeros((2 ** (level + 1) + 1,) * 2)
        kernel[:: 2**level, :: 2**level] = np.outer([1, 2, 1], [1, 2, 1]) / 16
        blurred = ndimage.correlate(blurred, kernel[None, None], mode="nearest")
    return blurred


# Adaptive instance normalisation


@pytest.mark.parametrize("size", SIZES[1:])
def test_adain_moves_each_channel_to_the_sources_statistics(size):
    restored, source = photos(*size, seed=1), photos(*size, seed=2) * 0.5 + 0.3
    fixed = adain(restored, source)
    for index in np.ndindex(2, 3):
        of, to = restored[index].double().numpy(), source[index].double().numpy()
        normal = (of - of.mean()) / np.sqrt(of.var(ddof=1) + 1e-5)
        assert_near(fixed[index], normal * np.sqrt(to.var(ddof=1) + 1e-5) + to.mean())


def test_adain_gives_the_sources_mean_and_deviation():
    restored, source = photos(64, 48, seed=1), photos(64, 48, seed=2) * 0.4 + 0.2
    fixed = adain(restored, source)
    assert_near(fixed.mean((2, 3)), source.mean((2, 3)))
    assert_near(fixed.std((2, 3)), source.std((2, 3)), 1e-4)  # the epsilon shrinks it a little


@given(st.floats(0.3, 1), st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_adain_undoes_a_change_of_brightness_and_contrast(contrast, shift):
    source = photos(32, 32)
    changed = source * contrast + torch.tensor(shift, dtype=torch.float32).view(1, 3, 1, 1)
    # Exact but for the epsilon, which weighs more the lower the contrast.
    assert_near(adain(changed, source), source, 1e-3)


def test_adain_of_a_flat_photo_is_flat():
    flat = torch.full((1, 3, 8, 8), 0.25)
    source = photos(8, 8, count=1)
    fixed = adain(flat, source)
    assert_near(fixed, source.mean((2, 3), keepdim=True).expand(1, 3, 8, 8).clone())


# Wavelet


@pytest.mark.parametrize("size", SIZES)
def test_low_frequencies_are_five_dilated_binomial_blurs(size):
    photo = photos(*size)
    assert_near(low_frequencies(photo), binomial_blur(photo))


@pytest.mark.parametrize("size", SIZES)
def test_wavelet_puts_the_high_frequencies_on_the_sources_low_ones(size):
    restored, source = photos(*size, seed=1), photos(*size, seed=2)
    high = restored.double().numpy() - binomial_blur(restored)
    assert_near(wavelet(restored, source), high + binomial_blur(source))


@pytest.mark.parametrize("size", SIZES)
def test_the_sum_over_the_levels_is_what_the_blur_leaves_out(size):
    # The definition adds one high frequency a level; their sum telescopes.
    photo = photos(*size)
    levels = [binomial_blur(photo, level) for level in range(6)]
    high = sum(levels[i] - levels[i + 1] for i in range(5))
    assert_near(photo - low_frequencies(photo), high)


def test_wavelet_replaces_a_shift_of_colour_wholly():
    source = photos(40, 40)
    shifted = source + torch.tensor([0.2, -0.1, 0.05]).view(1, 3, 1, 1)
    assert_near(wavelet(shifted, source), source)


def test_wavelet_keeps_fine_detail_that_the_source_lacks():
    columns = torch.arange(64) % 2
    detail = (columns * 0.2 + 0.4).expand(1, 3, 64, 64)
    flat = torch.full((1, 3, 64, 64), 0.8)
    fixed = wavelet(detail, flat)
    inside = fixed[..., 31:33].double()  # beyond the reach of the border
    assert_near((inside[..., 0] - inside[..., 1]).abs(), torch.full((1, 3, 64), 0.2))
    assert inside.mean().item() == pytest.approx(0.8, abs=1e-6)


def test_a_flat_photo_has_no_high_frequencies():
    flat = torch.full((1, 3, 5, 9), 0.3)
    assert_near(low_frequencies(flat), flat)


# Both


@pytest.mark.parametrize("fix", ColourFix)
@pytest.mark.parametrize("size", SIZES[1:])
def test_a_photo_with_the_right_colours_stays(fix, size):
    photo = photos(*size)
    assert_near(fix_colour(fix, photo, photo), photo)


@pytest.mark.parametrize("fix", ColourFix)
def test_photos_of_a_batch_do_not_mix(fix):
    restored, source = photos(20, 30, seed=1), photos(20, 30, seed=2)
    together = fix_colour(fix, restored, source)
    alone = fix_colour(fix, restored[1:], source[1:])
    assert_near(together[1:], alone)
    assert together.dtype == torch.float32


@pytest.mark.parametrize("fix", ColourFix)
def test_the_arguments_are_left_alone(fix):
    restored, source = photos(8, 8, seed=1), photos(8, 8, seed=2)
    kept = restored.clone(), source.clone()
    fix_colour(fix, restored, source)
    assert torch.equal(restored, kept[0])
    assert torch.equal(source, kept[1])


@pytest.mark.parametrize(
    ("name", "function"), [("adain", adain), ("wavelet", wavelet), ("none", lambda a, _: a)]
)
def test_each_name_stands_for_its_fix(name, function):
    restored, source = photos(8, 8, seed=1), photos(8, 8, seed=2)
    assert torch.equal(fix_colour(ColourFix(name), restored, source), function(restored, source))


def test_photos_of_two_sizes_are_a_mistake():
    with pytest.raises(ValueError, match="colours of"):
        fix_colour(ColourFix.ADAIN, photos(8, 8), photos(8, 9))
