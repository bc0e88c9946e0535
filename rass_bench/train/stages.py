"""The four trainings of RASS's networks, each from weights to weights.

    nothing ─ vae ─ unet ─ scr ─ rass

The first two make a prior where there is none; full size begins with Stable Diffusion. Each writes
``weights.safetensors``, which the next one and ``rass-bench run --weights`` take, and a record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState
from torch import Tensor

from rass_bench.data.dataset import Dataset
from rass_bench.degrade.preset import Preset
from rass_bench.errors import UserError
from rass_bench.labels import LabelSpace
from rass_bench.models.rass.config import FIXED, RassConfig
from rass_bench.models.rass.entries import build_tagger
from rass_bench.models.rass.loading import Part, build_configured, open_prior, open_weights
from rass_bench.models.rass.lora import merge_lora
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.official import load_strictly
from rass_bench.models.rass.prompt import PromptEncoder
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.models.rass.weights import RassWeights, save_weights
from rass_bench.train.augment import Augmentation
from rass_bench.train.crops import CropStream
from rass_bench.train.half import halved
from rass_bench.train.loop import Advance, LoopSettings, device_of, train
from rass_bench.train.prior import DenoiserStage, VaeStage, draw_vae, latent_scaling
from rass_bench.train.prompts import class_names
from rass_bench.train.rass import RassStage
from rass_bench.train.rass_init import initialise_head
from rass_bench.train.rass_optimizer import Rates, make_trainable
from rass_bench.train.record import write_record
from rass_bench.train.scr import ScrSettings, ScrStage
from rass_bench.train.stage import Stage
from rass_bench.train.start_checks import check_backbone, check_prompt, check_start, prior_tokenizer

WEIGHTS = "weights.safetensors"

SCALING_BATCHES = 8
"""Batches of crops that the latents' deviation is measured on."""


@dataclass(frozen=True)
class Training:
    """What every stage is told.

    Attributes:
        size: whose recipe this is; weights of another size with a recipe are refused.
        photos: labelled and clean.
        preset: how they are degraded online; the prior's stages leave them clean.
        crop: side of the crops.
        tenths: of the test size, to which photos are resized before they are cropped.
        loop: steps, seed, batch and so on.
        out: folder for weights, record, metrics and pictures.
        resume: go on where a training in ``out`` was stopped.
        gradient_checkpointing: compute activations again instead of keeping them.
        advance: told of steps done.
    """

    size: str
    photos: Dataset
    preset: Preset
    crop: int
    tenths: range
    loop: LoopSettings
    out: Path
    resume: bool = False
    gradient_checkpointing: bool = False
    advance: Advance = lambda steps, note: None

    @property
    def space(self) -> LabelSpace:
        """The classes.

        Raises:
            UserError: the data set has none.
        """
        if self.photos.spec.labels is None:
            raise UserError(
                f"{self.photos.spec.key} has no labels", "--dataset", "Choose a labelled data set."
            )
        return self.photos.spec.labels


def train_vae(config: RassConfig, training: Training) -> Path:
    """Stage 1 of a prior: the autoencoder, from random weights.

    Args:
        config: the sizes; its latents' scaling is measured at the end.
        training: what to train on.

    Returns:
        The weights file; UNet and text encoder in it are as they were drawn.

    Raises:
        UserError: see :func:`rass_bench.train.loop.train`.
    """
    with _seeded(training.loop.seed):
        network = ScrNetwork(config)
        draw_vae(network.vae)
    stage = VaeStage(network, training.loop.steps)
    if training.gradient_checkpointing:
        network.vae.enable_gradient_checkpointing()
    stream = _stream(training, config, None)
    _run(stage, stream, training, None)
    batches = list(stream.batches(training.loop.batch, 0, SCALING_BATCHES, workers=0))
    scaling = latent_scaling(network.cpu().eval(), batches)
    config = dataclasses.replace(config, vae=dataclasses.replace(config.vae, scaling=scaling))
    return _save(_Result(config, {}, network.state_dict(), None), stage, stream, training)


def train_unet(weights: str, training: Training) -> Path:
    """Stage 2 of a prior: the denoiser and the text encoder, in the latents of a trained VAE.

    Args:
        weights: what :func:`train_vae` wrote.
        training: what to train on.

    Returns:
        The weights file.

    Raises:
        UserError: weights that cannot be read; see :func:`rass_bench.train.loop.train`.
    """
    start = open_prior(weights)
    check_start(start, weights, training.size)
    network = _filled(start, weights)
    tokenizer = prior_tokenizer(start, weights, training.space)
    stage = DenoiserStage(network, tokenizer, training.space, training.loop.steps)
    if training.gradient_checkpointing:
        network.unet.enable_gradient_checkpointing()
    stream = _stream(training, start.config, None)
    _run(stage, stream, training, start)
    result = _Result(start.config, {}, network.state_dict(), start)
    return _save(result, stage, stream, training)


def train_scr(weights: str, settings: ScrSettings, training: Training) -> Path:
    """Restoration: adapters on the prior's UNet.

    Args:
        weights: the prior: what :func:`train_unet` wrote, or ``official:DIR`` with Stable
            Diffusion.
        settings: losses and optimiser.
        training: what to train on.

    Returns:
        The weights file, adapters merged.

    Raises:
        UserError: weights that cannot be read; see :func:`rass_bench.train.loop.train`.
    """
    start = open_prior(weights)
    check_start(start, weights, training.size)
    network = _filled(start, weights)
    tokenizer = prior_tokenizer(start, weights, training.space)
    if training.gradient_checkpointing:  # before the critic becomes a copy of the UNet
        network.unet.enable_gradient_checkpointing()
        network.vae.enable_gradient_checkpointing()
    with _seeded(training.loop.seed):
        stage = ScrStage(network, tokenizer, training.space, settings)
    stream = _stream(training, start.config, training.preset)
    _run(stage, stream, training, start)
    merged = merge_lora(network.state_dict(), settings.lora.scaling)
    return _save(_Result(start.config, {}, merged, start), stage, stream, training)


def train_rass(weights: str, rates: Rates, training: Training, tagger: str | None = None) -> Path:
    """Segmentation: a second set of adapters, projections and head on SCR's UNet.

    Args:
        weights: what :func:`train_scr` wrote, or ``official:DIR``; a prior's weights leave SCR out.
        rates: learning rates.
        training: what to train on.
        tagger: where prompts come from; None takes the configuration's, and where that is a fixed
            prompt without words, the names of the classes in the training set.

    Returns:
        The weights file, with SCR's in it.

    Raises:
        UserError: weights that cannot be read; see :func:`rass_bench.train.loop.train`.
    """
    start = open_weights(weights, Part.SCR, tagger=tagger, tags=None)
    check_start(start, weights, training.size)
    if (tagger or start.config.tagger) == FIXED:
        tagger = FIXED + ", ".join(class_names(training.photos))
    space = training.space
    config = dataclasses.replace(
        start.config,
        tagger=tagger or start.config.tagger,
        label_space=space.name,
        head=dataclasses.replace(start.config.head, classes=space.size),
    )
    tokenizer = prior_tokenizer(start, weights, space)
    check_prompt(config, tokenizer)
    check_backbone(config, start.scr, weights)
    with _seeded(training.loop.seed):
        network = _begin_rass(config, start.scr)
    if training.gradient_checkpointing:
        network.unet.enable_gradient_checkpointing()
    stage = RassStage(
        network,
        PromptEncoder(network.text_encoder, tokenizer),
        build_tagger(config, start, device_of(training.loop), weights),
        space=space,
        rates=rates,
        steps=training.loop.steps,
    )
    stream = _stream(training, config, training.preset)
    _run(stage, stream, training, start)
    result = _Result(config, network.state_dict(), start.scr, start)
    return _save(result, stage, stream, training)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """First weights are drawn in here; PyTorch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _begin_rass(config: RassConfig, scr: Mapping[str, Tensor]) -> RassNetwork:
    """SCR's weights, fresh adapters and a fresh head."""
    network = RassNetwork(config)
    wanted = network.state_dict()
    backbone = {name: one for name, one in scr.items() if name in wanted}
    network.load_state_dict(backbone, strict=False)
    make_trainable(network)
    initialise_head(network)
    return network


def _filled(start: RassWeights, weights: str) -> ScrNetwork:
    network = build_configured(ScrNetwork, start.config, weights)
    load_strictly(network, start.scr, weights)
    return network


def _stream(training: Training, config: RassConfig, preset: Preset | None) -> CropStream:
    sizes = Augmentation.of_side(training.crop, config.short_side, training.tenths)
    return CropStream(training.photos, sizes, preset, training.loop.seed)


def _run(stage: Stage, stream: CropStream, training: Training, start: RassWeights | None) -> None:
    train(
        stage,
        stream,
        training.loop,
        training.out,
        start=None if start is None else start.sha256,
        resume=training.resume,
        advance=training.advance,
    )


@dataclass(frozen=True)
class _Result:
    """What a training gave.

    Attributes:
        config: of the networks.
        rass: RASS's tensors, the UNet's under peft's names; empty before that stage.
        scr: SCR's, or the prior's.
        start: what it began with, or None.
    """

    config: RassConfig
    rass: Mapping[str, Tensor]
    scr: Mapping[str, Tensor]
    start: RassWeights | None


def _save(result: _Result, stage: Stage, stream: CropStream, training: Training) -> Path:
    """Write weights in half precision, and the record of how they came about.

    Of several processes the first one writes, and the others wait for it.
    """
    path = training.out / WEIGHTS
    with PartialState().main_process_first():
        if PartialState().is_main_process:
            _write(result, stage, stream, training.loop, path)
    return path


def _write(
    result: _Result, stage: Stage, stream: CropStream, loop: LoopSettings, path: Path
) -> None:
    start = result.start
    weights = RassWeights(
        config=result.config,
        rass={name: halved(name, one) for name, one in result.rass.items()},
        scr={name: halved(name, one) for name, one in result.scr.items()},
        ram={} if start is None else start.ram,
        tags=None if start is None else start.tags,
        tokenizer=None,
        sources={} if start is None else {"start": start.sha256},
        sha256="",
    )
    save_weights(weights, path)
    write_record(
        stage,
        stream,
        loop,
        path,
        size=result.config.size,
        start=None if start is None else start.sha256,
    )
