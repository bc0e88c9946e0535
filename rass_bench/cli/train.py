"""`rass-bench train`: the reference models, their prior, and baselines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.options import DataRootOption, DatasetOption, SeedOption
from rass_bench.cli.progress import progress_bar
from rass_bench.errors import require_package

EXAMPLES = """[bold]Examples[/bold]

Everything that ships as rass-mini, on the rendered scenes:
[cyan]rass-bench train mini --out runs/mini[/cyan]

The paper's size, from the official files (Stable Diffusion, then SCR's own weights):
[cyan]rass-bench train scr --size sd21 --weights official:DIR --dataset ade20k --data-root DIR
--precision bf16 --gradient-checkpointing --device cuda --out runs/scr[/cyan]
[cyan]rass-bench train rass --size sd21 --weights runs/scr/weights.safetensors --dataset ade20k
--data-root DIR --precision fp16 --device cuda --out runs/rass[/cyan]

On several GPUs:
[cyan]accelerate launch --num-processes 8 -m rass_bench.cli.main train rass ...[/cyan]
"""


class StageName(StrEnum):
    """What to train."""

    VAE = "vae"
    UNET = "unet"
    SCR = "scr"
    RASS = "rass"
    SEGMENTER = "segmenter"
    MINI = "mini"


class Size(StrEnum):
    """Which networks."""

    MINI = "mini"
    SD21 = "sd21"


class PrecisionName(StrEnum):
    """In which numbers to compute."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


_PACKAGES = ("torch", "accelerate", "tensorboard", "diffusers", "peft", "transformers")

_SCALE, _LOOK, _SCR = "How much, and on what machine", "What to look at", "scr alone"


def train_command(
    stage: Annotated[
        StageName,
        typer.Argument(
            help="vae and unet: the mini size's prior. scr: restoration. rass: segmentation. "
            "segmenter: a baseline. mini: all that ships."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder for weights, record, metrics.csv, TensorBoard and pictures."),
    ],
    size: Annotated[Size, typer.Option(help="mini (scenes, CPUs) or sd21 (the paper's).")] = (
        Size.MINI
    ),
    weights: Annotated[
        str | None,
        typer.Option(
            help="What to begin with: official:DIR, or the file that the stage before wrote."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="segmenter: what to fine-tune, transformers:ID or a shipped one. "
            "\\[default: a small SegFormer from nothing]",
        ),
    ] = None,
    dataset: DatasetOption = "scenes",
    data_root: DataRootOption = None,
    split: Annotated[str, typer.Option(help="The split to train on.")] = "train",
    degrade: Annotated[
        str | None,
        typer.Option(
            help="Preset of the online degradation. \\[default: rass for scr and rass, none else]"
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Optimizer steps. \\[default: the recipe's]", rich_help_panel=_SCALE
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Crops a step and process. \\[default: the recipe's]",
            rich_help_panel=_SCALE,
        ),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Side of the crops, a multiple of 32. \\[default: the recipe's]",
            rich_help_panel=_SCALE,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="segmenter: the highest. \\[default: the recipe's]", rich_help_panel=_SCALE
        ),
    ] = None,
    short_side: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="segmenter: what photos are resized to in tests. "
            "\\[default: the checkpoint's, or 256]",
            rich_help_panel=_SCALE,
        ),
    ] = None,
    seed: SeedOption = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    precision: Annotated[
        PrecisionName, typer.Option(help="In which numbers to compute.", rich_help_panel=_SCALE)
    ] = PrecisionName.FP32,
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing",
            help="Less memory: compute activations twice.",
            rich_help_panel=_SCALE,
        ),
    ] = False,
    device: Annotated[
        str,
        typer.Option(
            help="cpu; cuda for the GPU, or those of accelerate's launcher.", rich_help_panel=_SCALE
        ),
    ] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.", rich_help_panel=_SCALE)] = 1,
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="Processes that prepare crops; 0: in between.", rich_help_panel=_SCALE
        ),
    ] = 1,
    checkpoint_every: Annotated[
        int, typer.Option(min=1, help="Steps between checkpoints.", rich_help_panel=_LOOK)
    ] = 200,
    pictures_every: Annotated[
        int,
        typer.Option(
            min=0, help="Steps between sample pictures; 0 draws none.", rich_help_panel=_LOOK
        ),
    ] = 200,
    distillation: Annotated[
        str | None,
        typer.Option(help="vsd, csd or off. \\[default: the recipe's]", rich_help_panel=_SCR),
    ] = None,
    perceptual: Annotated[
        str | None,
        typer.Option(
            help="vae (its encoder's features), lpips-vgg (weights of your own) or off. "
            "\\[default: the recipe's]",
            rich_help_panel=_SCR,
        ),
    ] = None,
    scl: Annotated[
        str | None,
        typer.Option(
            help="L_SCL: cross-entropy, tokencompose, bce, or off. \\[default: the recipe's]",
            rich_help_panel=_SCR,
        ),
    ] = None,
    tagger: Annotated[
        str | None,
        typer.Option(
            help="rass: where prompts come from: ram, labels or fixed:WORDS. "
            "\\[default: RAM at full size, the training set's classes at mini size]"
        ),
    ] = None,
) -> None:
    """Train the reference models, their prior, or a baseline."""
    for package in _PACKAGES:
        require_package(package, "models")

    from accelerate import PartialState
    from rich.console import Console

    from rass_bench.data.dataset import open_dataset
    from rass_bench.train.request import TrainRequest, carry_out

    request = TrainRequest(
        stage=stage.value,
        size=size.value,
        photos=open_dataset(dataset, data_root, split),
        out=out,
        weights=weights,
        model=model,
        degrade=degrade,
        steps=steps,
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        short_side=short_side,
        seed=seed,
        resume=resume,
        precision=precision.value,
        gradient_checkpointing=gradient_checkpointing,
        device=device,
        threads=threads,
        workers=workers,
        checkpoint_every=checkpoint_every,
        pictures_every=pictures_every,
        distillation=distillation,
        perceptual=perceptual,
        scl=scl,
        tagger=tagger,
    )
    written = carry_out(request, progress_bar)
    if PartialState().is_main_process:
        Console().print(f"Written: {written}", markup=False, soft_wrap=True)
