"""The network that the training of a segmenter starts from: a checkpoint's, or one from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from rass_bench.errors import UserError
from rass_bench.labels import IGNORE, LabelSpace
from rass_bench.models.checkpoints import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Checkpoint,
    open_checkpoint,
)
from rass_bench.models.published import PUBLISHED, PublishedTest, Windows, short_side
from rass_bench.models.shipped import BASELINE, baseline_folder
from rass_bench.models.transformers_segmenter import load_network

PREFIX = "transformers:"

SMALL_SIDE = 256
"""Short side that the small network is tested at where nothing else is said: the scenes'."""


@dataclass(frozen=True)
class Start:
    """A network before training.

    Attributes:
        network: a transformers network whose classes are the label space's.
        model_type: its family, a key of ``PUBLISHED``.
        origin: name@revision of its checkpoint, or None when its weights are random.
        licence: of the checkpoint, or this project's.
        redrawn: whether the checkpoint's last layer gave way to a random one, for its number of
            classes is another.
        processor: preprocessor_config.json, also of the trained network.
        mean: RGB mean that is subtracted from pixels in 0..1.
        std: RGB deviation that the difference is divided by.
        short_side: that it is tested at, in pixels.
    """

    network: Any
    model_type: str
    origin: str | None
    licence: str
    redrawn: bool
    processor: dict[str, Any]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    short_side: int

    @property
    def test(self) -> PublishedTest:
        """How its family is tested."""
        return PUBLISHED[self.model_type]

    @property
    def parameters(self) -> int:
        """How many parameters it has."""
        return sum(one.numel() for one in self.network.parameters())


def open_start(reference: str | None, space: LabelSpace, seed: int, side: int | None) -> Start:
    """Build the small network, or load a checkpoint.

    Args:
        reference: None for the small SegFormer with random weights; or the shipped baseline's
            name, or ``transformers:`` before a Hub id or folder.
        space: the classes to learn.
        seed: of random weights.
        side: short side to test at; None takes the checkpoint's, or ``SMALL_SIDE``.

    Raises:
        UserError: another kind of model, an unreadable checkpoint, OneFormer, or a side that the
            checkpoint cannot be told.
    """
    if reference is None:
        network = build_network(space, seed)
        return _start_from_nothing(network, side or SMALL_SIDE)
    checkpoint = open_checkpoint(_argument(reference))
    if checkpoint.model_type == "oneformer":
        raise UserError(
            "OneFormer is not trained here: its loss compares sentences about each photo, which "
            "label maps alone do not give",
            reference,
            "Choose Mask2Former, on which it builds, or another family.",
        )
    processor = _processor(checkpoint, side)
    told = short_side(checkpoint.model_type, checkpoint.config, processor)
    if side is not None and told != side:
        raise UserError(
            f"a short side of {side}, but this network is tested at {told}",
            "--short-side",
            "Leave the option out.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = load_network(checkpoint, space.names)
    return Start(
        network=network,
        model_type=checkpoint.model_type,
        origin=f"{checkpoint.name}@{checkpoint.revision}",
        licence=checkpoint.licence,
        redrawn=len(checkpoint.class_names) != space.size,
        processor=processor,
        mean=checkpoint.mean,
        std=checkpoint.std,
        short_side=told,
    )


def check_crop(start: Start, crop: int) -> None:
    """Refuse crops that a network cannot take.

    Raises:
        UserError: another side than its position embeddings fix, or no multiple of its stride.
    """
    if start.test.windows is not Windows.WHOLE and crop != start.short_side:
        raise UserError(
            f"crops of {crop} pixels for a network that takes {start.short_side} alone",
            "--crop",
            f"Use --crop {start.short_side}.",
        )
    if crop < 1 or crop % start.test.multiple_of:
        raise UserError(
            f"crops of {crop} pixels",
            "--crop",
            f"Choose a multiple of {start.test.multiple_of}.",
        )


def build_network(space: LabelSpace, seed: int) -> Any:
    """A SegFormer of about 1.2 million parameters with random weights (arXiv 2105.15203).

    Dropout is left out: 200 scenes are augmented instead.
    """
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        num_labels=space.size,
        id2label=dict(enumerate(space.names)),
        label2id={name: index for index, name in enumerate(space.names)},
        depths=[1, 2, 2, 2],
        hidden_sizes=[32, 64, 96, 128],
        num_attention_heads=[1, 2, 3, 4],
        mlp_ratios=[3, 3, 3, 3],
        decoder_hidden_size=96,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        semantic_loss_ignore_index=IGNORE,
    )
    network = SegformerForSemanticSegmentation(config)
    _draw_weights(network, seed)
    return network


def _draw_weights(network: Any, seed: int) -> None:
    """Draw weights with variance 1 / fan-in (LeCun et al., Efficient BackProp, 1998, section 4.6).

    From the library's deviation of 0.02 this network took 1,000 steps on scenes to the loss that it
    reaches in 600 from these.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                deviation = module.weight[0].numel() ** -0.5
                module.weight.normal_(0.0, deviation, generator=random)
                if module.bias is not None:
                    module.bias.zero_()
        # Nearly equal scores at first: a random classifier would start at several times log K.
        network.decode_head.classifier.weight.mul_(0.1)


def _start_from_nothing(network: Any, side: int) -> Start:
    return Start(
        network=network,
        model_type="segformer",
        origin=None,
        licence="apache-2.0",
        redrawn=False,
        processor={
            "image_processor_type": "SegformerImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": side},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(IMAGENET_MEAN),
            "image_std": list(IMAGENET_STD),
        },
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        short_side=side,
    )


def _argument(reference: str) -> str:
    """What ``open_checkpoint`` takes."""
    if reference == BASELINE:
        return str(baseline_folder())
    if not reference.startswith(PREFIX):
        raise UserError(
            f"{reference} cannot be trained",
            "--model",
            f"Give {BASELINE}, or {PREFIX} before a Hub id or a checkpoint's folder.",
        )
    return reference.removeprefix(PREFIX)


def _processor(checkpoint: Checkpoint, side: int | None) -> dict[str, Any]:
    """The checkpoint's processor, told the short side, and what it leaves to defaults."""
    told = {"image_mean": list(checkpoint.mean), "image_std": list(checkpoint.std)}
    sized: dict[str, Any] = {} if side is None else {"size": {"shortest_edge": side}}
    return {**checkpoint.processor, **told, **sized}
