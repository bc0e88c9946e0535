"""The official checkpoint's names, and what stands behind each of them here.

`rass.pth` holds the whole of detectron2's model. Every name is either
translated or known to be unused; a name that is neither is refused, and so is a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rass_bench.errors import UserError

_SD = "backbone.feature_extractor.sd."
_RAM = "backbone.feature_extractor.ram."

UNUSED = (
    "backbone.feature_extractor.dape.",  # its tags never reach the prompt
    "backbone.jpeger.",  # degradation, in training
    "criterion.",  # a constant of the loss
    _SD + "vae.decoder.",
    _SD + "vae.post_quant_conv.",
    _SD + "unet.conv_norm_out.",
    _SD + "unet.conv_out.",
    _SD + "text_encoder.text_model.embeddings.position_ids",  # older transformers saved it
)
"""Names of the official checkpoint, by how they begin, that segmentation never uses."""

_RENAMES = (
    (r"^backbone\.feature_extractor\.sd\.text_encoder\.text_model\.", "text_encoder."),
    (r"^backbone\.feature_extractor\.sd\.", ""),
    (r"^backbone\.feature_extractor\.feature_projections\.(\d+)\.0\.", r"projections.\1."),
    (r"^(projections\.\d+\.)shortcut\.norm\.", r"\1shortcut.1."),
    (r"^(projections\.\d+\.)shortcut\.(weight)", r"\1shortcut.0.\2"),
    (r"^(projections\.\d+\.)conv(\d)\.norm\.", r"\1norm\2."),
    (r"^sem_seg_head\.pixel_decoder\.", "pixel_decoder."),
    (r"^pixel_decoder\.input_proj\.", "pixel_decoder.input_projections."),
    (r"^pixel_decoder\.transformer\.level_embed", "pixel_decoder.level_embed"),
    (r"^pixel_decoder\.transformer\.encoder\.", "pixel_decoder.encoder."),
    (r"^(pixel_decoder\.encoder\.layers\.\d+\.)norm1\.", r"\1self_attn_layer_norm."),
    (r"^(pixel_decoder\.encoder\.layers\.\d+\.)norm2\.", r"\1final_layer_norm."),
    (r"^(pixel_decoder\.encoder\.layers\.\d+\.)linear", r"\1fc"),
    (r"^pixel_decoder\.mask_features\.", "pixel_decoder.mask_projection."),
    (r"^(pixel_decoder\.(?:adapter|layer)_1)\.norm\.", r"\1.1."),
    (r"^(pixel_decoder\.(?:adapter|layer)_1)\.(weight)", r"\1.0.\2"),
    (r"^sem_seg_head\.predictor\.class_embed\.", "class_predictor."),
    (r"^sem_seg_head\.predictor\.", "transformer_module."),
    (r"^transformer_module\.input_proj\.", "transformer_module.input_projections."),
    (r"\.query_feat\.", ".queries_features."),
    (r"\.query_embed\.", ".queries_embedder."),
    (r"\.decoder_norm\.", ".decoder.layernorm."),
    (r"\.mask_embed\.layers\.(\d)\.", r".decoder.mask_predictor.mask_embedder.\1.0."),
    (
        r"\.transformer_self_attention_layers\.(\d+)\.norm\.",
        r".decoder.layers.\1.self_attn_layer_norm.",
    ),
    (r"\.transformer_self_attention_layers\.", ".decoder.layers."),
    (
        r"\.transformer_cross_attention_layers\.(\d+)\.norm\.",
        r".decoder.layers.\1.cross_attn_layer_norm.",
    ),
    (
        r"\.transformer_cross_attention_layers\.(\d+)\.multihead_attn\.",
        r".decoder.layers.\1.cross_attn.",
    ),
    (r"\.transformer_ffn_layers\.(\d+)\.norm\.", r".decoder.layers.\1.final_layer_norm."),
    (r"\.transformer_ffn_layers\.(\d+)\.linear", r".decoder.layers.\1.fc"),
)
"""Applied in order; each pattern fits one part of the model alone."""

_PACKED = re.compile(r"(.*\.self_attn\.)in_proj_(weight|bias)$")


@dataclass(frozen=True)
class OfficialState:
    """An official checkpoint, sorted.

    Attributes:
        network: tensors under the names of :class:`rass_bench.models.rass.network.RassNetwork`,
            the UNet's under peft's names where it carries adapters.
        ram: RAM's tensors under their own names.
        unused: names that segmentation never uses.
    """

    network: dict[str, Tensor]
    ram: dict[str, Tensor]
    unused: tuple[str, ...]


def sort_official(state: Mapping[str, Tensor]) -> OfficialState:
    """Translate the names of `rass.pth`."""
    network: dict[str, Tensor] = {}
    ram: dict[str, Tensor] = {}
    unused: list[str] = []
    for name, tensor in state.items():
        if name.startswith(UNUSED):
            unused.append(name)
        elif name.startswith(_RAM):
            ram[name.removeprefix(_RAM)] = tensor
        else:
            network.update(_unpacked(translate(name), tensor))
    return OfficialState(network, ram, tuple(unused))


def translate(name: str) -> str:
    """An official name as RassNetwork has it; queries, keys and values still in one piece."""
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def check_tensors(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Check that tensors are what a module holds: every one of them, none else, in its shape.

    Args:
        module: may stand on the meta device.
        state: tensors by the module's names.
        where: the file, for messages.

    Raises:
        UserError: names that are missing or unknown, tensors of another shape or without
            fractions.
    """
    wanted = module.state_dict()
    for problem, names in (
        ("lacks", wanted.keys() - state.keys()),
        ("has unknown", state.keys() - wanted.keys()),
    ):
        if names:
            raise UserError(
                f"the checkpoint {problem} {len(names)} tensors, {min(names)} first",
                where,
                "It must belong to the configured size; download it again.",
            )
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise UserError(
                f"{name} has the shape {tuple(tensor.shape)}, not {tuple(wanted[name].shape)}",
                where,
                "It must belong to the configured size; download it again.",
            )
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise UserError(
                f"{name} holds {tensor.dtype}, not {wanted[name].dtype}",
                where,
                "It must be the checkpoint that training saved; download it again.",
            )


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Put tensors into a module as float32, every one of them and none missing.

    Args:
        module: changed in place; may stand on the meta device, its parameters are replaced.
        state: tensors by the module's names.
        where: the file, for messages.

    Raises:
        UserError: see :func:`check_tensors`.
    """
    check_tensors(module, state, where)
    as_float = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    module.load_state_dict(as_float, assign=True)


def _unpacked(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Self attention's queries, keys and values apart, as transformers has them."""
    packed = _PACKED.fullmatch(name)
    if packed is None or ".cross_attn." in name or tensor.ndim == 0 or len(tensor) % 3:
        return {name: tensor}
    prefix, kind = packed.groups()
    parts = torch.chunk(tensor, 3)
    return {f"{prefix}{part}_proj.{kind}": value for part, value in zip("qkv", parts, strict=True)}
