"""Checkpoints: all that changes comes back, and what is none is told."""

import hashlib
import io

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from rass_bench.errors import UserError
from rass_bench.train.checkpoint import Learning, Progress, load_checkpoint, save_checkpoint
from tests.train.tiny import content_of

DESCRIBED = {"settings": {"steps": 5, "seed": 0}, "stage": {"rate": 0.1, "sizes": (1, 2)}}


def learning(seed=0, scaler=None):
    """A frozen layer, one that learns, running means, and an optimizer that has made a step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2), nn.BatchNorm1d(2))
        network[0].requires_grad_(False)
        learns = [one for one in network.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(learns, lr=0.1)
        network(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return Learning(network, optimizer, scaler)


def step(kept):
    kept.network(torch.arange(12.0).reshape(4, 3) / 10).square().sum().backward()
    kept.optimizer.step()
    kept.optimizer.zero_grad()


@pytest.fixture
def saved(tmp_path):
    kept = learning()
    save_checkpoint(tmp_path / "c.pt", kept, DESCRIBED, Progress(3, 1.5))
    return tmp_path / "c.pt", kept


def test_everything_that_changes_comes_back(saved):
    path, kept = saved
    again = learning(seed=1)
    again.network[0].load_state_dict(kept.network[0].state_dict())
    assert load_checkpoint(path, again, DESCRIBED, resume=True) == Progress(3, 1.5)
    for one in (kept, again):
        step(one)
    for name, tensor in kept.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


def test_what_is_frozen_is_not_kept(saved):
    kept = content_of(saved[0])["network"]
    assert {"1.weight", "1.bias", "2.running_mean"} <= kept.keys()
    assert not any(name.startswith("0.") for name in kept)


def test_the_scaler_of_half_precision_comes_back(tmp_path):
    scalers = [torch.amp.GradScaler("cpu", init_scale=scale) for scale in (8.0, 2.0)]
    for scaler in scalers:
        scaler.scale(torch.ones(()))  # it makes its tensors when it is first used
    save_checkpoint(tmp_path / "c.pt", learning(scaler=scalers[0]), DESCRIBED, Progress(1))
    load_checkpoint(tmp_path / "c.pt", learning(scaler=scalers[1]), DESCRIBED, resume=True)
    assert scalers[1].get_scale() == 8


def test_no_file_is_a_fresh_start(tmp_path):
    for resume in (True, False):
        assert load_checkpoint(tmp_path / "c.pt", learning(), DESCRIBED, resume=resume).step == 0


def test_a_file_is_not_trained_over(saved):
    with pytest.raises(UserError, match=r"been here before.*--resume"):
        load_checkpoint(saved[0], learning(), DESCRIBED, resume=False)


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({**DESCRIBED, "settings": {"steps": 6, "seed": 0}}, "settings steps is 6, there it was 5"),
        ({**DESCRIBED, "stage": {"rate": 0.1, "sizes": (1, 3)}}, "stage sizes is [1, 3]"),
        ({**DESCRIBED, "more": 1}, "more is 1, there it was None"),
        ({"settings": DESCRIBED["settings"]}, "stage is None"),
    ],
)
def test_another_run_is_told_by_the_first_difference(saved, described, words):
    before = learning().network.state_dict()
    other = learning()
    with pytest.raises(UserError) as refused:
        load_checkpoint(saved[0], other, described, resume=True)
    assert words in str(refused.value) and "another run" in str(refused.value)
    assert all(torch.equal(one, other.network.state_dict()[name]) for name, one in before.items())


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_part_of_a_file_is_refused(saved, data):
    whole = saved[0].read_bytes()
    path = saved[0].with_name("cut.pt")
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(UserError, match="no checkpoint"):
        load_checkpoint(path, learning(), DESCRIBED, resume=True)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=200))
def test_any_other_file_is_refused(saved, content):
    path = saved[0].with_name("other.pt")
    path.write_bytes(content)
    with pytest.raises(UserError, match="no checkpoint"):
        load_checkpoint(path, learning(), DESCRIBED, resume=True)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_byte_that_was_changed_is_noticed(saved, data):
    """Also in a tensor's numbers, which PyTorch reads as they are."""
    content = bytearray(saved[0].read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = saved[0].with_name("changed.pt")
    path.write_bytes(content)
    with pytest.raises(UserError, match="no checkpoint"):
        load_checkpoint(path, learning(), DESCRIBED, resume=True)


@pytest.mark.parametrize("content", [[1, 2], {}, {"network": {}}, torch.ones(()), "text"])
@pytest.mark.parametrize("hashed", [True, False])
def test_what_torch_saved_of_something_else_is_refused(tmp_path, content, hashed):
    stream = io.BytesIO()
    torch.save(content, stream)
    head = f"rass-bench training 1 {hashlib.sha256(stream.getvalue()).hexdigest()}\n".encode()
    (tmp_path / "c.pt").write_bytes((head if hashed else b"") + stream.getvalue())
    with pytest.raises(UserError, match="no checkpoint"):
        load_checkpoint(tmp_path / "c.pt", learning(), DESCRIBED, resume=True)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        save_checkpoint(tmp_path / "file/c.pt", learning(), DESCRIBED, Progress(1))
