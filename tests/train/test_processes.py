"""Processes of one training join and part."""

import json

import pytest

from rass_bench.files import alone_in
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


@pytest.fixture
def train_vae(tmp_path):
    """Train on the command line, in two processes."""
    photos = labelled_set(tmp_path / "photos", count=2, size=(64, 64))
    options = ["--split", "test", "--crop", 64, "--batch", 1, "--steps", 2, "--out"]
    told = ("train", "vae", "--dataset", photos, *options)
    return lambda out: launched(*told, out, module="rass_bench.cli.main")


def test_several_processes_write_and_tell_as_one(train_vae, tmp_path):
    done = train_vae(tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Written:") == 1
    assert json.loads((tmp_path / "out/training.json").read_text())["batch"] == 2


def test_what_the_first_process_is_refused_ends_all_of_them_in_words(train_vae, tmp_path):
    with alone_in(tmp_path / "out"):
        done = train_vae(tmp_path / "out")
    assert done.returncode != 0
    assert done.stderr.count("Error: another process is writing here") == 2
    assert "rass_bench/train/loop.py" not in done.stderr
