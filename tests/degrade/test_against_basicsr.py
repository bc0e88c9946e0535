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
from scipy import fft, stats

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.apply import apply, apply_step, to_uint8
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import Jpeg, sample
from rass_bench.images import label_png, read_image

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


def test_throughput_with_files(photos, tmp_path):
    """2,000 photos of ADE20K's usual size, JPEG in and PNG out, with two workers."""
    count = 2000
    for folder in ("images", "annotations"):
        (tmp_path / "yard" / folder / "validation").mkdir(parents=True)
    labels = label_png(np.ones((512, 683), dtype=np.uint8))
    for i in range(count):
        photo = cv2.resize(photos[i % len(photos)], (683, 512), interpolation=cv2.INTER_AREA)
        encoded = simplejpeg.encode_jpeg(photo, 92, colorspace="RGB", colorsubsampling="420")
        (tmp_path / f"yard/images/validation/{i:05}.jpg").write_bytes(encoded)
        (tmp_path / f"yard/annotations/validation/{i:05}.png").write_bytes(labels)
    dataset = open_dataset("ade20k", tmp_path / "yard")
    start = time.perf_counter()
    result = degrade_dataset(dataset, "rass", 0, tmp_path / "out", workers=2)
    seconds = time.perf_counter() - start
    print(f"\n{count} photos of 683 x 512, two workers: {count / seconds:.1f} images/s")
    assert len(result.manifest.entries) == count


@pytest.fixture(scope="module")
def clean_crops(photos):
    rng = np.random.Generator(np.random.Philox(20))
    crops = []
    for i in range(1000):
        photo = photos[i % len(photos)]
        top, left = (int(rng.integers(0, length - 256 + 1)) for length in photo.shape[:2])
        crops.append(photo[top : top + 256, left : left + 256])
    return np.stack(crops)


@pytest.fixture(scope="module")
def basicsr_results(basicsr, clean_crops):
    return basicsr(clean_crops)[0]


def test_same_distribution_of_results(clean_crops, basicsr_results):
    ours = [apply(sample(RASS, 0, f"crop-{i}"), photo) for i, photo in enumerate(clean_crops)]
    p_values = compare(clean_crops, ours, basicsr_results)
    for name in ("PSNR", "Laplacian energy", "chroma noise", "JPEG size"):
        assert p_values[name] > 0.01, name


def test_what_differs_is_the_real_jpeg(clean_crops, basicsr_results):
    """With BasicSR's imitation of JPEG in place of libjpeg nothing tells the pipelines apart.

    With libjpeg the finest chroma texture is weaker, since libjpeg interpolates the chroma that
    it has halved where BasicSR repeats pixels, and the mean is higher by a tenth of a grey level,
    since libjpeg quantises whole numbers.
    """
    ours = [with_imitated_jpeg(sample(RASS, 0, f"crop-{i}"), p) for i, p in enumerate(clean_crops)]
    p_values = compare(clean_crops, ours, basicsr_results)
    for name, p_value in p_values.items():
        assert p_value > 0.01, name


def compare(clean, ours, theirs):
    """Print and return the p values of two-sample Kolmogorov-Smirnov tests by statistic."""
    mine = [statistics(*pair) for pair in zip(clean, ours, strict=True)]
    reference = [statistics(*pair) for pair in zip(clean, theirs, strict=True)]
    print(f"\n{len(clean)} photos: two-sample Kolmogorov-Smirnov tests, medians")
    p_values = {}
    for name in mine[0]:
        first, second = ([row[name] for row in rows] for rows in (mine, reference))
        test = stats.ks_2samp(first, second)
        medians = f"ours {np.median(first):.4g}, BasicSR {np.median(second):.4g}"
        print(f"  {name:17} D {test.statistic:.3f} p {test.pvalue:.4f}  {medians}")
        p_values[name] = test.pvalue
    return p_values


def statistics(clean, degraded):
    """What tells two degradations apart; chroma noise is the chroma's deviation from clean."""
    error = degraded.astype(np.float64) - clean
    luma = cv2.cvtColor(degraded, cv2.COLOR_RGB2GRAY).astype(np.float64)
    chroma, clean_chroma = (
        cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2YCrCb)[..., 1:]
        for image in (degraded, clean)
    )
    encoded = simplejpeg.encode_jpeg(degraded, 90, colorspace="RGB", colorsubsampling="420")
    return {
        "PSNR": 10 * np.log10(255**2 / np.square(error).mean()),
        "Laplacian energy": cv2.Laplacian(luma, cv2.CV_64F).var(),
        "chroma noise": (chroma - clean_chroma).std(),
        "JPEG size": len(encoded),
        "chroma texture": np.abs(chroma - cv2.blur(chroma, (5, 5))).mean(),
        "mean error": error.mean(),
    }


def with_imitated_jpeg(recipe, photo):
    current = photo.astype(np.float32)
    for number, step in enumerate(recipe.steps):
        if isinstance(step, Jpeg):
            current = imitated_jpeg(np.clip(current, 0, 255), step.quality)
        else:
            current = apply_step(step, current, photo.shape[:2], recipe, number)
    return to_uint8(current)


# Tables K.1 and K.2 of ITU-T T.81.
LUMA_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
CHROMA_TABLE = np.full((8, 8), 99)
CHROMA_TABLE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def imitated_jpeg(image, quality):
    """BasicSR's DiffJPEG: fractional, transposed tables; black padding; repeated chroma."""
    height, width = image.shape[:2]
    factor = 50 / quality if quality < 50 else 2 - quality / 50
    padded = np.pad(image.astype(float), ((0, -height % 16), (0, -width % 16), (0, 0)))
    luma = quantised(padded @ [0.299, 0.587, 0.114], LUMA_TABLE.T * factor)
    blue, red = (
        quantised(halved(padded @ weights) + 128, CHROMA_TABLE * factor).repeat(2, 0).repeat(2, 1)
        - 128
        for weights in ([-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312])
    )
    channels = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
    return np.clip(np.stack(channels, -1), 0, 255)[:height, :width].astype(np.float32)


def halved(plane):
    return plane.reshape(len(plane) // 2, 2, -1, 2).mean(axis=(1, 3))


def quantised(plane, table):
    blocks = (plane - 128).reshape(len(plane) // 8, 8, -1, 8).swapaxes(1, 2)
    coefficients = fft.dctn(blocks, axes=(2, 3), norm="ortho")
    restored = fft.idctn(np.rint(coefficients / table) * table, axes=(2, 3), norm="ortho")
    return restored.swapaxes(1, 2).reshape(plane.shape) + 128
