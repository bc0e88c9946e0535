"""SCR as a restorer: tag the photo, restore it tile by tile, give its colours back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rass_bench.errors import UserError
from rass_bench.models.devices import count_parameters
from rass_bench.models.protocols import Image, ModelSpec, ParameterCount, SizeRule
from rass_bench.models.rass.choices import Execution
from rass_bench.models.rass.colour import fix_colour
from rass_bench.models.rass.config import Latent, RassConfig
from rass_bench.models.rass.execution import autocast, prepare_network
from rass_bench.models.rass.pixels import latent_noise, to_tensor
from rass_bench.models.rass.prompt import PromptEncoder, Tokenizer, prompt_of
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.models.rass.taggers import Tagger
from rass_bench.models.tiling import Pixels, restore_in_tiles

SIZE_RULE = SizeRule(multiple_of=8, pad_value=None)
"""The VAE's stride; the photo is mirrored at its border."""

TILE = 512
"""Side of the largest photo that is restored in one piece: what Stable Diffusion 2.1 base was
trained at, and what bounds memory, which the VAE's decoder decides."""

OVERLAP = 128


class ScrRestorer:
    """SCR behind the suite's protocol for restorers, at scale 1.

    Args:
        config: sizes and choices.
        network: SCR's of that very configuration, filled with weights; it is frozen, and moved to
            the device.
        tokenizer: of the text encoder's vocabulary.
        tagger: names what is in a photo.
        spec: what the model is called; its size rule is SCR's.
        device: where to compute.
        execution: how to compute.
        seed: of the latent's noise, where the configuration samples it.

    Raises:
        ValueError: the network was built from another configuration.
    """

    spec: ModelSpec
    parameters: ParameterCount | None

    def __init__(
        self,
        config: RassConfig,
        network: ScrNetwork,
        tokenizer: Tokenizer,
        tagger: Tagger,
        spec: ModelSpec,
        *,
        device: torch.device,
        execution: Execution,
        seed: int,
    ) -> None:
        if network.config != config:
            raise ValueError("the network was built from another configuration")
        prepare_network(network, execution, device)
        self.config = config
        self.spec = spec
        # Its adapters are merged: what training changes depends on a rank that is not kept.
        total = count_parameters(network).total + tagger.parameters
        self.parameters = ParameterCount(total, None)
        self._network = network
        self._tagger = tagger
        self._prompts = PromptEncoder(network.text_encoder, tokenizer)
        self._device = device
        self._execution = execution
        self._seed = seed

    def restore(self, images: Sequence[Image]) -> Sequence[Image]:
        """See :class:`rass_bench.models.protocols.Restorer`.

        Raises:
            UserError: the network returned NaN or infinite pixels.
        """
        return [self._restore(image) for image in images]

    def _restore(self, image: Image) -> Image:
        with torch.no_grad():
            photo = to_tensor(image, self._device)
            # One prompt for all tiles, from the whole photo.
            context = self._prompts.encode([prompt_of(self._tagger.tag(photo)[0])])

            def restore_tile(tile: Pixels) -> Pixels:
                return _to_pixels(self._forward(tile, context))

            restored = restore_in_tiles(
                restore_tile, _to_pixels(photo), scale=1, tile=TILE, overlap=OVERLAP
            )
            fixed = fix_colour(
                self.config.colour_fix, _to_batch(restored, self._device).clamp(0, 1), photo
            )
            pixels = (fixed[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
        return pixels.cpu().numpy()

    def _forward(self, tile: Pixels, context: Tensor) -> Tensor:
        """One tile, float32 (h, w, 3) in [0, 1], restored: (1, 3, h, w)."""
        noise = None
        if self.config.latent is Latent.SAMPLE:
            channels = self.config.vae.latent_channels
            shape = (1, channels, tile.shape[0] // 8, tile.shape[1] // 8)
            noise = latent_noise(tile, self._seed, shape, self._device)
        batch = _to_batch(tile, self._device)
        with autocast(self._execution, self._device):
            restored: Tensor = self._network(batch * 2 - 1, context, noise)
        if not bool(torch.isfinite(restored).all()):
            raise UserError(
                "the model returned NaN or infinite pixels",
                self.spec.key,
                "Run it in float32, and check its weights.",
            )
        return restored.float() / 2 + 0.5


def _to_batch(pixels: Pixels, device: torch.device) -> Tensor:
    """float32 (H, W, 3) as (1, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(2, 0, 1)[None]


def _to_pixels(batch: Tensor) -> Pixels:
    """float32 (1, 3, H, W) as (H, W, 3)."""
    pixels: Pixels = batch[0].permute(1, 2, 0).cpu().numpy()
    return pixels
