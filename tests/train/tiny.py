"""A stage and photos small enough to train in milliseconds, here and in other processes.

As a command it trains the stage: ``python -m tests.train.tiny DATA OUT`` for as many steps as the
other arguments say.
"""

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import mse_loss

import rass_bench
from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.preset import PRESETS
from rass_bench.pictures import PictureRow, photo_panel
from rass_bench.train.augment import Augmentation
from rass_bench.train.crops import CropStream
from rass_bench.train.loop import LoopSettings, train
from rass_bench.train.pixels import to_pixels
from rass_bench.train.processes import joined_processes
from rass_bench.train.stage import ParameterGroup
from tests.builders import labelled_set

REPOSITORY = Path(rass_bench.__file__).parents[1]

SIZES = Augmentation(side=32, short_sides=(32, 48), max_long_side=96)


NOTHING = dict.fromkeys(
    (
        "weights",
        "model",
        "degrade",
        "steps",
        "batch",
        "crop",
        "learning_rate",
        "short_side",
        "distillation",
        "perceptual",
        "scl",
        "tagger",
    )
)
"""The options of a request that are left to the recipe."""


def content_of(checkpoint):
    """What PyTorch saved in a checkpoint, behind the line with its hash."""
    content = checkpoint.read_bytes().partition(b"\n")[2]
    return torch.load(io.BytesIO(content), weights_only=True)


class TinyStage(nn.Module):
    """Restores by two convolutions. With noise it draws numbers and keeps running means."""

    name = "tiny"
    clip_norm = 1.0

    def __init__(self, noise: bool = True, spoil: str | None = None, seen: Path | None = None):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            middle = nn.BatchNorm2d(4) if noise else nn.Tanh()
            self.network = nn.Sequential(
                nn.Conv2d(3, 4, 3, padding=1), middle, nn.Conv2d(4, 3, 3, padding=1)
            )
        self.noise = 0.1 * noise
        self.spoil = spoil
        self.seen = seen
        self.steps_told: list[int] = []

    def forward(self, batch):
        if self.seen is not None:
            with self.seen.open("a") as stream:
                stream.write(f"{float(batch.clean.double().sum()):.6f}\n")
        degraded = batch.low_quality + self.noise * torch.randn_like(batch.low_quality)
        terms = {
            "mse": mse_loss(self.network(degraded), batch.clean),
            "small": 0.1 * sum(one.square().sum() for one in self.network.parameters()),
        }
        if len(self.steps_told) == 3 and self.spoil == "loss":
            terms["mse"] = terms["mse"] / 0
        if len(self.steps_told) == 3 and self.spoil == "gradient":
            terms["mse"] = terms["mse"] + (0 * self.network[0].weight.sum()).abs().sqrt()
        if len(self.steps_told) == 3 and self.spoil == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        if len(self.steps_told) == 3 and self.spoil == "machine":
            torch.empty(2**60)
        return terms

    def groups(self):
        return [ParameterGroup(tuple(self.parameters()), 0.01, 0.05)]

    def rate(self, step):
        return 1 / (1 + step)

    def start_step(self, step):
        self.steps_told.append(step)

    def pictures(self, batch):
        return [PictureRow((photo_panel("low", one),)) for one in to_pixels(batch.low_quality)]

    def facts(self):
        return {"noise": self.noise}


def weights_of(network: nn.Module) -> bytes:
    """Every bit of parameters and buffers."""
    return b"".join(one.numpy().tobytes() for one in network.state_dict().values())


def photos_in(root: Path, count: int = 3):
    """Photos with labels, 48 x 64 pixels."""
    return open_dataset(str(labelled_set(root, count=count, size=(48, 64))))


def stream_of(photos, seed: int = 0, preset: str | None = "noise-3") -> CropStream:
    return CropStream(photos, SIZES, None if preset is None else PRESETS.get(preset), seed)


def settings_of(**changes) -> LoopSettings:
    told = {"steps": 6, "seed": 0, "batch": 2, "workers": 0, "checkpoint_every": 2}
    return LoopSettings(**{**told, "pictures_every": 0, **changes})


def train_tiny(photos, out: Path, *, stage=None, seed=0, resume=False, advance=None, **changes):
    """Train; the stage with its weights."""
    stage = TinyStage() if stage is None else stage
    train(
        stage,
        stream_of(photos, seed),
        settings_of(seed=seed, **changes),
        out,
        resume=resume,
        advance=advance or (lambda steps, note: None),
    )
    return stage


def launched(*arguments, module="tests.train.tiny"):
    """Started as accelerate's launcher starts GPUs; for CPUs it knows MPI alone."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", "-m", module]
    return subprocess.run(
        [*map(str, (*command, *arguments))],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
    )


def threads_alive() -> str:
    """The names of this process's threads, as Linux knows them: those of C++, too."""
    names = (one.read_text() for one in Path("/proc/self/task").glob("*/comm"))
    return "".join(sorted(names))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="draw nothing")
    parser.add_argument("--kill-after", type=int, default=0, help="steps; 0 lives")
    told = parser.parse_args()
    told.out.mkdir(exist_ok=True)
    done = []

    def advance(steps, note):
        del note
        done.append(steps)
        if sum(done) == told.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    with joined_processes(cpu=True) as processes:
        seen = told.out / f"seen-{processes.process_index}.txt" if told.plain else None
        stage = train_tiny(
            open_dataset(str(told.data)),
            told.out,
            stage=TinyStage(noise=not told.plain, seen=seen),
            steps=told.steps,
            batch=told.batch,
            advance=advance,
        )
        if processes.is_main_process:
            told.out.joinpath("weights.bin").write_bytes(weights_of(stage))
    told.out.joinpath(f"threads-{processes.process_index}.txt").write_text(threads_alive())


if __name__ == "__main__":
    main()
