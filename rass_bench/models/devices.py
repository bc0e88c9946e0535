"""PyTorch's device, its threads and memory, and how many parameters a network has."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from rass_bench.errors import UserError
from rass_bench.models.protocols import ParameterCount
from rass_bench.models.registry import Runtime

if TYPE_CHECKING:
    import torch


def set_threads(threads: int) -> None:
    """Let PyTorch and OpenCV compute on so many threads of the CPU.

    Raises:
        UserError: fewer than one.
    """
    if threads < 1:
        raise UserError(f"{threads} threads", "--threads", "Give a whole number from 1.")
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt (malloc.h)."""


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of handing it back to the kernel.

    glibc maps each large buffer anew and unmaps it when it is freed, and the kernel clears every
    page that it maps. A network on a CPU frees and takes hundreds of megabytes a layer: clearing
    them is a third of the time of Stable Diffusion's VAE. The price is that the process keeps its
    peak. Where the C library is another one, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, -1)


def prepare(runtime: Runtime) -> torch.device:
    """Set the threads, on a CPU keep freed memory, and return the device.

    Raises:
        UserError: a malformed device name, or one that this machine does not have.
    """
    import torch

    set_threads(runtime.threads)
    try:
        device = torch.device(runtime.device)
    except RuntimeError:
        device = torch.device("meta")
    if device.type == "cpu":
        keep_freed_memory()
        return device
    if device.type != "cuda":
        raise UserError(
            f"unknown device {runtime.device!r}", "--device", "Use cpu, cuda or cuda:N."
        )
    if (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"no such device: {runtime.device}",
            "--device",
            f"PyTorch sees {torch.cuda.device_count()} CUDA devices here; use --device cpu.",
        )
    return device


def count_parameters(network: torch.nn.Module) -> ParameterCount:
    """Parameters of a network, shared ones once; buffers are none."""
    parameters = list(network.parameters())
    return ParameterCount(
        total=sum(one.numel() for one in parameters),
        trainable=sum(one.numel() for one in parameters if one.requires_grad),
    )
