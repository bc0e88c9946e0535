"""Speed and distribution against BasicSR's torch pipeline, which the preset ``rass`` replaces.

BasicSR needs an environment of its own (PyPI ``basicsr-fixed`` 1.4.2, torch, numpy, scipy,
OpenCV); the variable RASS_BENCH_BASICSR_PYTHON names its Python. Run with
``pytest -m slow -s tests/degrade/test_against_basicsr.py`` to see the figures.
"""

import os
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from scipy import stats

from rass_bench.degrade.apply import apply, apply_step, to_uint8
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import sample
from rass_bench.images import read_image

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("basicsr_pipeline.py")
RASS = PRESETS.get("rass")


@pytest.fixture(scope="module")
def basicsr(tmp_path_factory):
    """Photos uint8 (N, H, W, 3) to BasicSR's results and its seconds a photo, on one thread."""
    python = os.environ.get("RASS_BENCH_BASICSR_PYTHON")
    if not python:
        pytest.skip("RASS_BENCH_BASICSR_PYTHON does not name a Python with basicsr-fixed 1.4.2")

    def run(photos):
        folder = tmp_path_factory.mktemp("basicsr")
        np.save(folder / "photos.npy", photos)
        files = [str(folder / "photos.npy"), str(folder / "results.npz")]
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        subprocess.run([python, DRIVER, *files, "0"], check=True, env={**os.environ, **threads})
        with np.load(folder / "results.npz") as results:
            return results["degraded"], results["seconds"]

    return run


@pytest.fixture(scope="module")
def photos(shared_data):
    """Real photos of at least 256 pixels a side, from ADE20K and the CamVid test split."""
    files = sorted(shared_data("ade20k150").glob("images/*/*.jpg"))
    files += sorted(shared_data("camvid").glob("images/test/*.jpg"))[:29]
    found = [read_image(file) for file in files]
    return [photo for photo in found if min(photo.shape[:2]) >= 256]


def test_is_seven_times_faster(basicsr, photos):
    count = 120
    photo = cv2.resize(photos[0], (512, 512), interpolation=cv2.INTER_AREA)
    recipes = [sample(RASS, 0, f"photo-{i}") for i in range(count)]
    for recipe in recipes:
        apply(recipe, photo)  # compiles, and builds the noise tables
    _, theirs = basicsr(np.stack([photo] * count))
    ours, stages = [], defaultdict(float)
    for i in range(count):
        start = time.perf_counter()
        recipe = sample(RASS, 0, f"photo-{i}")
        apply(recipe, photo)
        ours.append(time.perf_counter() - start)
        time_stages(recipe, photo, stages)
    ratio = np.median(theirs) / np.median(ours)
    print(f"\n512 x 512, {count} photos, one thread, without files; median (mean) ms:")
    print(f"BasicSR {1e3 * np.median(theirs):.1f} ({1e3 * np.mean(theirs):.1f})")
    print(f"rass-bench {1e3 * np.median(ours):.1f} ({1e3 * np.mean(ours):.1f})")
    print(f"ratio of medians {ratio:.1f}, of means {np.mean(theirs) / np.mean(ours):.1f}")
    for name, seconds in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"  {name:14} {1e3 * seconds / count:6.2f} ms a photo")
    assert ratio >= 7


def time_stages(recipe, photo, stages):
    start = time.perf_counter()
    sample(RASS, recipe.seed, recipe.sample_id)
    stages["sampling"] += time.perf_counter() - start
    current = photo.astype(np.float32)
    for number, step in enumerate(recipe.steps):
        start = time.perf_counter()
        current = apply_step(step, current, photo.shape[:2], recipe, number)
        stages[type(step).__name__] += time.perf_counter() - start
    start = time.perf_counter()
    to_uint8(current)
    stages["rounding"] += time.perf_counter() - start


def statistics(clean, degraded):
    """What tells two degradations apart: error, sharpness, colour noise, size, cast."""
    error = degraded.astype(np.float64) - clean
    luma = cv2.cvtColor(degraded, cv2.COLOR_RGB2GRAY).astype(np.float64)
    chroma = cv2.cvtColor(degraded, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(np.float32)
    encoded = simplejpeg.encode_jpeg(degraded, 90, colorspace="RGB", colorsubsampling="444")
    return {
        "PSNR": 10 * np.log10(255**2 / max(np.square(error).mean(), 1e-9)),
        "Laplacian energy": np.log(cv2.Laplacian(luma, cv2.CV_64F).var() + 1e-3),
        "chroma noise": np.abs(chroma - cv2.medianBlur(chroma, 5)).mean(),
        "JPEG size": len(encoded),
        "mean bias": error.mean(),
    }


def test_same_distribution_of_results(basicsr, photos):
    count, side = 1000, 256
    rng = np.random.Generator(np.random.Philox(20))
    crops = []
    for i in range(count):
        photo = photos[i % len(photos)]
        top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
        crops.append(photo[top : top + side, left : left + side])
    clean = np.stack(crops)
    theirs, _ = basicsr(clean)
    ours = [apply(sample(RASS, 0, f"crop-{i}"), photo) for i, photo in enumerate(clean)]
    measured = [
        [statistics(a, b) for a, b in zip(clean, results, strict=True)]
        for results in (ours, theirs)
    ]
    print(f"\n{count} photos of {side} x {side}: two-sample Kolmogorov-Smirnov test")
    for name in measured[0][0]:
        mine, reference = ([row[name] for row in rows] for rows in measured)
        test = stats.ks_2samp(mine, reference)
        medians = f"median {np.median(mine):.3f}, BasicSR {np.median(reference):.3f}"
        print(f"  {name:17} D {test.statistic:.3f} p {test.pvalue:.3f}  {medians}")
        assert test.pvalue > 0.01, name
