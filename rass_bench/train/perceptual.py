"""Perceptual distances between restored and clean photos, by features of a frozen network.

LPIPS (Zhang et al. 2018, arXiv 1801.03924) needs published weights; where there are none, the
VAE's own encoder gives the features that are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from rass_bench.errors import require_package
from rass_bench.files import sha256_bytes, sha256_file
from rass_bench.metrics.iqa import LPIPS_VGG, VGG16, build_lpips_vgg
from rass_bench.metrics.weights import find_weights
from rass_bench.models.rass.taps import Taps


class Perceptual(StrEnum):
    """Which features a restored photo is compared by."""

    VAE = "vae"
    """Those of the VAE's encoder: no weights but those of the model itself."""

    LPIPS_VGG = "lpips-vgg"
    """LPIPS v0.1 on VGG-16, from published weights that the user provides (extra ``iqa``)."""

    OFF = "off"


@dataclass(frozen=True)
class PerceptualSource:
    """What a perceptual loss compared photos by, for the record of a training.

    Attributes:
        kind: which loss.
        features: the network and its layers, for people.
        weights_sha256: SHA-256 by the name of what was hashed.
    """

    kind: Perceptual
    features: str
    weights_sha256: dict[str, str]


class FeatureLoss(nn.Module):
    """LPIPS's formula over a VAE encoder's features, all weights 1.

    Each down block's map is brought to unit length over its channels; squared differences are
    summed over channels and averaged over positions (arXiv 1801.03924, equation 1), then over the
    maps.

    Args:
        vae: diffusers' ``AutoencoderKL``; its encoder is frozen in place.
    """

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.encoder = vae.encoder.requires_grad_(False)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """The distance, averaged over photos.

        Args:
            restored: (N, 3, H, W) in [-1, 1], H and W multiples of the VAE's stride.
            target: of that shape; gets no gradient.

        Returns:
            A float32 scalar from 0 (equal features) to 4.
        """
        with torch.no_grad():
            wanted = self._maps(target)
        pairs = zip(self._maps(restored), wanted, strict=True)
        return torch.stack([map_distance(one, other).mean() for one, other in pairs]).mean()

    def source(self) -> PerceptualSource:
        """What is compared; the hash is of the encoder's weights as a safetensors file."""
        from safetensors.torch import save

        state = {name: one.contiguous() for name, one in self.encoder.state_dict().items()}
        blocks = len(self.encoder.down_blocks)
        return PerceptualSource(
            Perceptual.VAE,
            f"the VAE encoder's {blocks} down blocks, unit length over channels, all weights 1",
            {"vae.encoder": sha256_bytes(save(state))},
        )

    def _maps(self, photos: Tensor) -> list[Tensor]:
        with Taps(self.encoder.down_blocks) as maps:
            self.encoder(photos)
        return maps


class LpipsVggLoss(nn.Module):
    """LPIPS v0.1 on VGG-16 as pyiqa builds it, from files found as those of metrics are.

    Raises:
        UserError: pyiqa or a weights file is absent, or a file does not fit.
    """

    def __init__(self) -> None:
        super().__init__()
        require_package("pyiqa", "iqa")
        self._files = find_weights((LPIPS_VGG, VGG16), "lpips-vgg")
        self.network = build_lpips_vgg(*self._files).requires_grad_(False)

    def train(self, mode: bool = True) -> LpipsVggLoss:
        """Stay in evaluation mode: its linear layers would drop channels at random."""
        super().train(False)
        return self

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """The distance, averaged over photos; arguments as for :meth:`FeatureLoss.forward`.

        Returns:
            A float32 scalar, 0 for equal photos.
        """
        distance: Tensor = self.network(restored, target.detach(), normalize=False)
        return distance.float().mean()

    def source(self) -> PerceptualSource:
        """What is compared; the hashes are of the files by their names."""
        return PerceptualSource(
            Perceptual.LPIPS_VGG,
            "LPIPS v0.1 on VGG-16 (arXiv 1801.03924), relu1_2 to relu5_3, learned weights",
            {path.name: sha256_file(path) for path in self._files},
        )


def build_perceptual(kind: Perceptual, vae: Any) -> FeatureLoss | LpipsVggLoss | None:
    """The loss of one kind, or None for :attr:`Perceptual.OFF`.

    Args:
        kind: which.
        vae: the model's own; only :attr:`Perceptual.VAE` uses it.

    Raises:
        UserError: see :class:`LpipsVggLoss`.
    """
    match kind:
        case Perceptual.VAE:
            return FeatureLoss(vae)
        case Perceptual.LPIPS_VGG:
            return LpipsVggLoss()
        case Perceptual.OFF:
            return None


def map_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared distance of two feature maps whose positions are brought to unit length.

    Args:
        one: (N, C, h, w).
        other: of that shape.

    Returns:
        float32 (N,), 0..4.
    """
    difference = normalize(one.float(), dim=1) - normalize(other.float(), dim=1)
    return difference.square().sum(dim=1).mean(dim=(1, 2))
