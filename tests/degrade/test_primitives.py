"""Kernels, blur, resize and JPEG against the official code's own results."""

import json

import numpy as np
import pytest
from scipy import special

from rass_bench.degrade.apply import through_jpeg
from rass_bench.degrade.filtering import blur
from rass_bench.degrade.kernels import Kernel, KernelKind, bessel_j1, blur_kernel, sinc_kernel
from rass_bench.degrade.preset import ResizeMode
from rass_bench.degrade.resampling import resize

ORACLE_KINDS = {
    ("gauss", 1): KernelKind.ISO,
    ("gauss", 0): KernelKind.ANISO,
    ("general", 1): KernelKind.GENERALIZED_ISO,
    ("general", 0): KernelKind.GENERALIZED_ANISO,
    ("plateau", 1): KernelKind.PLATEAU_ISO,
    ("plateau", 0): KernelKind.PLATEAU_ANISO,
}


@pytest.fixture(scope="module")
def oracle(oracle_file):
    with np.load(oracle_file("degradation.npz")) as archive:
        return {name: archive[name] for name in archive.files}


def planar(image):
    """Oracle arrays are (3, H, W) in 0..1; ours are (H, W, 3) in 0..255."""
    return np.moveaxis(image, 0, -1).astype(np.float32) * 255


@pytest.fixture(scope="module")
def photo(oracle):
    return np.ascontiguousarray(np.moveaxis(oracle["image_u8"], 0, -1))


def oracle_kernel(name, parameters):
    size, sigma_x, sigma_y, theta, beta, is_isotropic = parameters
    kind = ORACLE_KINDS[name.split("_")[1], is_isotropic]
    return Kernel(
        kind,
        size,
        sigma_x,
        sigma_y=sigma_y if kind.is_anisotropic else None,
        theta=theta if kind.is_anisotropic else None,
        beta=beta if kind.has_shape else None,
    )


def test_blur_kernels_equal_the_official_ones(oracle):
    parameters = json.loads(str(oracle["kernel_params_json"]))
    rows = parameters["kernels(name,ksize,sig_x,sig_y,theta,beta,iso)"]
    assert {name.split("_")[1] for name, *_ in rows} == {"gauss", "general", "plateau"}
    for name, *values in rows:
        ours = blur_kernel(oracle_kernel(name, values))
        np.testing.assert_allclose(ours, oracle[name], rtol=0, atol=1e-6, err_msg=name)


def test_sinc_kernels_equal_the_official_ones_up_to_their_zero_padding(oracle):
    parameters = json.loads(str(oracle["kernel_params_json"]))
    for name, cutoff, size, pad_to in parameters["sinc(name,omega_c,ksize,pad_to)"]:
        margin = max(0, pad_to - size) // 2
        ours = np.pad(sinc_kernel(size, cutoff), margin)
        np.testing.assert_allclose(ours, oracle[name], rtol=0, atol=1e-6, err_msg=name)


def test_bessel_function_equals_scipy():
    x = np.linspace(0, 60, 5000)
    np.testing.assert_allclose(bessel_j1(x), special.j1(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("kernel_name", "result_name"),
    [
        ("filter2D_kernel_a", "filter2D_a"),
        ("sinc_4", "filter2D_sinc4"),
        ("filter2D_kernel_a", "filter2D_official_2d"),
    ],
)
def test_blur_equals_the_official_one(oracle, photo, kernel_name, result_name):
    ours = blur(photo.astype(np.float32), oracle[kernel_name])
    # One grey level is allowed; left-out weights and float32 make less than 0.02.
    assert np.abs(ours - planar(oracle[result_name])).max() < 0.02


@pytest.mark.parametrize("mode", list(ResizeMode))
@pytest.mark.parametrize("scale", [0.15, 0.43, 1.37])
def test_resize_by_a_factor_equals_the_official_one(oracle, photo, mode, scale):
    truth = planar(oracle[f"resize_{mode}_sf{scale}"])
    ours = resize(photo.astype(np.float32), *truth.shape[:2], mode, scale)
    np.testing.assert_allclose(ours, truth, rtol=0, atol=0.01)


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_resize_to_a_size_equals_the_official_one(oracle, photo, mode):
    ours = resize(photo.astype(np.float32), 50, 61, mode)
    np.testing.assert_allclose(ours, planar(oracle[f"resize_{mode}_to50x61"]), rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("quality", "mean_error", "largest_error"),
    [(30.0, 4.4, 55), (42.5, 3.9, 50), (50.0, 3.6, 41), (73.3, 2.95, 35), (95.0, 2.3, 25)],
)
def test_real_jpeg_stays_near_the_official_approximation(
    oracle, photo, quality, mean_error, largest_error
):
    """Limits are what was measured, rounded up: the official code's JPEG is no JPEG.

    It repeats chroma pixels where libjpeg interpolates them, reads the standard's luma table
    transposed, keeps fractions of table entries and of qualities, pads with black instead of the
    border, and rounds neither its input nor its output. The photo of the fixture is noisy, where
    all this shows most. What counts for a degradation agrees: the damage done and no colour cast.
    """
    official = planar(oracle[f"jpeg_tensor_q{quality}"])
    ours = through_jpeg(photo, round(quality)).astype(np.float32)
    difference = ours - official
    assert np.abs(difference).mean() < mean_error
    assert np.abs(difference).max() < largest_error
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.6
    damage, official_damage = np.abs(ours - photo).mean(), np.abs(official - photo).mean()
    assert 0.9 < damage / official_damage < 1.0
