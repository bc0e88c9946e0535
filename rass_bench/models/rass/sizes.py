"""How many parameters RASS has, as the paper counts and as this package loads."""

from __future__ import annotations

import torch

from rass_bench.models.protocols import ParameterCount
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.lora import add_lora
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
        add_lora(unet, config.lora)
        network = RassNetwork(config)
    heads = (
        network.projections,
        network.pixel_decoder,
        network.transformer_module,
        network.class_predictor,
    )
    head = sum(_count(part) for part in heads)
    adapted = sum(one.numel() for one in unet.parameters() if one.requires_grad)
    tagger = official_parameters(config.ram) if config.ram is not None else 0
    frozen = _count(unet) + _count(vae) + _count(text_encoder)
    return ParameterCount(total=frozen + head + tagger + JPEG_TABLES, trainable=adapted + head)


def _count(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())
