"""What each place of a UNet's image attends to in the prompt, layer by layer, gathered as maps."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

LATENT_STRIDE = 8
"""Pixels of the image a cell of the UNet's input, along each side."""


class Place(StrEnum):
    """A block of Stable Diffusion's UNet that attends to the prompt, and its stride in the image.

    Each down block holds ``layers_per_block`` such layers, each up block one more, the middle one:
    16 layers in Stable Diffusion 2.1, of 64, 32, 16 and 8 cells a side at 512 x 512 pixels.
    """

    DOWN_8 = "down/8"
    DOWN_16 = "down/16"
    DOWN_32 = "down/32"
    MID_64 = "mid/64"
    UP_32 = "up/32"
    UP_16 = "up/16"
    UP_8 = "up/8"

    @property
    def stride(self) -> int:
        """Pixels of the image a cell, along each side."""
        return int(self.rpartition("/")[2])


_BLOCKS = {
    Place.DOWN_8: "down_blocks.0",
    Place.DOWN_16: "down_blocks.1",
    Place.DOWN_32: "down_blocks.2",
    Place.MID_64: "mid_block",
    Place.UP_32: "up_blocks.1",
    Place.UP_16: "up_blocks.2",
    Place.UP_8: "up_blocks.3",
}


class AttentionTaps:
    """While open, gathers the cross attention of a UNet's last call in a dict of maps by stride.

    A map is float32 (N, h, w, length), where ``length`` counts the prompt's tokens: the
    probabilities softmax(Q K' / sqrt(d)) of "Attention is all you need" (arXiv 1706.03762,
    equation 1), averaged over the heads and over all layers of that stride, so that each cell's
    sum to 1. Gradients flow through them, into adapters on the projections too.

    Queries and keys are taken from the network's own projections, and the maps are made of them
    after its call: attention itself runs as it always does, so that its output stays what it was
    to the last bit, and a backward pass with gradient checkpointing may come after closing. What
    such a pass computes again is not gathered again. That needs checkpointing without reentrance,
    which is how diffusers does it.

    Args:
        unet: diffusers' ``UNet2DConditionModel`` as ``build_unet`` makes it, called without an
            attention mask.
        places: whose layers are gathered.

    Raises:
        ValueError: a place has no cross attention in this UNet.
    """

    def __init__(self, unet: Any, places: Sequence[Place]) -> None:
        self._unet = unet
        self._layers = {place: _layers(unet, place) for place in places}
        self._projected: dict[nn.Module, Tensor] = {}
        self._maps: dict[int, Tensor] = {}

    def __enter__(self) -> dict[int, Tensor]:
        self._handles = [self._unet.register_forward_hook(self._finish, with_kwargs=True)]
        for layers in self._layers.values():
            for layer in layers:
                self._handles.append(layer.to_q.register_forward_hook(self._keep))
                self._handles.append(layer.to_k.register_forward_hook(self._keep))
        return self._maps

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        # What checkpointing computes again comes here, too, after the maps were made.
        self._projected[module] = output

    def _finish(self, module: nn.Module, inputs: Any, named: dict[str, Any], output: Any) -> None:
        latent = inputs[0] if inputs else named["sample"]
        by_stride: dict[int, list[Tensor]] = {}
        for place, layers in self._layers.items():
            height, width = (_cells(side, place.stride) for side in latent.shape[2:])
            for layer in layers:
                queries, keys = self._projected[layer.to_q], self._projected[layer.to_k]
                probabilities = _probabilities(queries, keys, layer.heads, layer.scale)
                maps = probabilities.reshape(len(latent), height, width, -1)
                by_stride.setdefault(place.stride, []).append(maps)
        for stride, of_layers in sorted(by_stride.items(), reverse=True):
            self._maps[stride] = torch.stack(of_layers).mean(dim=0)
        self._projected.clear()


def _layers(unet: Any, place: Place) -> list[Any]:
    """A place's cross-attention layers, which diffusers calls ``attn2``."""
    block = unet.get_submodule(_BLOCKS[place])
    layers = [module for name, module in block.named_modules() if name.endswith(".attn2")]
    if not layers:
        raise ValueError(f"this UNet attends to nothing at {place}")
    return layers


def _cells(side: int, stride: int) -> int:
    """Cells along a side of the latent: each halving rounds up, as the UNet's do."""
    return -(-side * LATENT_STRIDE // stride)


def _probabilities(queries: Tensor, keys: Tensor, heads: int, scale: float) -> Tensor:
    """Attention (N, cells, length), averaged over the heads, in single precision."""
    with torch.autocast(queries.device.type, enabled=False):
        q = queries.float().reshape(*queries.shape[:2], heads, -1).transpose(1, 2)
        k = keys.float().reshape(*keys.shape[:2], heads, -1).transpose(1, 2)
        probabilities: Tensor = (scale * q @ k.mT).softmax(dim=-1)
        return probabilities.mean(dim=1)
