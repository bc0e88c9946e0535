"""Tolerances: exact on one kind of machine, and elsewhere what rounding can really do."""

import dataclasses
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.data.dataset import open_dataset
from rass_bench.evaluate.environment import describe_environment
from rass_bench.images import read_image
from rass_bench.models.catalog import load_segmenter
from rass_bench.models.sizing import fit, segment
from rass_bench.verify import tolerance as module
from rass_bench.verify.tolerance import (
    DENSITY,
    Arithmetic,
    device_kind,
    relative_error,
    tolerance,
)

HERE = describe_environment("cpu", 1)
GPU = dataclasses.replace(HERE, device="cuda:0 (NVIDIA A100)")
OTHER_TORCH = dataclasses.replace(HERE, packages={**HERE.packages, "torch": "1.0"})


def test_the_same_machine_is_asked_for_the_same_bits():
    assert tolerance(HERE, HERE, ()).is_exact
    assert tolerance(GPU, dataclasses.replace(GPU, device="cuda:3 (NVIDIA A100)"), ()).is_exact


@pytest.mark.parametrize(
    "now",
    [
        OTHER_TORCH,
        GPU,
        dataclasses.replace(HERE, threads=2),
        dataclasses.replace(HERE, platform="Linux aarch64"),
        dataclasses.replace(HERE, device="cpu (Another One, 64 cores)"),
    ],
)
def test_another_one_is_not(now):
    assert not tolerance(HERE, now, ()).is_exact


def test_the_commit_and_pythons_version_change_no_bits():
    now = dataclasses.replace(HERE, python="3.99.0", git_commit="f" * 40, git_dirty=True)
    assert tolerance(HERE, now, ()).is_exact


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ("cpu (AMD EPYC, 2 cores)", "cpu (AMD EPYC)"),
        ("cuda:1 (NVIDIA H200)", "cuda (NVIDIA H200)"),
        ("cuda (NVIDIA H200)", "cuda (NVIDIA H200)"),
    ],
)
def test_a_kind_of_device_has_no_number_and_no_cores(device, kind):
    assert device_kind(device) == kind


def test_the_coarsest_format_of_both_sides_decides():
    float32, tf32 = tolerance(HERE, OTHER_TORCH, ()), tolerance(HERE, GPU, ())
    bfloat16 = tolerance(GPU, OTHER_TORCH, ("tagger=ram", "precision=bf16"))
    assert float32.labels > 0.9999 > tf32.labels > bfloat16.labels > 0.8
    assert float32.psnr > 75 > tf32.psnr > bfloat16.psnr > 35


@given(
    error=st.floats(1e-4, 0.2),
    seed=st.integers(0, 2**32),
)
def test_labels_change_only_where_two_scores_are_near(error, seed):
    """Step 2 of the derivation, on scores of any kind."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(5, 40, 40))
    largest = np.abs(scores).max()
    moved = scores + random.uniform(-error, error, scores.shape) * largest
    second, first = np.sort(scores, axis=0)[-2:]
    changed = scores.argmax(axis=0) != moved.argmax(axis=0)
    assert ((first - second)[changed] <= 2 * error * largest).all()


@given(levels=st.floats(0.001, 30), seed=st.integers(0, 2**32))
def test_rounded_pixels_are_off_by_no_more_than_derived(levels, seed):
    """Step 3: errors of up to so many grey levels, before both images are rounded."""
    random = np.random.default_rng(seed)
    image = random.uniform(40, 210, 100_000)
    moved = image + random.uniform(-levels, levels, image.shape)
    squared = float(((np.rint(moved) - np.rint(image)) ** 2).mean())
    # Few of 100,000 pixels change where errors are small: five standard deviations are granted.
    assert squared <= (levels + levels**2) + 5 * math.sqrt(levels / 100_000)


def scenes(count):
    return [read_image(sample.image) for sample in open_dataset("scenes").samples[:count]]


def test_no_scene_has_more_near_scores_than_the_density_says():
    import torch

    model = load_segmenter("segformer-mini-scenes")
    for photo in scenes(3):
        fitted = fit(photo, model.spec.size_rule)
        scores = torch.from_numpy(np.asarray(model.predict([fitted.pixels])[0]))[None]
        scores = torch.nn.functional.interpolate(scores, size=photo.shape[:2], mode="bilinear")
        second, first = np.sort(scores[0].numpy(), axis=0)[-2:]
        distance = (first - second) / float(scores.abs().max())
        for below in (0.003, 0.01, 0.03):
            assert (distance < below).mean() / below <= DENSITY


OTHER_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
}
"""The libraries' own switches for the sums of a processor with short vectors."""

PREDICT = """
import sys
import numpy as np
from tests.verify.test_tolerance import predict_scenes
np.save(sys.argv[1], predict_scenes())
"""


def predict_scenes():
    model = load_segmenter("segformer-mini-scenes")
    return np.stack(segment(model, scenes(2)))


def test_another_processors_order_of_sums_stays_within_the_tolerance_of_float32(tmp_path):
    command = [sys.executable, "-c", PREDICT, str(tmp_path / "labels.npy")]
    subprocess.run(command, check=True, env={**os.environ, **OTHER_PROCESSOR})
    same = np.load(tmp_path / "labels.npy") == predict_scenes()
    asked = tolerance(HERE, OTHER_TORCH, ()).labels
    assert all(share >= asked for share in same.mean(axis=(1, 2)))


def test_the_table_of_the_docstring_is_what_is_asked():
    rows = re.findall(
        r"^\| (\w+) \| ([\d.e-]+) \| ([\d.]+) % .*?\| ([\d.]+) dB", module.__doc__, re.M
    )
    sides = {
        "float32": (OTHER_TORCH, ()),
        "TF32": (GPU, ()),
        "bfloat16": (GPU, ("precision=bf16",)),
    }
    assert [row[0] for row in rows] == list(sides)
    for name, error, labels, psnr in rows:
        asked = tolerance(HERE, *sides[name])
        assert f"{relative_error(Arithmetic(name)):.1e}".replace("e-0", "e-") == error
        assert f"{100 * asked.labels:.{len(labels) - 3}f}" == labels
        assert f"{asked.psnr:.1f}" == psnr


@given(seed=st.integers(0, 2**32))
def test_rounded_factors_make_products_off_by_rounding(seed):
    """Step 1, with bfloat16's 8 bits of significand."""
    random = np.random.default_rng(seed)
    factors = 2.0 ** random.uniform(0, 1, (2, 20_000))  # Benford's law
    rounded = np.rint(factors * 2**7) / 2**7
    off = rounded.prod(axis=0) / factors.prod(axis=0) - 1
    assert np.sqrt((off**2).mean()) / 2.0**-8 == pytest.approx(module.ROUNDING, rel=0.05)


def test_the_formats_are_as_coarse_as_their_significands():
    one = np.float32(1)
    assert one + np.float32(2.0**-24) == one != one + np.float32(2.0**-23)
    assert relative_error(Arithmetic.TF32) == 8**-1 * relative_error(Arithmetic.BFLOAT16)
