"""RASS as a segmenter: tag the photo, embed the tags, ask the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rass_bench.errors import UserError
from rass_bench.models.devices import count_parameters
from rass_bench.models.protocols import (
    Image,
    ModelSpec,
    ParameterCount,
    Prediction,
    ScoreWindow,
    SizeRule,
)
from rass_bench.models.rass.choices import Execution
from rass_bench.models.rass.config import Latent, RassConfig
from rass_bench.models.rass.execution import autocast, prepare_network
from rass_bench.models.rass.network import QueryScores, RassNetwork
from rass_bench.models.rass.pixels import latent_noise, to_tensor
from rass_bench.models.rass.prompt import PromptEncoder, Tokenizer, prompt_of
from rass_bench.models.rass.sizes import count_trainable
from rass_bench.models.rass.taggers import Tagger


def size_rule(config: RassConfig) -> SizeRule:
    """RASS's test size: detectron2's ResizeShortestEdge(512, max 2048), padded with zeros."""
    return SizeRule(
        short_side=config.short_side,
        max_long_side=4 * config.short_side,
        multiple_of=8,
        pad_value=0,
    )


class RassSegmenter:
    """RASS behind the suite's protocol for segmenters.

    Args:
        config: sizes and choices.
        network: RASS's of that very configuration, filled with weights; it is frozen, and moved to
            the device.
        tokenizer: of the text encoder's vocabulary.
        tagger: names what is in a photo.
        spec: what the model is called; its size rule is RASS's.
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
        network: RassNetwork,
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
        # Frozen and merged here, the network does not tell what training changes.
        total = count_parameters(network).total + tagger.parameters
        self.parameters = ParameterCount(total, count_trainable(network))
        self._network = network
        self._tagger = tagger
        self._prompts = PromptEncoder(network.text_encoder, tokenizer)
        self._device = device
        self._execution = execution
        self._seed = seed

    def predict(self, images: Sequence[Image]) -> Sequence[Prediction]:
        """See :class:`rass_bench.models.protocols.Segmenter`.

        One photo at a time: a batch would change low bits with its neighbours.

        Raises:
            UserError: the model is to be told the classes.
        """
        if self.spec.told_classes:
            raise UserError(
                "the model must be told the classes in each photo",
                self.spec.key,
                "Use a data set with labels, or another tagger.",
            )
        return [self._segment(image, None) for image in images]

    def predict_told(
        self, images: Sequence[Image], classes: Sequence[tuple[str, ...]]
    ) -> Sequence[Prediction]:
        """See :class:`rass_bench.models.protocols.ToldSegmenter`."""
        return [self._segment(image, told) for image, told in zip(images, classes, strict=True)]

    def _segment(self, image: Image, told: tuple[str, ...] | None) -> Prediction:
        with torch.no_grad(), autocast(self._execution, self._device):
            photo = to_tensor(image, self._device)
            # The tagger sees the padded photo whole, once; the official code asks it again, with
            # the same photo, for each window.
            tags = self._tagger.tag(photo)[0] if told is None else told
            context = self._prompts.encode([prompt_of(tags)])
            scores = self._network.segment(
                photo * 2 - 1, context, self._noise(image), self._execution.batch
            )
        return (score_window(scores, image.shape[0], image.shape[1]),)

    def _noise(self, image: Image) -> list[Tensor] | None:
        if self.config.latent is Latent.MODE:
            return None
        windows = self._network.windows(image.shape[0], image.shape[1])
        height, width = windows[0].bottom - windows[0].top, windows[0].right - windows[0].left
        shape = (len(windows), 1, self.config.vae.latent_channels, height // 8, width // 8)
        return list(latent_noise(image, self._seed, shape, self._device))


def score_window(scores: QueryScores, height: int, width: int) -> ScoreWindow:
    """One photo's queries; the last class, "no object", is left out after the softmax."""
    classes = scores.classes[0].float().softmax(dim=-1)[:, :-1].cpu().numpy()
    masks = scores.masks[0].float().cpu().numpy()
    return ScoreWindow(0, 0, height, width, masks, np.ascontiguousarray(classes))
