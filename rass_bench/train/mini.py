"""``rass-bench train mini``: everything that ships as rass-mini, in one command.

vae ─ unet ─ scr ─ rass ─ one file with its card
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from rass_bench.files import read_json, sha256_file, write_bytes
from rass_bench.models.rass.weights import load_weights, save_weights
from rass_bench.train.recipes import MINI, Extent
from rass_bench.train.record import RECORD, card
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
        UserError: see :func:`rass_bench.train.request.carry_out`.
    """
    from rass_bench.train.request import run_stage

    weights = None
    for stage in STAGES:
        folder = request.out / stage
        told: Extent = getattr(MINI, stage)
        extent = told if request.steps is None else dataclasses.replace(told, steps=request.steps)
        if not (request.resume and folder.joinpath(RECORD).is_file()):
            part = dataclasses.replace(request, stage=stage, out=folder, weights=weights)
            with progress_bar(stage, extent.steps) as advance:
                run_stage(part, MINI, extent, advance)
        weights = str(folder / WEIGHTS)
    return _gather(request.out)


def _gather(out: Path) -> Path:
    """The last stage's weights under their name, with the card of all four."""
    folder = out / NAME
    path = folder / f"{NAME}.safetensors"
    beside = save_weights(load_weights(out / STAGES[-1] / WEIGHTS), path)
    records = [read_json(out / stage / RECORD) for stage in STAGES]
    write_bytes(folder / "README.md", card(records, path).encode())
    names = (path.name, beside.name)
    sums = "".join(f"{sha256_file(folder / name)}  {name}\n" for name in names)
    write_bytes(folder / "SHA256SUMS", sums.encode())
    return folder
