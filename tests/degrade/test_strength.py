"""How strong a degradation is said to be agrees with what it does to pixels."""

import math

import numpy as np
import pytest

from rass_bench.degrade.apply import apply
from rass_bench.degrade.kernels import Kernel, KernelKind, blur_kernel
from rass_bench.degrade.preset import PRESETS, ResizeMode
from rass_bench.degrade.recipe import (
    Blur,
    GaussianNoise,
    Jpeg,
    PoissonNoise,
    Recipe,
    Resize,
    sample,
)
from rass_bench.degrade.strength import Strength, strength


def of(*steps):
    return strength(Recipe("rass", "1.0", 0, "a", steps))


def gaussian(sigma_x, sigma_y=None):
    kind = KernelKind.ISO if sigma_y is None else KernelKind.ANISO
    return Blur(Kernel(kind, 21, sigma_x, sigma_y, None if sigma_y is None else 0.3))


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("blur-3", Strength(1.8, 1, 0, 100)),
        ("noise-5", Strength(0, 1, 30, 100)),
        ("jpeg-2", Strength(0, 1, 0, 75)),
        ("resize-4", Strength(0, 0.25, 0, 100)),
    ],
)
def test_a_single_damage_is_its_parameter(preset, expected):
    assert strength(sample(PRESETS.get(preset), 0, "a")) == expected


def test_two_blurs_are_as_wide_as_their_kernels_one_after_the_other():
    first, second = (blur_kernel(gaussian(sigma).kernel) for sigma in (1.2, 1.6))
    both = np.zeros((41, 41))
    for row in range(21):
        for column in range(21):
            both[row : row + 21, column : column + 21] += first[row, column] * second
    axis = np.arange(41) - 20
    width = math.sqrt((both.sum(axis=0) * axis**2).sum())
    assert of(gaussian(1.2), gaussian(1.6)).blur == pytest.approx(width, rel=1e-3)


def test_a_long_kernel_counts_by_its_area():
    assert of(gaussian(4, 1)).blur == pytest.approx(2)


def test_a_blur_of_a_shrunk_photo_is_wider_on_the_clean_one():
    half = Resize(0.5, True, ResizeMode.AREA)
    back = Resize(1.0, True, ResizeMode.BICUBIC)
    assert of(half, gaussian(1.5), back).blur == pytest.approx(3)
    assert of(half, back, gaussian(1.5)).blur == pytest.approx(1.5)


def test_a_sinc_filter_is_no_blur():
    assert of(Blur(Kernel(KernelKind.SINC, 21, cutoff=2.0))).blur == 0


def test_resolution_is_that_of_the_smallest_size_on_the_way():
    quarter, same = Resize(0.25, False, ResizeMode.AREA), Resize(1, True, ResizeMode.AREA)
    twice = Resize(2, False, ResizeMode.AREA)
    assert of(twice, quarter, same).resolution == 0.5
    assert of(twice).resolution == 1


def test_the_lowest_jpeg_quality_counts():
    assert of(Jpeg(80), Jpeg(35), Jpeg(90)).jpeg == 35


@pytest.mark.parametrize(
    "steps",
    [
        (PoissonNoise(1.5, False),),
        (GaussianNoise(6, True), GaussianNoise(8, False)),
        (GaussianNoise(10, False), PoissonNoise(1, True)),
    ],
)
def test_noise_is_what_is_measured_at_mid_grey(steps):
    """A photo of all grey levels, of which 128 fills one half."""
    photo = np.full((256, 512, 3), 128, dtype=np.uint8)
    photo[:, 256:] = np.arange(256, dtype=np.uint8)[:, None, None]
    recipe = Recipe("rass", "1.0", 3, "a", steps)
    noise = apply(recipe, photo)[:, :256].astype(float) - 128
    assert strength(recipe).noise == pytest.approx(noise.std(), rel=0.03)
