"""Devices, threads, parameter counts."""

import platform
import subprocess
import sys

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


FAULTS = """
import resource, sys, torch
from rass_bench.models.devices import prepare
from rass_bench.models.registry import Runtime
if sys.argv[1] == "prepared":
    prepare(Runtime())
convolution = torch.nn.Conv2d(16, 16, 3, padding=1).requires_grad_(False)
photo = torch.rand(1, 16, 512, 512)
def run(times):
    for _ in range(times):
        torch.relu(convolution(torch.relu(convolution(photo))))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
run(3)
before = run(0)
print(run(8) - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_freed_memory_is_used_again_instead_of_cleared_by_the_kernel():
    def faults(how):
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults("prepared") < faults("plain") / 4
