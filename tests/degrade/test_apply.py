"""Applying recipes: noise against theory, no colour cast, any size, the same bytes for ever."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rass_bench.degrade.apply import apply
from rass_bench.degrade.filtering import blur
from rass_bench.degrade.kernels import sinc_kernel
from rass_bench.degrade.noise import add_gaussian_noise, add_poisson_noise, normal_table
from rass_bench.degrade.preset import PRESETS, ResizeMode
from rass_bench.degrade.recipe import Recipe, Resize, sample
from rass_bench.degrade.resampling import resize
from rass_bench.errors import UserError
from rass_bench.images import read_image

RASS = PRESETS.get("rass")
PACKAGE = str(Path(__file__).resolve().parents[2])


def generator(key=1):
    return np.random.Generator(np.random.Philox(key))


def flat(level, side=400):
    return np.full((side, side, 3), level, dtype=np.float32)


def ramp():
    """All 256 grey levels, 4,096 pixels each, so that Poisson noise counts 256 photons."""
    return np.repeat(np.arange(256, dtype=np.float32), 4096 * 3).reshape(1024, 1024, 3)


def test_normal_table_is_standard_normal():
    table = normal_table().astype(float)
    assert table.mean() == pytest.approx(0, abs=1e-6)
    assert table.var() == pytest.approx(1, abs=1e-6)
    assert np.mean(table**4) == pytest.approx(3, abs=2e-3)
    assert stats.kstest(table, "norm").statistic < 2e-5


@pytest.mark.parametrize("sigma", [1.0, 12.5, 30.0])
def test_gaussian_noise_is_gaussian(sigma):
    noise = add_gaussian_noise(flat(128), sigma, False, generator()) - 128
    inside = noise[np.abs(noise) < 127]
    p_value = stats.kstest(inside[::7] / sigma, "norm").pvalue
    assert p_value > 1e-3
    assert noise.std() == pytest.approx(sigma, rel=5e-3)
    assert np.abs(np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]).max() < 0.01
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("white", [16, 256])
@pytest.mark.parametrize("level", [0, 1, 17, 128, 200, 255])
def test_poisson_noise_has_the_moments_of_photon_counts(level, white):
    if white == 256:
        image = ramp()
        of_level = image[..., 0] == level
    else:
        image = flat(level)
        image[:1, :12, 0] = np.arange(12) * 20 + 3  # 9 to 16 different levels: 16 photons
        of_level = np.ones(image.shape[:2], dtype=bool)
        of_level[0] = False
    scale = 0.25 if white == 256 else 0.05
    noisy = add_poisson_noise(image, scale, False, generator(level))
    noise = (noisy - image)[of_level].astype(float) / scale
    mean = level / 255 * white
    clipped = level in (0, 255)
    if level == 0:
        assert np.all(noise == 0)
    if not clipped:
        # Noise = (count - mean) * 255 / white, in grey levels; limits of 5 standard errors.
        counts = noise * white / 255 + mean
        error = np.sqrt(mean / counts.size)
        assert counts.mean() == pytest.approx(mean, abs=5 * error + 1e-3)
        variance_error = np.sqrt((mean + 2 * mean**2) / counts.size)
        assert counts.var() == pytest.approx(mean, abs=5 * variance_error + 1e-3)
        assert np.abs(counts - np.rint(counts)).max() < 0.01


@pytest.mark.parametrize("level", [1, 20, 128, 240])
def test_poisson_counts_follow_the_poisson_distribution(level):
    image = ramp()
    noise = (add_poisson_noise(image, 0.05, False, generator(level)) - image)[image == level]
    mean = level / 255 * 256
    counts = np.rint(noise / 0.05 * 256 / 255 + mean).astype(int)
    observed = np.bincount(counts, minlength=400)[:400]
    expected = stats.poisson.pmf(np.arange(400), mean) * counts.size
    common = expected >= 5
    rare = counts.size - expected[common].sum(), counts.size - observed[common].sum()
    f_expected = np.append(expected[common], rare[0])
    f_observed = np.append(observed[common], rare[1])
    assert stats.chisquare(f_observed, f_expected).pvalue > 1e-3


@pytest.mark.parametrize(("add", "strength"), [(add_gaussian_noise, 5), (add_poisson_noise, 0.5)])
def test_grey_noise_is_one_draw_for_three_channels(add, strength):
    image = np.stack([flat(90)[..., 0], flat(120)[..., 0], flat(150)[..., 0]], axis=-1)
    image += np.arange(400, dtype=np.float32)[:, None, None] / 20
    noise = add(image, strength, True, generator()) - image
    np.testing.assert_allclose(noise[..., 0], noise[..., 1], atol=1e-4)
    np.testing.assert_allclose(noise[..., 0], noise[..., 2], atol=1e-4)
    assert noise.std() > 1


@pytest.mark.parametrize(
    ("name", "add", "strength"),
    [("gauss", add_gaussian_noise, 12.5), ("poisson", add_poisson_noise, 1.5)],
)
@pytest.mark.parametrize("grey", [False, True])
def test_noise_is_as_strong_as_the_official_one(oracle_file, name, add, strength, grey):
    with np.load(oracle_file("degradation.npz")) as oracle:
        photo = np.moveaxis(oracle["image_u8"], 0, -1).astype(np.float32)
        key = f"{name}_{'gray' if grey else 'color'}_s{strength}_seed7"
        official = np.moveaxis(oracle[key], 0, -1) * 255
    ours = add(photo, strength, grey, generator()) - photo
    theirs = np.clip(photo + official, 0, 255) - photo
    # 17,679 values of one draw each: a standard error of 0.5 % colour, 0.9 % grey.
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=5 * theirs.std() / np.sqrt(5893))
    between = [np.corrcoef(noise.reshape(-1, 3).T)[0, 1] for noise in (ours, theirs)]
    assert between[0] == pytest.approx(between[1], abs=0.06)


def test_blur_of_a_tiny_image_reflects_as_often_as_needed():
    rng = generator()
    image = rng.integers(0, 256, (3, 2, 3)).astype(np.float32)
    kernel = sinc_kernel(21, 1.2)
    period = [image[i] for i in (0, 1, 2, 1)] * 8
    wide = [np.stack([row[j] for j in (0, 1)] * 16) for row in period]
    tiled = np.stack(wide)
    # The middle of the tiling, found by plain summation.
    top, left = 12, 12
    expected = np.empty_like(image)
    for y in range(3):
        for x in range(2):
            window = tiled[top + y - 10 : top + y + 11, left + x - 10 : left + x + 11]
            expected[y, x] = (window * kernel[..., None]).sum(axis=(0, 1))
    np.testing.assert_allclose(blur(image, kernel), expected, atol=0.02)


def test_blur_refuses_a_kernel_that_is_not_symmetric():
    kernel = np.zeros((3, 3))
    kernel[0, 0] = 1
    with pytest.raises(ValueError, match="not symmetric"):
        blur(flat(1, 5), kernel)


sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@given(sizes, sizes, st.sampled_from(ResizeMode))
@settings(deadline=None, max_examples=60)
def test_a_resize_keeps_a_flat_image_flat(size, new_size, mode):
    image = np.full((*size, 3), [10, 100, 250], dtype=np.float32)
    resized = resize(image, *new_size, mode)
    assert resized.shape == (*new_size, 3)
    np.testing.assert_allclose(resized, np.broadcast_to([10, 100, 250], resized.shape), rtol=1e-5)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 10**6))
@settings(deadline=None, max_examples=150)
def test_any_photo_keeps_its_size_and_gives_the_same_bytes_again(height, width, seed):
    photo = generator(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    recipe = sample(RASS, seed, "photo")
    degraded = apply(recipe, photo)
    assert degraded.shape == photo.shape
    assert degraded.dtype == np.uint8
    np.testing.assert_array_equal(apply(recipe, photo.copy()), degraded)


def test_the_layout_in_memory_changes_no_byte():
    photo = generator().integers(0, 256, (40, 30, 3), dtype=np.uint8)
    for number in range(20):
        recipe = sample(RASS, number, "photo")
        expected = apply(recipe, photo)
        np.testing.assert_array_equal(apply(recipe, np.asfortranarray(photo)), expected)
        mirrored = np.ascontiguousarray(photo[:, ::-1])[:, ::-1]
        np.testing.assert_array_equal(apply(recipe, mirrored), expected)


SCRIPT = """
import sys
import numpy as np
from rass_bench.degrade.apply import apply
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import sample

photo = np.load(sys.argv[1])
rass = PRESETS.get("rass")
np.save(sys.argv[2], [apply(sample(rass, 0, str(i)), photo) for i in range(60)])
"""


@pytest.mark.slow
def test_a_processor_without_vector_units_gives_the_same_bytes(tmp_path):
    photo = np.kron(generator().integers(0, 256, (30, 41, 3)), np.ones((5, 5, 1))).astype(np.uint8)
    np.save(tmp_path / "photo.npy", photo)
    plain = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "JSIMD_FORCENONE": "1",  # libjpeg-turbo
        "OPENCV_IPP": "disabled",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,AVX,SSE4.2,SSE4.1",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX",
    }
    results = []
    for number, settings_ in enumerate(({}, plain)):
        out = tmp_path / f"{number}.npy"
        command = [sys.executable, "-c", SCRIPT, tmp_path / "photo.npy", out]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": PACKAGE, **settings_})
        results.append(np.load(out))
    np.testing.assert_array_equal(results[1], results[0])


def test_a_recipe_that_ends_at_another_size_is_refused():
    recipe = Recipe("mine", "1", 0, "a", (Resize(0.5, False, ResizeMode.AREA),))
    with pytest.raises(UserError, match="does not end at the size"):
        apply(recipe, np.zeros((8, 8, 3), dtype=np.uint8))


def test_degradation_casts_no_colour(shared_data):
    """Mid-grey photos stay where they are: no step may shift the mean.

    Only clipping may, which BasicSR does too; contrast is halved to keep away from it. The rest
    is real JPEG (0.05 levels a pass at most) and the chance of noise (0.03 levels).
    """
    files = sorted(shared_data("camvid").glob("images/test/*.jpg"))[:12]
    shifts = []
    for number, file in enumerate(files * 5):
        photo = read_image(file)[:240, :320] // 4 + np.uint8(96)
        degraded = apply(sample(RASS, 0, f"{number}-{file.stem}"), photo)
        shifts.append((degraded.astype(float) - photo).mean(axis=(0, 1)))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.2


def test_official_pipeline_is_as_far_from_its_photo_as_ours(oracle_file):
    """Four official results are too few for a test of distribution, but not for gross errors."""
    with np.load(oracle_file("degradation.npz")) as oracle:
        photo = np.ascontiguousarray(np.moveaxis(oracle["pipeline_image_u8"], 0, -1))
        official = [np.moveaxis(oracle[f"pipeline_lq_seed{s}"], 0, -1) * 255 for s in range(4)]
    ours = [apply(sample(RASS, seed, "photo"), photo) for seed in range(300)]
    errors = sorted(float(np.abs(image.astype(float) - photo).mean()) for image in ours)
    for image in official:
        rank = np.searchsorted(errors, np.abs(image - photo).mean()) / len(errors)
        assert 0.005 < rank < 0.995
