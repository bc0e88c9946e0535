"""From what a user asks for to the training that does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rass_bench.data.dataset import Dataset, open_dataset
from rass_bench.degrade.preset import PRESETS, Preset
from rass_bench.errors import UserError, require_package
from rass_bench.models.rass.config import RassConfig
from rass_bench.train.distillation import Distillation
from rass_bench.train.loop import Advance, LoopSettings, Precision
from rass_bench.train.perceptual import Perceptual
from rass_bench.train.recipes import RECIPES, Extent, Recipe
from rass_bench.train.scl import Mode, SclConfig
from rass_bench.train.scr import ScrSettings
from rass_bench.train.segmenter import train_segmenter
from rass_bench.train.stages import Training, train_rass, train_scr, train_unet, train_vae

ProgressBar: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]
"""Draws a bar: its title and the number of steps."""

OFF = "off"

_TAKEN = {
    "vae": {"degrade": False, "weights": False},
    "unet": {"degrade": False, "weights": True},
    "scr": {"degrade": True, "weights": True},
    "rass": {"degrade": True, "weights": True},
    "segmenter": {"degrade": True, "weights": False},
}
"""By stage: whether a degradation and weights to begin with may be named."""


@dataclass(frozen=True)
class TrainRequest:
    """The command line of ``rass-bench train``; None leaves a choice to the recipe.

    Attributes:
        stage: ``vae``, ``unet``, ``scr``, ``rass``, ``segmenter`` or ``mini``.
        size: ``mini`` or ``sd21``.
        photos: what to train on.
        out: the folder to write.
        weights: what to begin with.
        model: the segmenter to fine-tune.
        degrade: preset of the online degradation.
        steps: optimizer steps.
        batch: crops a step and process.
        crop: side of the crops.
        learning_rate: a segmenter's.
        seed: of everything random.
        resume: go on from the checkpoint in ``out``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        gradient_checkpointing: compute activations twice.
        device: ``cpu`` or ``cuda``.
        threads: of a CPU.
        workers: processes that prepare crops.
        checkpoint_every: steps between checkpoints.
        pictures_every: steps between sample pictures.
        distillation: SCR's distribution loss.
        perceptual: SCR's perceptual loss.
        scl: mode of L_SCL, or ``off``.
        tagger: where RASS's prompts come from.
    """

    stage: str
    size: str
    photos: Dataset
    out: Path
    weights: str | None
    model: str | None
    degrade: str | None
    steps: int | None
    batch: int | None
    crop: int | None
    learning_rate: float | None
    seed: int
    resume: bool
    precision: str
    gradient_checkpointing: bool
    device: str
    threads: int
    workers: int
    checkpoint_every: int
    pictures_every: int
    distillation: str | None
    perceptual: str | None
    scl: str | None
    tagger: str | None


def carry_out(request: TrainRequest, progress_bar: ProgressBar) -> Path:
    """Train what is asked for.

    Args:
        request: what.
        progress_bar: how progress is shown.

    Returns:
        The weights file, or the folder that holds them.

    Raises:
        UserError: choices that do not fit the stage or each other, missing packages, and what the
            stages raise.
    """
    for package in ("torch", "accelerate", "tensorboard", "diffusers", "peft", "transformers"):
        require_package(package, "models")
    if request.stage == "mini":
        from rass_bench.train.mini import train_mini

        return train_mini(request, progress_bar)
    _check(request)
    recipe = RECIPES[request.size]
    extent = _extent(request, recipe)
    with progress_bar(request.stage, extent.steps) as advance:
        if request.stage == "segmenter":
            return _train_segmenter(request, extent, advance)
        return run_stage(request, recipe, extent, advance)


def run_stage(request: TrainRequest, recipe: Recipe, extent: Extent, advance: Advance) -> Path:
    """One of the four stages, from weights to weights."""
    training = Training(
        photos=request.photos,
        preset=_preset(request.degrade or "rass"),
        crop=extent.crop,
        loop=_loop(request, extent),
        out=request.out,
        resume=request.resume,
        gradient_checkpointing=request.gradient_checkpointing,
        advance=advance,
    )
    weights = request.weights or ""
    match request.stage:
        case "vae":
            return train_vae(RassConfig.mini(training.space.name), training)
        case "unet":
            return train_unet(weights, training)
        case "scr":
            return train_scr(weights, scr_settings(request, recipe.scr_settings), training)
        case _:
            return train_rass(weights, recipe.rates, training, request.tagger)


def scr_settings(request: TrainRequest, told: ScrSettings) -> ScrSettings:
    """A recipe's settings with the user's choices in them.

    Raises:
        UserError: a choice that there is not.
    """
    try:
        if request.distillation is not None:
            told = dataclasses.replace(told, distillation=Distillation(request.distillation))
        if request.perceptual is not None:
            told = dataclasses.replace(told, perceptual=Perceptual(request.perceptual))
        if request.scl is not None:
            scl = None if request.scl == OFF else SclConfig(mode=Mode(request.scl))
            told = dataclasses.replace(told, scl=scl)
    except ValueError as error:
        raise UserError(
            str(error), "--distillation, --perceptual, --scl", "See `rass-bench train --help`."
        ) from None
    return told


def _train_segmenter(request: TrainRequest, extent: Extent, advance: Advance) -> Path:
    validation = open_dataset("scenes") if request.photos.spec.name == "scenes" else None
    train_segmenter(
        request.photos,
        request.out,
        _loop(request, extent),
        start=request.model,
        preset=None if request.degrade is None else _preset(request.degrade),
        crop=extent.crop,
        learning_rate=request.learning_rate,
        gradient_checkpointing=request.gradient_checkpointing,
        resume=request.resume,
        advance=advance,
        validation=validation,
    )
    return request.out


def _check(request: TrainRequest) -> None:
    """Refuse what the stage would ignore."""
    stage, taken = request.stage, _TAKEN[request.stage]
    told = {
        "--weights": request.weights is not None and not taken["weights"],
        "--degrade": request.degrade is not None and not taken["degrade"],
        "--model": request.model is not None and stage != "segmenter",
        "--learning-rate": request.learning_rate is not None and stage != "segmenter",
        "--distillation": request.distillation is not None and stage != "scr",
        "--perceptual": request.perceptual is not None and stage != "scr",
        "--scl": request.scl is not None and stage != "scr",
        "--tagger": request.tagger is not None and stage != "rass",
    }
    for option, out_of_place in told.items():
        if out_of_place:
            raise UserError(f"{stage} takes no {option}", option, "Leave it out.")
    if taken["weights"] and request.weights is None:
        raise UserError(
            f"{stage} needs weights to begin with",
            "--weights",
            "Give official:DIR, or the weights.safetensors of the stage before: vae, unet, scr, "
            "rass.",
        )


def _extent(request: TrainRequest, recipe: Recipe) -> Extent:
    told = {
        "vae": recipe.vae,
        "unet": recipe.unet,
        "scr": recipe.scr,
        "rass": recipe.rass,
        "segmenter": recipe.segmenter,
    }[request.stage]
    if told is None:
        raise UserError(
            f"{request.size} has no {request.stage} to train: Stable Diffusion is its prior",
            f"train {request.stage} --size {request.size}",
            "Go on with train scr --weights official:DIR.",
        )
    extent = Extent(
        request.steps or told.steps, request.batch or told.batch, request.crop or told.crop
    )
    if extent.crop % 32:
        raise UserError(
            f"crops of {extent.crop} pixels", "--crop", "Choose a multiple of 32, the last stride."
        )
    return extent


def _loop(request: TrainRequest, extent: Extent) -> LoopSettings:
    if request.device not in ("cpu", "cuda"):
        raise UserError(f"device {request.device!r}", "--device", "cpu or cuda.")
    return LoopSettings(
        steps=extent.steps,
        seed=request.seed,
        batch=extent.batch,
        precision=Precision[request.precision.upper()],
        cpu=request.device == "cpu",
        threads=request.threads,
        workers=request.workers,
        checkpoint_every=request.checkpoint_every,
        pictures_every=request.pictures_every,
    )


def _preset(name: str) -> Preset:
    return PRESETS.get(name)
