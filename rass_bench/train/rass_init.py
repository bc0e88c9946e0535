"""A fresh segmentation head: the first weights of Mask2Former and of detectron2's bottleneck.

Modules of Mask2Former's at 9b0651c, in mask2former/modeling: ``pixel_decoder/msdeformattn.py`` and
``ops/modules/ms_deform_attn.py``, ``transformer_decoder/mask2former_transformer_decoder.py``; of
detectron2, ``modeling/backbone/resnet.py``. What is not named here keeps PyTorch's own.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.init import (
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    xavier_uniform_,
    zeros_,
)

from rass_bench.models.rass.network import RassNetwork


def initialise_head(network: RassNetwork) -> None:
    """Draw first weights for projections and head, from PyTorch's global generator."""
    for module in network.projections.modules():
        if isinstance(module, nn.Conv2d):
            kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    _initialise_pixel_decoder(network.pixel_decoder)
    for layer in network.transformer_module.decoder.layers:
        _initialise_decoder_layer(layer)


def _initialise_pixel_decoder(decoder: Any) -> None:
    normal_(decoder.level_embed)
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            kaiming_uniform_(module.weight, a=1)  # Caffe2's "Xavier"
            if module.bias is not None:
                zeros_(module.bias)
    for projection in decoder.input_projections:
        xavier_uniform_(projection[0].weight)
    for layer in decoder.encoder.layers:
        _draw_matrices(layer)
        _initialise_deformable_attention(layer.self_attn)


def _initialise_deformable_attention(attention: Any) -> None:
    """Each head looks in a direction of its own, each point one step further; all weigh alike."""
    heads, levels, points = attention.n_heads, attention.n_levels, attention.n_points
    angle = torch.arange(heads) * (2 * math.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], dim=1)
    direction = direction / direction.abs().amax(dim=1, keepdim=True)
    reach = torch.arange(1, points + 1, dtype=torch.float32)
    offsets = direction[:, None, None, :] * reach[None, None, :, None]
    with torch.no_grad():
        attention.sampling_offsets.bias.copy_(offsets.expand(heads, levels, points, 2).flatten())
    for tensor in (
        attention.sampling_offsets.weight,
        attention.attention_weights.weight,
        attention.attention_weights.bias,
        attention.value_proj.bias,
        attention.output_proj.bias,
    ):
        zeros_(tensor)


def _initialise_decoder_layer(layer: Any) -> None:
    _draw_matrices(layer)
    # Mask2Former draws the three projections of its attention as one matrix, three times as high.
    for name in ("q_proj", "k_proj", "v_proj"):
        projection = getattr(layer.self_attn, name)
        xavier_uniform_(projection.weight, gain=0.5**0.5)
        zeros_(projection.bias)
    zeros_(layer.self_attn.out_proj.bias)


def _draw_matrices(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.dim() > 1:
            xavier_uniform_(parameter)
