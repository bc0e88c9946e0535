"""Low-rank adapters of the UNet: which layers carry them, adding them, merging them.

SCR and RASS adapt the same layers, each with three adapters (encoder, decoder, others) through
peft; RASS's are named with the suffix ``_s2`` and sit on the UNet that SCR's were merged into.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rass_bench.models.rass.config import LoraConfig

ADAPTED = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "conv",
    "proj_in",
    "proj_out",
    "ff.net.0.proj",
    "ff.net.2",
)
"""A layer is adapted when its name holds one of these; "conv" stands for conv1, conv2, conv_in,
conv_shortcut and the convolutions of down- and upsamplers too (official ras.py)."""

_BASE, _DOWN, _UP = ".base_layer", ".lora_A.", ".lora_B."


@dataclass(frozen=True)
class LoraTargets:
    """Names of the adapted layers, as the three adapters divide them."""

    encoder: tuple[str, ...]
    decoder: tuple[str, ...]
    others: tuple[str, ...]


def lora_targets(unet: Any) -> LoraTargets:
    """The layers that RASS adapts: all but ``conv_out`` (official ras.py)."""
    names = [name.removesuffix(".weight") for name, _ in unet.named_parameters()]
    adapted = [
        name
        for name in names
        if any(part in name for part in ADAPTED)
        and not name.endswith("bias")
        and "norm" not in name
        and not name.startswith("conv_out")
    ]
    encoder = tuple(name for name in adapted if name.startswith(("down_blocks", "conv_in")))
    decoder = tuple(name for name in adapted if name.startswith("up_blocks"))
    rest = set(encoder) | set(decoder)
    return LoraTargets(encoder, decoder, tuple(name for name in adapted if name not in rest))


def add_lora(unet: Any, config: LoraConfig, suffix: str = "_s2") -> None:
    """Give the UNet fresh adapters, A normal with standard deviation 1 / rank, B zero.

    Only they, and ``conv_in``'s own weights, require gradients afterwards.

    Args:
        unet: diffusers' UNet, changed in place.
        config: rank and scaling.
        suffix: of the adapters' names.
    """
    from peft import LoraConfig as PeftLora

    targets = lora_targets(unet)
    unet.requires_grad_(False)
    names = []
    for part, layers in vars(targets).items():
        names.append(f"default_{part}{suffix}")
        adapter = PeftLora(
            r=config.rank,
            lora_alpha=config.alpha,
            init_lora_weights="gaussian",
            target_modules=list(layers),
        )
        with warnings.catch_warnings():
            # peft warns of a second adapter; three are meant.
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            unet.add_adapter(adapter, adapter_name=names[-1])
    unet.set_adapter(names)
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_("lora_" in name or name.startswith("conv_in."))


def adapted_names(plain: Mapping[str, Tensor], adapters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names that peft gives to layers with adapters.

    Args:
        plain: weights without adapters.
        adapters: a state with adapters; those of ``plain`` that carry any are renamed.
    """
    layers = {name[: name.index(_DOWN)] for name in adapters if _DOWN in name}
    renamed = {}
    for name, tensor in plain.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{layer}{_BASE}.{kind}" if layer in layers else name] = tensor
    return renamed


def check_rank(state: Mapping[str, Tensor], rank: int) -> None:
    """Check that all adapters have the rank that their scaling is computed from.

    Args:
        state: a UNet's weights under peft's names.
        rank: that they should have.

    Raises:
        ValueError: one has another.
    """
    for name, down in state.items():
        if _DOWN in name and down.shape[:1] != (rank,):
            raise ValueError(f"{name} has the shape {tuple(down.shape)}, not the rank {rank}")


def merge_lora(state: Mapping[str, Tensor], scaling: float) -> dict[str, Tensor]:
    """Weights with their adapters added in: W + scaling * B A, and peft's names undone.

    Args:
        state: a UNet's weights under peft's names: ``NAME.base_layer.weight``,
            ``NAME.lora_A.ADAPTER.weight`` (rank, in, ...), ``NAME.lora_B.ADAPTER.weight``
            (out, rank, ...). Names without adapters pass through.
        scaling: alpha / rank.

    Raises:
        ValueError: an adapter lacks its other half or its base weight, or does not fit it; the
            message is its name.
    """
    merged = {
        name.replace(_BASE, ""): tensor
        for name, tensor in state.items()
        if _DOWN not in name and _UP not in name
    }
    ups = {name for name in state if _UP in name}
    for name, down in state.items():
        if _DOWN not in name:
            continue
        up_name = name.replace(_DOWN, _UP)
        weight_name = name[: name.index(_DOWN)] + ".weight"
        if up_name not in ups or weight_name not in merged:
            raise ValueError(name)
        ups.discard(up_name)
        try:
            merged[weight_name] = _merged(merged[weight_name], down, state[up_name], scaling)
        except (RuntimeError, IndexError):
            raise ValueError(name) from None
    if ups:
        raise ValueError(min(ups))
    return merged


def merge_scr(
    unet: Mapping[str, Tensor], scr: Mapping[str, Tensor], rank: int, alpha: int = 8
) -> dict[str, Tensor]:
    """The UNet that SCR leaves: its ``conv_in``, and its adapters merged into the base weights.

    Args:
        unet: Stable Diffusion's own weights.
        scr: ``state_dict_unet`` of scr.pkl: adapters and ``conv_in.base_layer``.
        rank: of the adapters.
        alpha: peft's default, which the official code leaves.

    Raises:
        ValueError: a name in ``scr`` that belongs to no layer of the UNet, or does not fit it, or
            has another rank.
    """
    check_rank(scr, rank)
    replaced = dict(unet)
    adapters: dict[str, Tensor] = {}
    for name, tensor in scr.items():
        if _DOWN in name or _UP in name:
            adapters[name] = tensor
        elif (plain := name.replace(_BASE, "")) in replaced:
            replaced[plain] = tensor
        else:
            raise ValueError(name)
    return merge_lora({**replaced, **adapters}, alpha / rank)


def _merged(weight: Tensor, down: Tensor, up: Tensor, scaling: float) -> Tensor:
    with torch.no_grad():
        delta = up.float().flatten(1) @ down.float().flatten(1)
        return weight.float() + scaling * delta.reshape(weight.shape)
