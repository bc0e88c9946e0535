"""The training loop: killed, resumed, shared out, refused."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.train.loop import Precision, train
from rass_bench.train.metrics_log import read_metrics
from tests.train.tiny import (
    REPOSITORY,
    TinyStage,
    content_of,
    launched,
    photos_in,
    settings_of,
    stream_of,
    train_tiny,
    weights_of,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A training that nothing interrupted: its folder and its weights."""
    out = tmp_path_factory.mktemp("whole")
    return out, weights_of(train_tiny(photos, out))


@pytest.fixture
def fresh_accelerate():
    """accelerate keeps one precision a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def curve(out):
    """metrics.csv but for the seconds, every digit of it."""
    with (out / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def stop_after(steps):
    """An ``advance`` that ends the training by Ctrl-C."""
    done = []

    def advance(more, note):
        del note
        done.append(more)
        if sum(done) == steps:
            raise KeyboardInterrupt

    return advance


# Resume


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stops=st.sets(st.integers(1, 6), min_size=1, max_size=3), every=st.integers(1, 6))
def test_wherever_it_is_stopped_it_goes_on_to_the_same(
    photos, whole, tmp_path_factory, stops, every
):
    out = tmp_path_factory.mktemp("stopped")
    for stop in sorted(stops):
        with pytest.raises(KeyboardInterrupt):
            train_tiny(photos, out, resume=True, advance=stop_after(stop), checkpoint_every=every)
    stage = train_tiny(photos, out, resume=True, checkpoint_every=every)
    assert weights_of(stage) == whole[1]
    assert curve(out) == curve(whole[0])


def test_a_killed_process_leaves_a_training_that_goes_on_to_the_same(photos, whole, tmp_path):
    command = [sys.executable, "-m", "tests.train.tiny", photos.root, tmp_path, "--kill-after", "5"]
    killed = subprocess.run([*map(str, command)], cwd=REPOSITORY, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(read_metrics(tmp_path / "metrics.csv")) == 5
    told = []
    stage = train_tiny(
        photos, tmp_path, resume=True, advance=lambda steps, note: told.append((steps, note))
    )
    assert told[0] == (4, ""), "the steps of the last checkpoint are told at once"
    assert [steps for steps, _ in told[1:]] == [1, 1]
    assert weights_of(stage) == whole[1]
    assert curve(tmp_path) == curve(whole[0])


def test_a_finished_training_is_resumed_to_itself(photos, whole):
    before = curve(whole[0])
    stage = train_tiny(photos, whole[0], resume=True)
    assert weights_of(stage) == whole[1]
    assert stage.steps_told == []
    assert curve(whole[0]) == before


def test_resume_begins_where_there_is_nothing(photos, whole, tmp_path):
    assert weights_of(train_tiny(photos, tmp_path, resume=True)) == whole[1]


# What results depend on


def test_workers_change_nothing(photos, whole, tmp_path):
    for workers in (1, 2):
        stage = train_tiny(photos, tmp_path / str(workers), workers=workers)
        assert weights_of(stage) == whole[1]


def test_another_seed_gives_other_weights(photos, whole, tmp_path):
    assert weights_of(train_tiny(photos, tmp_path, seed=1)) != whole[1]


def test_what_was_drawn_before_changes_nothing(photos, whole, tmp_path):
    torch.manual_seed(99)
    torch.randn(3)
    assert weights_of(train_tiny(photos, tmp_path)) == whole[1]


def test_pictures_change_nothing(photos, whole, tmp_path):
    stage = train_tiny(photos, tmp_path, pictures_every=4)
    assert weights_of(stage) == whole[1]
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["000004.png", "000006.png"]
    assert read_image(tmp_path / "pictures/000006.png").ndim == 3


def test_steps_follow_the_stages_rate_and_are_adamw_with_a_clipped_gradient(photos, tmp_path):
    """Against PyTorch's own optimizer on the crops of the same places."""
    stage = train_tiny(photos, tmp_path, stage=TinyStage(noise=False), steps=4)
    other, crops = TinyStage(noise=False), stream_of(photos)
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.01, weight_decay=0.05)
    rows = read_metrics(tmp_path / "metrics.csv")
    for step, batch in enumerate(crops.batches(2, 0, 4, workers=0)):
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
        optimizer.zero_grad()
        terms = other(batch)
        sum(terms.values()).backward()
        norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in other.parameters()]))
        for parameter in other.parameters():
            parameter.grad *= min(1, 1 / float(norm))
        optimizer.step()
        assert rows[step].gradient_norm == pytest.approx(float(norm), rel=1e-5)
        assert rows[step].learning_rate == pytest.approx(0.01 / (1 + step))
        assert rows[step].loss == pytest.approx(sum(map(float, terms.values())), rel=1e-5)
    for one, wanted in zip(stage.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-4, atol=1e-6)
    assert stage.steps_told == [0, 1, 2, 3]
    assert not stage.training


# Precision


def test_half_precision_on_a_cpu_stays_near(photos, whole, tmp_path, fresh_accelerate):
    train_tiny(photos, tmp_path, precision=Precision.BF16)
    rows = [read_metrics(out / "metrics.csv") for out in (tmp_path, whole[0])]
    for half, full in zip(*rows, strict=True):
        assert half.loss == pytest.approx(full.loss, rel=0.02)
    assert [row.loss for row in rows[0]] != [row.loss for row in rows[1]]


# Several processes


def test_two_processes_share_each_batch(photos, tmp_path):
    """They take the steps of one process with both of their crops."""
    done = launched(photos.root, tmp_path / "two", "--batch", 1, "--steps", 4, "--plain")
    assert done.returncode == 0, done.stderr
    alone = train_tiny(
        photos,
        tmp_path / "one",
        stage=TinyStage(noise=False, seen=tmp_path / "seen.txt"),
        steps=4,
        batch=2,
    )
    shared = np.frombuffer((tmp_path / "two/weights.bin").read_bytes(), dtype=np.float32)
    wanted = np.frombuffer(weights_of(alone), dtype=np.float32)
    np.testing.assert_allclose(shared, wanted, rtol=1e-4, atol=1e-6)

    assert len(read_metrics(tmp_path / "two/metrics.csv")) == 4
    sums = [
        np.loadtxt(path)
        for path in (
            *(tmp_path / f"two/seen-{index}.txt" for index in (0, 1)),
            tmp_path / "seen.txt",
        )
    ]
    assert (sums[0] != sums[1]).all()
    np.testing.assert_allclose(sums[0] + sums[1], sums[2], rtol=1e-6)


# Refusals


def refuse(photos, out, words, **changes):
    with pytest.raises(UserError) as refused:
        train_tiny(photos, out, **changes)
    for word in words:
        assert word in str(refused.value)


def test_a_folder_in_use_is_refused(photos, whole):
    refuse(photos, whole[0], ("has been here before", str(whole[0]), "--resume"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 7}, "settings steps is 7, there it was 6"),
        ({"batch": 3}, "settings batch is 3, there it was 2"),
        ({"seed": 1}, "seed is 1, there it was 0"),
        ({"stage": TinyStage(noise=False)}, "stage noise"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(photos, whole, changes, words):
    refuse(photos, whole[0], ("another run", words, "--out"), resume=True, **changes)


def test_a_checkpoint_of_other_photos_is_refused(whole, tmp_path):
    refuse(photos_in(tmp_path, count=4), whole[0], ("crops count is 4",), resume=True)


def test_a_checkpoint_begun_with_other_weights_is_refused(photos, tmp_path):
    told = TinyStage(), stream_of(photos), settings_of(steps=1), tmp_path
    train(*told, start="aa")
    with pytest.raises(UserError, match="start is 'bb', there it was 'aa'"):
        train(*told, start="bb", resume=True)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("loss", "the term mse of the loss is inf at step 2"),
        ("gradient", "the norm of the gradient is nan at step 2"),
        ("memory", "the memory is full"),
        ("machine", "the memory is full"),
    ],
)
def test_a_training_that_cannot_go_on_says_so(photos, tmp_path, spoil, words):
    refuse(photos, tmp_path, (words,), stage=TinyStage(spoil=spoil))
    kept = content_of(tmp_path / "checkpoint.pt")
    assert kept["progress"]["step"] == 2
    assert all(one.isfinite().all() for one in kept["network"].values())


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_photo_is_named(tmp_path, workers):
    photos = photos_in(tmp_path / "data")
    (tmp_path / "data/images/test/p1.png").write_bytes(b"no photo")
    refuse(photos, tmp_path / "out", ("p1.png",), workers=workers)


def test_a_file_in_the_folders_place_is_told(photos, tmp_path):
    (tmp_path / "out").write_text("")
    refuse(photos, tmp_path / "out", (str(tmp_path / "out"),))


def test_a_checkpoint_describes_its_run(whole):
    kept = content_of(whole[0] / "checkpoint.pt")
    described = json.loads(kept["described"])
    assert described["settings"] == {"steps": 6, "seed": 0, "batch": 2, "precision": "no"}
    assert described["crops"]["photos"] == "tiny@1.0 test"
    assert described["processes"] == 1
