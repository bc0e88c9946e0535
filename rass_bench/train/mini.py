"""``rass-bench train mini``: everything that ships as rass-mini, in one command.

vae ─ unet ─ scr ─ rass ─ one file with its card
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate import PartialState

from rass_bench.data.spec import Layout
from rass_bench.errors import UserError
from rass_bench.files import sha256_file, write_bytes
from rass_bench.models.rass.weights import load_weights, save_weights
from rass_bench.sums import write_sums
from rass_bench.train.loop import Precision
from rass_bench.train.recipes import MINI, Extent
from rass_bench.train.record import RECORD, card, read_record
from rass_bench.train.stages import WEIGHTS

if TYPE_CHECKING:
    from rass_bench.train.request import ProgressBar, TrainRequest

NAME = "rass-mini"
STAGES = ("vae", "unet", "scr", "rass")


def train_mini(request: TrainRequest, progress_bar: ProgressBar) -> Path:
    """Run the four stages one after the other, each in a folder of its own.

    Args:
        request: photos, seed, threads and so on; a stage that is already done is not done again
            when it says ``resume``.
        progress_bar: draws a bar a stage.

    Returns:
        The folder with ``rass-mini.safetensors``, its JSON file, ``README.md``, ``SHA256SUMS``.

    Raises:
        UserError: a finished stage of other settings in ``out``; see
            :func:`rass_bench.train.request.carry_out`.
    """
    from rass_bench.train.request import run_stage

    weights: Path | None = None
    for stage in STAGES:
        folder = request.out / stage
        told: Extent = getattr(MINI, stage)
        extent = told if request.steps is None else dataclasses.replace(told, steps=request.steps)
        if not (request.resume and _is_done(request, folder, extent, weights)):
            start = None if weights is None else str(weights)
            part = dataclasses.replace(request, stage=stage, out=folder, weights=start)
            with progress_bar(stage, extent.steps) as advance:
                run_stage(part, MINI, extent, advance)
        weights = folder / WEIGHTS
    if PartialState().is_main_process:
        _gather(request)
    return request.out / NAME


def _is_done(request: TrainRequest, folder: Path, extent: Extent, start: Path | None) -> bool:
    """Whether a stage was finished with the same settings; its record is written last.

    Raises:
        UserError: it was, with other settings, from another start, or its weights are not those
            that it wrote.
    """
    if not (folder / RECORD).is_file():
        return False
    record = read_record(folder)
    weights = folder / WEIGHTS
    told: dict[str, object] = {
        "dataset": request.photos.spec.key,
        "split": request.photos.split.name,
        "seed": request.seed,
        "steps": extent.steps,
        "batch": extent.batch * PartialState().num_processes,
        "crop": extent.crop,
        "precision": str(Precision[request.precision.upper()]),
        "start_sha256": None if start is None else sha256_file(start),
        "weights_sha256": sha256_file(weights) if weights.is_file() else "missing",
    }
    for name, value in told.items():
        found = getattr(record, name)
        if found != value:
            raise UserError(
                f"the finished stage's {name} is {found!r}, not {value!r}",
                str(folder),
                "Give the same options as before, restore its files, or choose another --out.",
            )
    return True


def _gather(request: TrainRequest) -> None:
    """The last stage's weights under their name, with the card of all four."""
    out, folder = request.out, request.out / NAME
    path = folder / f"{NAME}.safetensors"
    beside = save_weights(load_weights(out / STAGES[-1] / WEIGHTS), path)
    records = [read_record(out / stage) for stage in STAGES]
    write_bytes(folder / "README.md", card(records, path, _command(request)).encode())
    write_sums(folder, (path.name, beside.name))


def _command(request: TrainRequest) -> str:
    """What trains the same weights again; where files lie is left to the reader."""
    photos = request.photos
    options = {
        "--dataset": photos.spec.name,
        "--data-root": None if photos.spec.layout is Layout.SCENES else "ROOT",
        "--split": None if photos.split.name == "train" else photos.split.name,
        "--seed": request.seed,
        "--steps": request.steps,
        "--precision": None if request.precision == "fp32" else request.precision,
        "--device": None if request.device == "cpu" else request.device,
        "--threads": None if request.threads == 1 else request.threads,
        "--out": "DIR",
    }
    told = [f"{option} {value}" for option, value in options.items() if value is not None]
    return " ".join(["rass-bench train mini", *told])
