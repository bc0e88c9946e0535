"""A set of 1,000 photos, 13 regions each, two annotators: decoded, composed and judged in time.

``pytest -m slow -s tests/annotate/test_speed.py`` to see the figures; RASS_BENCH_PHOTOS sets
another number of photos.
"""

import json
import os
import resource
import time
from contextlib import contextmanager

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
"""Seconds."""

CHILDREN = resource.RUSAGE_CHILDREN

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


class Clock:
    """Seconds of each step: on the wall, and of processors."""

    def __init__(self):
        self.steps = {}

    @contextmanager
    def step(self, name, cores=1):
        """A step whose child processes, if any, share that many cores."""
        wall, own, children = self._now()
        yield
        wall_after, own_after, children_after = self._now()
        busy = own_after - own + (children_after - children) / cores
        self.steps[name] = wall_after - wall, busy

    def _now(self):
        usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, CHILDREN))
        return time.perf_counter(), *(one.ru_utime + one.ru_stime for one in usage)

    def tell(self, photos):
        for name, (wall, busy) in self.steps.items():
            print(
                f"{name}: {wall:.1f} s, {1e3 * wall / photos:.1f} ms a photo; "
                f"of processors {busy:.1f} s, {1e3 * busy / photos:.1f} ms"
            )
        for who, name in ((resource.RUSAGE_SELF, "this process"), (CHILDREN, "a worker")):
            print(f"peak memory of {name}: {resource.getrusage(who).ru_maxrss / 1024:.0f} MiB")
        print("load", *(f"{one:.1f}" for one in os.getloadavg()))


def test_a_thousand_photos_take_less_than_three_minutes_on_two_cores(project, tmp_path):
    rng = np.random.default_rng(1)
    answers = [[json.dumps(drawn(labels)) for labels in two_opinions(rng)] for _ in range(DISTINCT)]
    lengths = [len(text) // 1000 for pair in answers for text in pair]
    tasks = load_project(project).tasks
    clock = Clock()
    with clock.step("pull, server aside"):
        noted = pull_all(project, tasks, answers)
    with clock.step("assess with 2 workers", cores=2):
        found = assess(project, policy(), workers=2)
    with clock.step("tables and page"):
        write_assessment(project, tmp_path / "qa", found, "speed")
    print(f"\n{len(tasks)} photos, annotations of {min(lengths)} to {max(lengths)} kB")
    clock.tell(len(tasks))
    assert [one.problem for one in noted if one.problem] == []
    kappas = [pair.agreement.kappa for one in found.measures for pair in one.pairs]
    assert len(kappas) == len(tasks)
    assert 0.8 < min(kappas) <= max(kappas) < 1
    # Processor time: what else the machine does would be measured on the wall.
    assert sum(busy for _, busy in clock.steps.values()) < LIMIT


def pull_all(project, tasks, answers):
    """Decode and keep what a server would have answered for each task."""
    config = load_config(project)
    accept = acceptance(config, config)
    noted = []
    for index, task in enumerate(tasks):
        for who in (1, 2):
            result = json.loads(answers[index % DISTINCT][who - 1])
            one = annotation(2 * index + who, who, result, updated_at=f"2026 {index:06d}")
            noted.append(keep(project, task, one, accept))
    state = PullState(PULL_SCHEMA, SERVER_VERSION, CONFIG_SHA256, None, tuple(noted))
    save_state(project, state)
    return noted
