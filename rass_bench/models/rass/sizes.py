"""How many parameters RASS has, as the paper counts and as this package loads."""

from __future__ import annotations

import torch

from rass_bench.models.protocols import ParameterCount
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.lora import lora_targets
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.networks import build_networks
from rass_bench.models.rass.ram_weights import official_parameters

JPEG_TABLES = 8_472
"""Constants of the official code's differentiable JPEG, which are parameters there: DCT (8^4 and
8^2, twice), colour transforms (3^2 + 3, twice), two quantisation tables (8^2)."""


def count_parameters_as_published(config: RassConfig) -> ParameterCount:
    """RASS with everything that the paper counts, on no memory.

    Total: UNet, its second set of adapters, VAE with decoder, text encoder, projections, head, one
    tagger with its captioning parts, JPEG tables. Trainable: adapters, ``conv_in``, projections,
    head. Where a size has no tagger, none is counted.
    """
    with torch.device("meta"):
        unet, vae, text_encoder = build_networks(config)
        network = RassNetwork(config)
    added = _count_adapters(network) + _count_head(network)
    tagger = official_parameters(config.ram) if config.ram is not None else 0
    frozen = _count(unet) + _count(vae) + _count(text_encoder)
    return ParameterCount(
        total=frozen + added + tagger + JPEG_TABLES, trainable=count_trainable(network)
    )


def count_trainable(network: RassNetwork) -> int:
    """What training changes, also where the adapters are merged: they, ``conv_in``, the head."""
    return _count_adapters(network) + _count(network.unet.conv_in) + _count_head(network)


def _count_adapters(network: RassNetwork) -> int:
    """A has rank rows as long as a layer's input with its kernel, B rank columns of its output."""
    shapes = {name: one.shape for name, one in network.unet.named_parameters()}
    adapted = (
        shapes[f"{name}.weight"]
        for part in vars(lora_targets(network.unet)).values()
        for name in part
    )
    rank = network.config.lora.rank
    return sum(rank * (shape[0] + shape[1:].numel()) for shape in adapted)


def _count_head(network: RassNetwork) -> int:
    parts = (
        network.projections,
        network.pixel_decoder,
        network.transformer_module,
        network.class_predictor,
    )
    return sum(_count(part) for part in parts)


def _count(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())
