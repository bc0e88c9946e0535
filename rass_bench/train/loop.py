"""The one training loop: every stage goes through it, on one device or several.

Everything random is keyed: a crop by its place, a step's draws by its number. A run that was
killed goes on from its last checkpoint with the same numbers, and a checkpoint needs no random
state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
from accelerate import Accelerator, PartialState
from torch import nn

from rass_bench.errors import UserError
from rass_bench.files import alone_in
from rass_bench.images import write_image
from rass_bench.models.devices import set_threads
from rass_bench.pictures import draw_grid
from rass_bench.randomness import generator
from rass_bench.train.checkpoint import Learning, Progress, load_checkpoint, save_checkpoint
from rass_bench.train.crops import Batch, CropStream
from rass_bench.train.metrics_log import MetricsLog, MetricsRow
from rass_bench.train.processes import held_by_the_first
from rass_bench.train.stage import Stage, build_optimizer

CHECKPOINT = "checkpoint.pt"
PICTURES = "pictures"


Advance: TypeAlias = Callable[[int, str], None]
"""Told of steps done and of the loss after them."""


class Precision(StrEnum):
    """In which numbers a stage computes, as accelerate calls them."""

    FP32 = "no"
    BF16 = "bf16"
    FP16 = "fp16"


@dataclass(frozen=True)
class LoopSettings:
    """What the loop is told.

    Attributes:
        steps: optimizer steps.
        seed: of everything random.
        batch: crops a step and process.
        precision: of the networks; weights and optimizer stay in float32.
        cpu: compute on the CPU though there may be a GPU.
        threads: of a CPU.
        workers: processes that prepare crops.
        checkpoint_every: steps between checkpoints.
        pictures_every: steps between sample pictures; 0 draws none.
    """

    steps: int
    seed: int
    batch: int
    precision: Precision = Precision.FP32
    cpu: bool = True
    threads: int = 1
    workers: int = 1
    checkpoint_every: int = 200
    pictures_every: int = 200


def train(
    stage: Stage,
    crops: CropStream,
    settings: LoopSettings,
    out: Path,
    *,
    start: str | None = None,
    resume: bool = False,
    advance: Advance = lambda steps, note: None,
) -> Progress:
    """Train a stage; its weights are changed in place.

    Writes ``metrics.csv``, TensorBoard events, ``pictures/`` and ``checkpoint.pt`` to ``out``. Of
    several processes the first one writes and tells of its steps.

    Args:
        stage: what learns.
        crops: what it learns from.
        settings: what the loop is told.
        out: folder, made when absent.
        start: SHA-256 of the weights that the stage begins with, or None: a checkpoint keeps what
            learns alone, and goes on with the same frozen rest only.
        resume: go on from the checkpoint in ``out``, if there is one.
        advance: called after each step, and once for those of earlier runs.

    Raises:
        UserError: a loss or gradient that is no number, full memory, unreadable photos, a
            checkpoint of other settings, one in ``out`` without ``resume``, or another training
            in ``out``.
    """
    set_threads(settings.threads)
    accelerator = Accelerator(mixed_precision=settings.precision, cpu=settings.cpu)
    trainer = _Trainer(stage, accelerator)
    described = {
        "settings": _plain(settings),
        "stage": dict(stage.facts()),
        "crops": dict(crops.facts()),
        "start": start,
        "processes": accelerator.num_processes,
    }
    with ExitStack() as stack:
        stack.enter_context(held_by_the_first(alone_in(out)))
        progress = load_checkpoint(out / CHECKPOINT, trainer.learning, described, resume=resume)
        if progress.step and accelerator.is_main_process:
            advance(progress.step, "")
        log = stack.enter_context(_log(out, progress.step, accelerator))
        started = time.monotonic() - progress.seconds
        batches = crops.batches(
            settings.batch,
            progress.step,
            settings.steps,
            workers=settings.workers,
            part=accelerator.process_index,
            parts=accelerator.num_processes,
        )
        for step, batch in enumerate(batches, start=progress.step):
            _seed_step(settings.seed, step, accelerator.process_index)
            here = batch.to(accelerator.device)
            row = trainer.step(step, here)
            before, progress = progress, Progress(step + 1, time.monotonic() - started)
            if log is None:
                continue
            log.write(replace(row, seconds=progress.seconds - before.seconds))
            advance(1, f"loss {row.loss:.4f}")
            if _due(progress.step, settings.pictures_every, settings.steps):
                _draw(stage, here, crops, out / PICTURES / f"{progress.step:06d}.png")
            if _due(progress.step, settings.checkpoint_every, settings.steps):
                log.sync()
                save_checkpoint(out / CHECKPOINT, trainer.learning, described, progress)
    accelerator.wait_for_everyone()
    cast(nn.Module, stage).eval()
    return progress


class _Trainer:
    """A stage on its device with its optimizer."""

    def __init__(self, stage: Stage, accelerator: Accelerator) -> None:
        network = cast(nn.Module, stage)
        self._stage = stage
        self._network = network
        self._accelerator = accelerator
        self._groups = stage.groups()
        self._wrapped, self._optimizer = accelerator.prepare(network, build_optimizer(self._groups))
        self._parameters = [one for group in self._groups for one in group.parameters]
        self.learning = Learning(network, self._optimizer, accelerator.scaler)

    def step(self, step: int, batch: Batch) -> MetricsRow:
        """One optimizer step; its seconds are left for the loop to fill in."""
        rate = self._stage.rate(step)
        for group, told in zip(self._optimizer.param_groups, self._groups, strict=True):
            group["lr"] = told.learning_rate * rate
        self._stage.start_step(step)
        self._network.train()
        try:
            terms: dict[str, torch.Tensor] = self._wrapped(batch)
            values = {name: float(value.detach()) for name, value in terms.items()}
            for name, value in values.items():
                _check_finite(f"the term {name} of the loss", value, step)
            self._accelerator.backward(torch.stack(list(terms.values())).sum())
        except (MemoryError, RuntimeError) as error:
            if not _memory_is_full(error):
                raise
            raise UserError(
                "the memory is full",
                "training",
                "Use a smaller --batch or --crop, --gradient-checkpointing, or 16-bit --precision.",
            ) from None
        norm = float(self._accelerator.clip_grad_norm_(self._parameters, self._stage.clip_norm))
        if self._accelerator.scaler is None:  # which skips such steps, and lowers its factor
            _check_finite("the norm of the gradient", norm, step)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return MetricsRow(
            step=step,
            seconds=0.0,
            learning_rate=self._groups[0].learning_rate * rate,
            gradient_norm=norm,
            loss=sum(values.values()),
            terms=values,
        )


def _memory_is_full(error: Exception) -> bool:
    """Whether a GPU or the machine has no memory left; PyTorch's CPU raises a bare RuntimeError."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def device_of(settings: LoopSettings) -> torch.device:
    """Where this process computes: each of several has a GPU of its own."""
    return cast(torch.device, PartialState(cpu=settings.cpu).device)


def _log(
    out: Path, first: int, accelerator: Accelerator
) -> AbstractContextManager[MetricsLog | None]:
    """The log, of the first process alone."""
    return MetricsLog(out, first) if accelerator.is_main_process else nullcontext()


def _seed_step(seed: int, step: int, process: int) -> None:
    """Seed PyTorch's global generators for one step of one process."""
    key = generator(seed, f"step-{step}-process-{process}", "train/step").integers(2**63)
    torch.manual_seed(int(key))


def _check_finite(what: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        raise UserError(
            f"{what} is {value} at step {step}",
            "training",
            "Use a lower learning rate or full precision; --resume goes on from the last "
            "checkpoint.",
        )


def _due(step: int, every: int, steps: int) -> bool:
    return every > 0 and (step % every == 0 or step == steps)


def _draw(stage: Stage, batch: Batch, crops: CropStream, path: Path) -> None:
    """A picture of what the stage makes of the step's batch."""
    cast(nn.Module, stage).eval()
    with torch.no_grad():
        rows = stage.pictures(batch)
    if rows and crops.photos.spec.labels is not None:
        title = f"{stage.name}, step {int(path.stem)}"
        write_image(path, draw_grid(rows, crops.photos.spec.labels, title))


def _plain(settings: LoopSettings) -> dict[str, Any]:
    """What results depend on: not where, with how many workers, or how often it is looked at."""
    return {
        "steps": settings.steps,
        "seed": settings.seed,
        "batch": settings.batch,
        "precision": str(settings.precision),
    }
