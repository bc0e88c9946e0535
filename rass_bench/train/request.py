"""From what a user asks for to the training that does it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from rass_bench.data.dataset import Dataset, open_dataset
from rass_bench.degrade.preset import PRESETS, Preset
from rass_bench.errors import UserError
from rass_bench.models.rass.config import FIXED, LABELS, RAM, RassConfig, is_tagger
from rass_bench.models.rass.loading import OFFICIAL
from rass_bench.train.distillation import Distillation
from rass_bench.train.loop import CHECKPOINT, Advance, LoopSettings, Precision
from rass_bench.train.metrics_log import METRICS_FILE
from rass_bench.train.perceptual import Perceptual
from rass_bench.train.processes import joined_processes
from rass_bench.train.recipes import RECIPES, Extent, Recipe
from rass_bench.train.scl import Mode, SclConfig
from rass_bench.train.scr import ScrSettings
from rass_bench.train.segmenter import train_segmenter
from rass_bench.train.segmenter_start import PREFIX
from rass_bench.train.stages import (
    WEIGHTS,
    Training,
    train_rass,
    train_scr,
    train_unet,
    train_vae,
)

ProgressBar: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]
"""Draws a bar: its title and the number of steps."""

OFF = "off"

MAX_CROP = 4096
"""Side in pixels; a crop is held in memory many times over."""

_LIMITS = {
    "steps": (1, 10**9),
    "batch": (1, 2**16),
    "short_side": (32, MAX_CROP),
    "seed": (0, 2**63 - 1),
    "threads": (1, 1024),
    "workers": (0, 256),
}
"""By option: its least and its greatest number, far beyond what makes sense."""

_WRITTEN = (CHECKPOINT, METRICS_FILE, WEIGHTS, "model.safetensors")
"""What a training leaves in its folder."""

_ONE_STAGE = ("vae", "unet", "scr", "rass", "segmenter")
_TAKEN_BY = {
    "weights": ("unet", "scr", "rass"),
    "model": ("segmenter",),
    "degrade": ("scr", "rass", "segmenter"),
    "batch": _ONE_STAGE,
    "crop": _ONE_STAGE,
    "learning_rate": ("segmenter",),
    "short_side": ("segmenter",),
    "distillation": ("scr",),
    "perceptual": ("scr",),
    "scl": ("scr",),
    "tagger": ("rass",),
}
"""By option: which stages take it."""


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
        short_side: that a segmenter's photos are tested at, and around which it is trained.
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
    short_side: int | None
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
        UserError: choices that do not fit the stage or each other, and what the stages raise.
    """
    _check(request)
    with joined_processes(cpu=request.device == "cpu") as processes:
        return _train(request, progress_bar if processes.is_main_process else _no_bar)


def _train(request: TrainRequest, progress_bar: ProgressBar) -> Path:
    """What one of the processes does."""
    if request.stage == "mini":
        from rass_bench.train.mini import train_mini

        return train_mini(request, progress_bar)
    recipe = RECIPES[request.size]
    extent = _extent(request, recipe)
    with progress_bar(request.stage, extent.steps) as advance:
        if request.stage == "segmenter":
            return _train_segmenter(request, extent, advance)
        return run_stage(request, recipe, extent, advance)


def run_stage(request: TrainRequest, recipe: Recipe, extent: Extent, advance: Advance) -> Path:
    """One of the four stages, from weights to weights."""
    training = Training(
        size=request.size,
        photos=request.photos,
        preset=_preset("rass" if request.degrade is None else request.degrade),
        crop=extent.crop,
        tenths=recipe.tenths,
        loop=_loop(request, extent),
        out=request.out,
        resume=request.resume,
        gradient_checkpointing=request.gradient_checkpointing,
        advance=advance,
    )
    weights, space = request.weights or "", training.space
    match request.stage:
        case "vae":
            return train_vae(RassConfig.mini(space.name), training)
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
        short_side=request.short_side,
        gradient_checkpointing=request.gradient_checkpointing,
        resume=request.resume,
        advance=advance,
        validation=validation,
    )
    return request.out


def _check(request: TrainRequest) -> None:
    """Refuse what the stage would ignore, and what no training can have, before any is begun."""
    stage = request.stage
    for name, stages in _TAKEN_BY.items():
        if getattr(request, name) is not None and stage not in stages:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{stage} takes no {option}", option, f"Leave it out; {', '.join(stages)} may."
            )
    if stage == "mini" and request.size != "mini":
        raise UserError(f"train mini of size {request.size}", "--size", "Leave it out.")
    if stage in _TAKEN_BY["weights"] and request.weights is None:
        raise UserError(
            f"{stage} needs weights to begin with",
            "--weights",
            "Give official:DIR, or the weights.safetensors of the stage before: vae, unet, scr, "
            "rass.",
        )
    if request.tagger is not None and not is_tagger(request.tagger):
        raise UserError(
            f"tagger {request.tagger!r}", "--tagger", f"Choose {RAM}, {LABELS} or {FIXED}WORDS."
        )
    _check_numbers(request)
    _check_device(request)
    _check_out(request)


def _check_numbers(request: TrainRequest) -> None:
    for name, (least, greatest) in _LIMITS.items():
        value = getattr(request, name)
        if value is not None and not least <= value <= greatest:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} {value}", option, f"Give a whole number from {least} to {greatest}."
            )
    rate = request.learning_rate
    if rate is not None and not 0 < rate < math.inf:
        raise UserError(f"a learning rate of {rate}", "--learning-rate", "Give a positive number.")


def _check_out(request: TrainRequest) -> None:
    """Refuse to write over what is trained on, what is begun with, or an earlier training."""
    out = request.out.resolve()
    for place in (out, *out.parents):
        if place.exists() and not place.is_dir():
            raise UserError(
                f"{place.name} is a file, not a folder", str(request.out), "Choose another --out."
            )
    if any(out.is_relative_to(one) for one in _folders(request.photos)):
        raise UserError(
            "the data set's photos lie there", str(request.out), "Choose another --out."
        )
    if out == _start_folder(request):
        raise UserError(
            "the training would write over what it begins with",
            str(request.out),
            "Choose another --out.",
        )
    if request.resume:
        return
    for name in _WRITTEN:
        if (request.out / name).exists():
            raise UserError(
                f"a training has been here before: {name}",
                str(request.out),
                "Add --resume, or choose another --out.",
            )


def _start_folder(request: TrainRequest) -> Path | None:
    """Where the weights lie that the training begins with; None where it writes no such files."""
    if request.model is not None:
        return Path(request.model.removeprefix(PREFIX)).resolve()
    if request.weights is None or request.weights.startswith(OFFICIAL):
        return None
    return Path(request.weights).resolve().parent


def _folders(photos: Dataset) -> set[Path]:
    """Where a data set's photos and labels lie."""
    files = [one for sample in photos.samples for one in (sample.image, sample.label) if one]
    return {parent.resolve() for parent in {path.parent for path in files}}


def _check_device(request: TrainRequest) -> None:
    if request.device not in ("cpu", "cuda"):
        raise UserError(f"device {request.device!r}", "--device", "Choose cpu or cuda.")
    if request.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "PyTorch sees no GPU here", "--device cuda", "Use --device cpu, or check the driver."
        )
    if request.device == "cpu" and request.precision == "fp16":
        raise UserError(
            "16-bit floats (fp16) train on GPUs alone",
            "--precision fp16",
            "Choose fp32 or bf16 on a CPU.",
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
    if extent.crop % 32 or not 32 <= extent.crop <= MAX_CROP:
        raise UserError(
            f"crops of {extent.crop} pixels",
            "--crop",
            f"Choose a multiple of 32, the last stride, up to {MAX_CROP}.",
        )
    return extent


def _loop(request: TrainRequest, extent: Extent) -> LoopSettings:
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


@contextmanager
def _no_bar(title: str, steps: int) -> Iterator[Advance]:
    """For all processes but the first, which share its terminal."""
    del title, steps
    yield lambda steps, note: None


def _preset(name: str) -> Preset:
    return PRESETS.get(name)
