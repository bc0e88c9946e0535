"""The record of a training."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from accelerate import PartialState
from torch import nn

from rass_bench.errors import UserError, from_os_error
from rass_bench.evaluate.environment import describe_environment
from rass_bench.files import read_json, sha256_file, write_json
from rass_bench.record import Environment
from rass_bench.structure import build
from rass_bench.train.crops import CropStream
from rass_bench.train.loop import LoopSettings
from rass_bench.train.metrics_log import METRICS_FILE, read_metrics
from rass_bench.train.stage import Stage

RECORD = "training.json"
LAST_STEPS = 50
"""Steps that a final loss is the mean of."""


@dataclass(frozen=True)
class TrainingRecord:
    """What a training was and gave.

    Attributes:
        stage: ``vae``, ``unet``, ``scr`` or ``rass``.
        size: of the networks, such as ``mini``.
        dataset: name@version of what was trained on.
        split: its split.
        photos: how many photos it has.
        degradation: preset@version of the online degradation, or None.
        crop: side of the crops in pixels.
        steps: optimizer steps.
        seed: of everything random.
        batch: crops a step, all processes together.
        precision: in which numbers the networks computed.
        facts: what else the result depends on, as the stage tells it.
        parameters: of the networks in training, in all.
        trainable: those that learned.
        losses: every term of the loss, the mean over the last steps.
        seconds: wall time of the steps.
        start_sha256: of the weights that it began with, or None.
        weights_sha256: of the weights that it wrote.
        made: date, UTC.
        environment: versions, device, commit.
    """

    stage: str
    size: str
    dataset: str
    split: str
    photos: int
    degradation: str | None
    crop: int
    steps: int
    seed: int
    batch: int
    precision: str
    facts: dict[str, Any]
    parameters: int
    trainable: int
    losses: dict[str, float]
    seconds: float
    start_sha256: str | None
    weights_sha256: str
    made: str
    environment: Environment


def write_record(
    stage: Stage,
    stream: CropStream,
    loop: LoopSettings,
    weights: Path,
    *,
    size: str,
    start: str | None,
) -> None:
    """Write ``training.json`` beside a training's weights.

    Args:
        stage: as it is after the last step.
        stream: what it was trained on.
        loop: what the loop was told.
        weights: the file that was written; ``metrics.csv`` lies beside it.
        size: of the networks.
        start: SHA-256 of the weights that it began with, or None.

    Raises:
        UserError: a file cannot be written.
    """
    rows = read_metrics(weights.with_name(METRICS_FILE))
    last = rows[-LAST_STEPS:]
    network = cast(nn.Module, stage)
    preset = stream.preset
    record = TrainingRecord(
        stage=stage.name,
        size=size,
        dataset=stream.photos.spec.key,
        split=stream.photos.split.name,
        photos=len(stream.photos.samples),
        degradation=None if preset is None else f"{preset.name}@{preset.version}",
        crop=stream.sizes.side,
        steps=loop.steps,
        seed=loop.seed,
        batch=loop.batch * PartialState().num_processes,
        precision=str(loop.precision),
        facts=dict(stage.facts()),
        parameters=sum(one.numel() for one in network.parameters()),
        trainable=sum(one.numel() for one in network.parameters() if one.requires_grad),
        losses={name: fmean(row.terms[name] for row in last) for name in last[0].terms},
        seconds=sum(row.seconds for row in rows),
        start_sha256=start,
        weights_sha256=sha256_file(weights),
        made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        environment=describe_environment("cpu" if loop.cpu else "cuda", loop.threads),
    )
    try:
        write_json(weights.with_name(RECORD), asdict(record))
    except OSError as error:
        raise from_os_error(error, str(weights.parent)) from error


def read_record(folder: Path) -> TrainingRecord:
    """Read a training's ``training.json``.

    Raises:
        UserError: it is missing or none.
    """
    path = folder / RECORD
    try:
        return build(TrainingRecord, read_json(path))
    except ValueError as error:
        raise UserError(
            f"no record of a training: {error}",
            str(path),
            "Restore it, or remove the folder to train that stage again.",
        ) from None


def card(records: Sequence[TrainingRecord], weights: Path, command: str) -> str:
    """The README.md of weights that several stages made one after the other.

    Args:
        records: of the stages, first one first.
        weights: the file.
        command: that trains it again.
    """
    last = records[-1]
    environment = last.environment
    commit = environment.git_commit or "unknown"
    dirty = " with changes" if environment.git_dirty else ""
    rows = "\n".join(
        f"| {one.stage} | {one.steps:,} | {one.batch} x {one.crop} px "
        f"| {one.degradation or 'none'} | {one.trainable:,} | {one.seconds / 60:.1f} |"
        for one in records
    )
    versions = ", ".join(
        f"{name} {environment.packages[name]}"
        for name in ("torch", "diffusers", "transformers", "peft")
        if name in environment.packages
    )
    computed = "32-bit" if last.precision == "no" else last.precision
    return f"""---
license: apache-2.0
pipeline_tag: image-segmentation
---

# {weights.stem}: RASS and SCR in a few million parameters

A demonstration: the paper's networks at a size for CPUs, trained from random weights. What they
score on rendered scenes says nothing about real photos.

| stage | steps | batch | degradation | parameters that learn | minutes |
|---|---:|---|---|---:|---:|
{rows}

| | |
|---|---|
| data | {last.dataset} {last.split}, {last.photos} photos |
| seed | {last.seed} |
| weights | {weights.stat().st_size:,} bytes, 16-bit; trained in {computed} |
| SHA-256 | `{sha256_file(weights)}` |
| prompt | `{last.facts["tagger"]}` |
| trained on | {environment.device}, {environment.threads} thread(s) |
| made | {last.made}, commit {commit}{dirty}, {versions} |

Trained by

    {command}
"""
