"""What RASS trains, and how: AdamW in groups, a polynomial schedule, one clipped gradient norm."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from rass_bench.models.rass.lora import add_lora
from rass_bench.models.rass.network import RassNetwork
from rass_bench.train.stage import ParameterGroup

CLIP_NORM = 0.01
"""Norm of the whole gradient, all parameters together."""

WEIGHT_DECAY = 0.05
POWER = 0.9

_BACKBONE = ("unet.", "projections.")
_NORMS = (nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Rates:
    """Learning rates.

    Attributes:
        head: of the segmentation head.
        backbone: of adapters, ``conv_in`` and projections.
    """

    head: float
    backbone: float


OFFICIAL = Rates(head=1e-4, backbone=1e-5)
"""BASE_LR and BACKBONE_MULTIPLIER 0.1 of the official Base-ADE20K configuration, for 160,000 steps
of 16 crops."""


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


def parameter_groups(network: RassNetwork, rates: Rates = OFFICIAL) -> list[ParameterGroup]:
    """The trainable parameters, by learning rate and weight decay.

    The backbone, projections included, learns at its own rate; norms and embeddings do not decay,
    adapters do (RASS at 3ee2847, train_net.py, ``build_optimizer``).
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for module_name, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            in_backbone = f"{module_name}.{name}".startswith(_BACKBONE)
            decays = not isinstance(module, (*_NORMS, nn.Embedding))
            key = (rates.backbone if in_backbone else rates.head, WEIGHT_DECAY if decays else 0.0)
            groups.setdefault(key, []).append(parameter)
    return [
        ParameterGroup(tuple(parameters), rate, decay)
        for (rate, decay), parameters in groups.items()
    ]


def polynomial(step: int, steps: int) -> float:
    """Factor of every learning rate: (1 - step / steps) ** 0.9, without warm-up (WarmupPolyLR)."""
    return float(max(0.0, 1 - step / steps) ** POWER)
