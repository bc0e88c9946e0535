"""The rendered split on disk: complete or resumed, never half."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rass_bench.data.dataset import open_dataset
from rass_bench.data.manifest import load_manifest
from rass_bench.data.scenes import check_pixels, render_scene, render_split
from rass_bench.data.spec import SplitSpec, load_spec
from rass_bench.errors import UserError
from rass_bench.images import read_image, write_image
from rass_bench.labels import read_label_map
from tests.builders import accept_interrupts

SPEC = load_spec("scenes")
FEW = SplitSpec("val", 3)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_CACHE", str(tmp_path))
    return tmp_path


def files(root):
    """Relative path to content of everything below ``root``."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_val_split_opens_like_any_data_set():
    dataset = open_dataset("scenes", split="val")
    assert (len(dataset.samples), dataset.missing) == (40, 0)
    sample = dataset.samples[8]
    scene = render_scene("val", 8)
    assert np.array_equal(read_image(sample.image), scene.image)
    labels = read_label_map(sample.label, SPEC.labels, SPEC.label_encoding)
    assert np.array_equal(labels, scene.labels)
    assert check_pixels(SPEC, "val", dataset.root).different == ()


def test_every_class_of_val_is_in_at_least_four_images():
    dataset = open_dataset("scenes", split="val")
    images = np.zeros(256, dtype=int)
    for sample in dataset.samples:
        images[np.unique(read_label_map(sample.label, SPEC.labels, SPEC.label_encoding))] += 1
    used = np.flatnonzero(images)
    assert len(used) == 21
    assert images[used].min() >= 4


@pytest.mark.slow
def test_every_class_of_train_is_in_a_tenth_of_the_images():
    dataset = open_dataset("scenes", split="train")
    images = np.zeros(256, dtype=int)
    for sample in dataset.samples:
        images[np.unique(read_label_map(sample.label, SPEC.labels, SPEC.label_encoding))] += 1
    assert images[np.flatnonzero(images)].min() >= 20
    assert check_pixels(SPEC, "train", dataset.root).different == ()


def test_rendering_twice_touches_nothing(cache):
    root = render_split(SPEC, FEW)
    stamps = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert render_split(SPEC, FEW) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == stamps


def test_what_an_interrupted_run_lacks_is_rendered_and_the_rest_kept(cache):
    root = render_split(SPEC, FEW)
    whole = files(root)
    (root / "manifest-val.json").unlink()
    (root / "annotations/val/scene_0000.png").unlink()
    damaged = root / "images/val/scene_0001.png"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    kept = root / "images/val/scene_0002.png"
    stamp = kept.stat().st_mtime_ns
    render_split(SPEC, FEW)
    assert files(root) == whole
    assert kept.stat().st_mtime_ns == stamp


def test_a_killed_run_resumes_to_the_same_files(cache, tmp_path, monkeypatch):
    program = (
        "from rass_bench.data.scenes import render_split\n"
        "from rass_bench.data.spec import SplitSpec, load_spec\n"
        "render_split(load_spec('scenes'), SplitSpec('val', 12))"
    )
    run = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    root = cache / "scenes" / SPEC.version
    deadline = time.monotonic() + 60
    while not list(root.glob("images/val/scene_*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (root / "manifest-val.json").exists()
    render_split(SPEC, SplitSpec("val", 12))
    assert check_pixels(SPEC, "val", root, indices=range(12)).different == ()
    assert len(load_manifest(root / "manifest-val.json").entries) == 12


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ending_a_run_ends_its_rendering_processes_without_a_word(cache, signal_number):
    command = [sys.executable, "-m", "rass_bench.cli.main", "data", "check", "scenes"]
    run = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=accept_interrupts,
    )
    deadline = time.monotonic() + 60
    while not list(cache.rglob("scene_*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    # As a terminal does it: every process of the group gets the signal.
    os.killpg(run.pid, signal_number)
    _, told = run.communicate(timeout=60)  # returns when the last process has let go of stderr
    assert run.returncode in (130, -signal.SIGTERM)
    assert "Traceback" not in told


def test_two_runs_at_once_agree(cache):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: render_split(SPEC, FEW), range(2))
    assert first == second
    assert check_pixels(SPEC, "val", first, indices=range(3)).different == ()
    assert not list(first.rglob("*.tmp"))


def test_a_changed_pixel_or_label_is_named(cache):
    root = render_split(SPEC, FEW)
    path = root / "images/val/scene_0001.png"
    image = read_image(path).copy()
    image[100, 100, 2] ^= 1
    write_image(path, image)
    report = check_pixels(SPEC, "val", root, indices=range(3))
    assert report.checked == ("scene_0000", "scene_0001", "scene_0002")
    assert report.different == ("scene_0001",)


def test_a_cache_that_cannot_be_written_is_the_users_to_mend(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RASS_BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="file"):
        render_split(SPEC, FEW)


def test_a_failed_write_in_a_rendering_process_reaches_the_user(cache):
    root = cache / "scenes" / SPEC.version
    (root / "images").mkdir(parents=True)
    (root / "images/val").write_text("in the way")
    with pytest.raises(UserError, match=r"val"):
        render_split(SPEC, FEW)


def test_a_split_without_a_count_is_refused(cache):
    with pytest.raises(UserError, match="no number"):
        render_split(SPEC, SplitSpec("val", None))
