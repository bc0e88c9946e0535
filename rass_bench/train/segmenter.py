"""Training of a segmenter: a transformers checkpoint, or a small SegFormer from nothing.

On clean photos this gives the baseline of direct tests and of restore-then-segment; on photos
degraded online, that of fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import PartialState

from rass_bench.data.dataset import Dataset
from rass_bench.degrade.preset import Preset
from rass_bench.errors import UserError
from rass_bench.labels import LabelSpace
from rass_bench.models.registry import Runtime
from rass_bench.train.augment import Augmentation
from rass_bench.train.crops import CropStream
from rass_bench.train.loop import Advance, LoopSettings, train
from rass_bench.train.segmenter_folder import measure, save_card, save_segmenter
from rass_bench.train.segmenter_stage import SegmenterStage
from rass_bench.train.segmenter_start import Start, check_crop, open_start

CROP = 192
"""Side of a training crop in pixels, for the small network."""

SMALL = 2_000_000
"""Parameters below which a network counts as small."""

VALIDATION_SEED = 0
"""Of the degradation that a trained network is measured under."""


@dataclass(frozen=True)
class TrainingRun:
    """What a training run was and gave.

    Attributes:
        dataset: name@version of the training set.
        split: its split.
        images: how many images it has.
        settings: what the loop was told.
        reference: the start model as it was given, or None for random weights.
        start: name@revision of the start model, or None.
        redrawn: whether its last layer was drawn anew, for another number of classes.
        preset: name@version of the online degradation, or None.
        crop: side of the crops.
        short_side: that photos are tested at.
        told_side: the short side as it was given, or None.
        learning_rate: at its highest.
        parameters: of the network.
        processes: that trained together.
        seconds: wall time of the steps.
        runtime: where it was trained and measured.
        validation: name@version and split of the measurements, or None.
        miou: ``miou/gt-present`` on its clean photos, 0..1, or None.
        miou_degraded: the same on its photos degraded by the preset, seed 0, or None.
    """

    dataset: str
    split: str
    images: int
    settings: LoopSettings
    reference: str | None
    start: str | None
    redrawn: bool
    preset: str | None
    crop: int
    short_side: int
    told_side: int | None
    learning_rate: float
    parameters: int
    processes: int
    seconds: float
    runtime: Runtime
    validation: str | None = None
    miou: float | None = None
    miou_degraded: float | None = None


def train_segmenter(
    photos: Dataset,
    out: Path,
    settings: LoopSettings,
    *,
    start: str | None = None,
    preset: Preset | None = None,
    crop: int = CROP,
    short_side: int | None = None,
    learning_rate: float | None = None,
    gradient_checkpointing: bool = False,
    resume: bool = False,
    advance: Advance = lambda steps, note: None,
    validation: Dataset | None = None,
) -> TrainingRun:
    """Train a segmenter and save it as a transformers folder.

    AdamW, a poly schedule of power 0.9 after a linear warm-up. The same arguments give the same
    weights on one thread of one kind of CPU with one version of PyTorch, killed and resumed or not.

    Args:
        photos: labelled photos to train on.
        out: folder for the checkpoint and the loop's files; made when absent.
        settings: what the loop is told; at least two crops a step, for batch normalisation.
        start: what to fine-tune: ``transformers:`` before a Hub id or folder, or the shipped
            baseline's name; None trains a small SegFormer from random weights.
        preset: online degradation; None trains on the photos as they are.
        crop: side of the crops in pixels.
        short_side: that photos are tested at, and around which training resizes them; None takes
            the start model's, or 256 from nothing.
        learning_rate: at its highest; None takes :func:`default_learning_rate`.
        gradient_checkpointing: compute activations again instead of keeping them.
        resume: go on from the checkpoint in ``out``, if there is one.
        advance: told of the steps, for a progress bar.
        validation: labelled photos to measure the saved model on, for its card.

    Raises:
        UserError: no labels, a start model, crop or number that does not fit, or what
            :func:`rass_bench.train.loop.train` raises.
    """
    space = _label_space(photos)
    if settings.steps < 1 or settings.batch < 2:
        raise UserError(
            f"{settings.steps} steps of {settings.batch} crops",
            "--steps and --batch",
            "At least 1 step of 2 crops.",
        )
    begun = open_start(start, space, settings.seed, short_side)
    check_crop(begun, crop)
    rate = default_learning_rate(begun) if learning_rate is None else learning_rate
    stage = SegmenterStage(
        begun, space, settings.steps, rate, gradient_checkpointing=gradient_checkpointing
    )
    sizes = Augmentation.of_side(crop, begun.short_side)
    crops = CropStream(photos, sizes, preset, settings.seed)
    progress = train(stage, crops, settings, out, resume=resume, advance=advance)
    run = TrainingRun(
        dataset=photos.spec.key,
        split=photos.split.name,
        images=len(photos.samples),
        settings=settings,
        reference=start,
        start=begun.origin,
        redrawn=begun.redrawn,
        preset=preset.key if preset else None,
        crop=crop,
        short_side=begun.short_side,
        told_side=short_side,
        learning_rate=rate,
        parameters=begun.parameters,
        processes=PartialState().num_processes,
        seconds=progress.seconds,
        runtime=_runtime(settings),
    )
    if PartialState().is_main_process:
        save_segmenter(begun.network, space, begun.processor, out)
        run = _measured(run, out, preset, validation)
        save_card(run, begun, out)
    return run


def default_learning_rate(start: Start) -> float:
    """The highest learning rate where none is given.

    1e-3 from random weights, 5e-4 for the small network's, and 6e-5 for published ones, as
    SegFormer was trained (arXiv 2105.15203, section 4.1).
    """
    if start.origin is None:
        return 1e-3
    return 5e-4 if start.parameters < SMALL else 6e-5


def _measured(
    run: TrainingRun, out: Path, preset: Preset | None, validation: Dataset | None
) -> TrainingRun:
    """Measure the saved checkpoint, as others will load it."""
    if validation is None:
        return run
    run = replace(
        run,
        validation=f"{validation.spec.key} {validation.split.name}",
        miou=measure(out, validation, run.runtime),
    )
    if preset is None:
        return run
    degraded = measure(out, validation, run.runtime, preset, VALIDATION_SEED)
    return replace(run, miou_degraded=degraded)


def _runtime(settings: LoopSettings) -> Runtime:
    on_cpu = settings.cpu or not torch.cuda.is_available()
    return Runtime("cpu" if on_cpu else "cuda", settings.threads)


def _label_space(photos: Dataset) -> LabelSpace:
    space = photos.spec.labels
    if space is None:
        raise UserError(
            f"{photos.spec.key} has no labels", "--dataset", "Train on a labelled data set."
        )
    return space
