"""RASS's optimiser: AdamW in groups, a polynomial schedule, one clipped gradient norm."""

from __future__ import annotations

import torch
from torch import nn

from rass_bench.models.rass.lora import add_lora
from rass_bench.models.rass.network import RassNetwork

LEARNING_RATE = 1e-4
BACKBONE_MULTIPLIER = 0.1
WEIGHT_DECAY = 0.05
CLIP_NORM = 0.01
"""Norm of the whole gradient, all parameters together."""

STEPS = 160_000
POWER = 0.9
"""WarmupPolyLR without warm-up: (1 - step / steps) ** power."""

_BACKBONE = ("unet.", "projections.")
_NORMS = (nn.GroupNorm, nn.LayerNorm)


def make_trainable(network: RassNetwork) -> None:
    """Add RASS's adapters and let alone what the official code trains require gradients.

    That is the adapters, ``conv_in``'s own weights, the projections and the head; VAE, text
    encoder and the rest of the UNet are frozen.

    Args:
        network: changed in place; its UNet has no adapters yet.
    """
    network.requires_grad_(False)
    add_lora(network.unet, network.config.lora)
    for part in (
        network.projections,
        network.pixel_decoder,
        network.transformer_module,
        network.class_predictor,
    ):
        part.requires_grad_(True)


def build_optimizer(network: RassNetwork) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, one group each.

    The backbone, projections included, learns at a tenth of the rate; norms and embeddings do not
    decay, adapters do (RASS at 3ee2847, train_net.py, ``build_optimizer``, with the values of its
    Base-ADE20K configuration).
    """
    groups = []
    seen: set[int] = set()
    for module_name, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            in_backbone = f"{module_name}.{name}".startswith(_BACKBONE)
            decays = not isinstance(module, (*_NORMS, nn.Embedding))
            groups.append(
                {
                    "params": [parameter],
                    "lr": LEARNING_RATE * (BACKBONE_MULTIPLIER if in_backbone else 1.0),
                    "weight_decay": WEIGHT_DECAY if decays else 0.0,
                }
            )
    return torch.optim.AdamW(groups)


def build_schedule(
    optimizer: torch.optim.Optimizer, steps: int = STEPS
) -> torch.optim.lr_scheduler.LambdaLR:
    """The factor on every group's learning rate, by step."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: max(0.0, 1 - step / steps) ** POWER
    )


def clip_gradients(network: nn.Module) -> torch.Tensor:
    """Scale the gradients so that their common norm is at most ``CLIP_NORM``; return it before."""
    trainable = [one for one in network.parameters() if one.requires_grad]
    return nn.utils.clip_grad_norm_(trainable, CLIP_NORM)
