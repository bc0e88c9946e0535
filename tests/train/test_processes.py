"""Processes of one training join and part."""

import json

import pytest

from tests.builders import labelled_set
from tests.train.tiny import launched, photos_in


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What two processes wrote that took two steps."""
    folder = tmp_path_factory.mktemp("two")
    photos = photos_in(folder / "photos")
    done = launched(photos.root, folder / "out", "--batch", 1, "--steps", 2, "--plain")
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.mark.parametrize("process", [0, 1])
def test_the_threads_that_joined_it_to_others_end_before_a_process(trained, process):
    """One that goes on while the interpreter is taken down may abort its process."""
    alive = (trained / f"threads-{process}.txt").read_text()
    assert "python" in alive
    assert "gloo" not in alive


def test_several_processes_write_and_tell_as_one(tmp_path):
    photos, out = labelled_set(tmp_path / "photos", count=2, size=(64, 64)), tmp_path / "out"
    told = [
        "train",
        "vae",
        "--dataset",
        photos,
        "--split",
        "test",
        "--crop",
        64,
        "--batch",
        1,
        "--steps",
        2,
    ]
    done = launched(*told, "--out", out, module="rass_bench.cli.main")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Written:") == 1
    assert json.loads((out / "training.json").read_text())["batch"] == 2
