"""A set of 1,000 photos, 13 regions each, two annotators: decoded, composed and judged in time.

``pytest -m slow -s tests/annotate/test_speed.py`` to see the figures; RASS_BENCH_PHOTOS sets
another number of photos.
"""

import json
import os
import resource
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from rass_bench.annotate.acceptance import acceptance
from rass_bench.annotate.assess import assess, write_assessment
from rass_bench.annotate.project import load_config, load_project
from rass_bench.annotate.raw import PULL_SCHEMA, PullState, save_state
from rass_bench.data.manifest import Sample
from tests.annotate.projects import (
    CONFIG_SHA256,
    SERVER_VERSION,
    annotation,
    begin,
    drawn,
    keep,
    policy,
)

SIDE, REGIONS, DISTINCT = 512, 13, 6
LIMIT = 180.0
"""Seconds, on two cores."""

pytestmark = pytest.mark.slow


def noise(rng, sigma):
    """Blurred noise of unit variance, float32 (REGIONS, SIDE, SIDE)."""
    fields = rng.standard_normal((REGIONS, SIDE, SIDE), dtype=np.float32)
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in fields])
    return blurred / blurred.std()


def two_opinions(rng):
    """Two label maps of 13 ragged regions; as JSON an annotation has 140 to 165 kB, as real ones.

    The annotators differ by some pixels along all outlines.
    """
    scene = noise(rng, 40) + 0.03 * noise(rng, 1.5)
    opinions = [scene + 0.05 * noise(rng, 8) for _ in range(2)]
    return [(11 * fields.argmax(axis=0)).astype(np.uint8) for fields in opinions]


def photos(folder, count, rng):
    folder.mkdir()
    samples = []
    for index in range(count):
        coarse = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        path = folder / f"{index:04d}.jpg"
        Image.fromarray(cv2.resize(coarse, (SIDE, SIDE))).save(path, quality=90)
        samples.append(Sample(path.stem, path))
    return samples


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    rng = np.random.default_rng(0)
    count = int(os.environ.get("RASS_BENCH_PHOTOS", "1000"))
    return begin(folder / "project", photos(folder / "photos", count, rng))


def test_a_thousand_photos_take_less_than_three_minutes(project, tmp_path):
    rng = np.random.default_rng(1)
    answers = [[json.dumps(drawn(labels)) for labels in two_opinions(rng)] for _ in range(DISTINCT)]
    lengths = [len(text) // 1000 for pair in answers for text in pair]
    seconds = {}

    started = time.perf_counter()
    config = load_config(project)
    accept = acceptance(config, config)
    tasks = load_project(project).tasks
    noted = []
    for index, task in enumerate(tasks):
        for who in (1, 2):
            result = json.loads(answers[index % DISTINCT][who - 1])
            one = annotation(2 * index + who, who, result, updated_at=f"2026 {index:06d}")
            noted.append(keep(project, task, one, accept))
    save_state(project, PullState(PULL_SCHEMA, SERVER_VERSION, CONFIG_SHA256, None, tuple(noted)))
    seconds["pull, server aside"] = time.perf_counter() - started
    assert [one.problem for one in noted if one.problem] == []

    started = time.perf_counter()
    found = assess(project, policy(), workers=2)
    seconds["assess with 2 workers"] = time.perf_counter() - started

    started = time.perf_counter()
    write_assessment(project, tmp_path / "qa", found, "speed")
    seconds["tables and page"] = time.perf_counter() - started

    print(f"\n{len(tasks)} photos, annotations of {min(lengths)} to {max(lengths)} kB")
    for step, value in seconds.items():
        print(f"{step}: {value:.1f} s, {1e3 * value / len(tasks):.1f} ms a photo")
    for who, name in ((resource.RUSAGE_SELF, "this"), (resource.RUSAGE_CHILDREN, "a worker")):
        peak = resource.getrusage(who).ru_maxrss / 1024
        print(f"peak memory of {name}: {peak:.0f} MiB")
    print("load", *(f"{one:.1f}" for one in os.getloadavg()))
    assert {pair.agreement.kappa > 0.8 for one in found.measures for pair in one.pairs} == {True}
    assert sum(seconds.values()) < LIMIT * max(1, len(tasks) / 1000)
