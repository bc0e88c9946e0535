"""Devices, threads, parameter counts."""

import pytest
import torch

from rass_bench.errors import UserError
from rass_bench.models.devices import count_parameters, prepare
from rass_bench.models.registry import Runtime


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "unknown device 'gpu'"), ("mps", "unknown device"), ("cuda:99", "no such device")],
)
def test_a_device_that_is_not_there(device, message):
    with pytest.raises(UserError, match=message):
        prepare(Runtime(device))


def test_threads_are_set():
    before = torch.get_num_threads()
    assert prepare(Runtime("cpu", threads=2)) == torch.device("cpu")
    assert torch.get_num_threads() == 2
    prepare(Runtime("cpu", threads=before))
    with pytest.raises(UserError, match="0 threads"):
        prepare(Runtime(threads=0))


def test_frozen_parameters_are_not_trainable_and_shared_ones_count_once():
    frozen, shared = torch.nn.Linear(3, 5), torch.nn.Linear(2, 2, bias=False)
    frozen.requires_grad_(requires_grad=False)
    network = torch.nn.Sequential(frozen, shared, shared, torch.nn.BatchNorm1d(4))
    count = count_parameters(network)
    assert count.total == (3 * 5 + 5) + 4 + (4 + 4)
    assert count.trainable == 4 + 8
