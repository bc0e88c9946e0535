"""`rass-bench train`: the models that this project ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.options import DataRootOption, DatasetOption, SeedOption, SplitOption
from rass_bench.cli.progress import progress_bar

EXAMPLES = """[bold]Example[/bold]

A small SegFormer on the rendered scenes:
[cyan]rass-bench train segmenter --dataset scenes --split train --steps 4500
--out my-segformer[/cyan]

Measure it: [cyan]rass-bench run --model transformers:my-segformer[/cyan]
"""

app = typer.Typer(help="Train models.", no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def group() -> None:
    """Train models."""


@app.command("segmenter", epilog=EXAMPLES)
def segmenter_command(
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
    dataset: DatasetOption = "scenes",
    data_root: DataRootOption = None,
    split: SplitOption = "train",
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 4500,
    seed: SeedOption = 0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Train a small SegFormer on labelled photos and save it as a transformers folder."""
    from rich.console import Console

    from rass_bench.data.dataset import open_dataset
    from rass_bench.train.segmenter import train_segmenter

    training = open_dataset(dataset, data_root, split)
    validation = open_dataset("scenes") if dataset == "scenes" else None
    with progress_bar("train", steps) as advance:
        train_segmenter(
            training,
            out,
            steps=steps,
            seed=seed,
            threads=threads,
            advance=advance,
            validation=validation,
        )
    Console().print(f"Checkpoint and model card: {out}", markup=False, soft_wrap=True)
