"""Bringing a network into the form that it computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from rass_bench.models.rass.choices import Execution, Precision


def prepare_network(network: Any, execution: Execution, device: torch.device) -> None:
    """Freeze a network with ``vae`` and ``unet``, move it to its device, lay out and compile it.

    Args:
        network: changed in place.
        execution: how it will compute.
        device: where.
    """
    network.eval().requires_grad_(False).to(device)
    if execution.channels_last:
        network.vae.to(memory_format=torch.channels_last)
        network.unet.to(memory_format=torch.channels_last)
    if execution.compile:
        for block in _blocks(network):
            # Block by block: the hooks on blocks stay outside of what is compiled.
            block.forward = torch.compile(block.forward)


def autocast(execution: Execution, device: torch.device) -> AbstractContextManager[Any]:
    """The context to compute in."""
    reduced = execution.precision is Precision.BF16
    return torch.autocast(device.type, torch.bfloat16, enabled=reduced)


def _blocks(network: Any) -> list[nn.Module]:
    """The blocks of VAE and UNet, in which most time is spent."""
    encoder, decoder, unet = network.vae.encoder, network.vae.decoder, network.unet
    blocks = [*encoder.down_blocks, encoder.mid_block]
    if not isinstance(decoder, nn.Identity):
        blocks += [decoder.mid_block, *decoder.up_blocks]
    return [*blocks, *unet.down_blocks, unet.mid_block, *unet.up_blocks]
