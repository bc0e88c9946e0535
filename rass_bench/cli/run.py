"""`rass-bench run`: measure a model on a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.demo import DEMO_FOLDER, show_demo
from rass_bench.cli.options import (
    DataRootOption,
    DatasetOption,
    JsonOption,
    LimitOption,
    MetricsOption,
    OnError,
    OnErrorOption,
    OutOption,
    ResumeOption,
    SeedOption,
    SplitOption,
)
from rass_bench.cli.progress import progress_bar

EXAMPLES = """[bold]Examples[/bold]

RASS-mini beside a baseline on degraded scenes, as `rass-bench demo` does:
[cyan]rass-bench run --model rass[/cyan]

The shipped baseline on the embedded scenes:
[cyan]rass-bench run --model segformer-mini-scenes[/cyan]

An ONNX network on ADE20K, restored by Real-ESRGAN first:
[cyan]rass-bench run --model onnx:net.onnx --dataset ade20k-degraded --data-root DIR
--protocol r2s --restorer spandrel:RealESRGAN_x4plus.safetensors[/cyan]

RASS with its official files, and SCR in front of another segmenter:
[cyan]rass-bench run --model rass --weights official:DIR --dataset ade20k-degraded[/cyan]
[cyan]rass-bench run --model transformers:ID --protocol r2s --restorer scr
--restorer-weights official:DIR --dataset ade20k-degraded[/cyan]

A restorer on the 100 RealSR crops:
[cyan]rass-bench run --model bicubic --dataset realsr --data-root DIR --protocol restore[/cyan]
"""

DEMONSTRATED = "rass"
"""The model that is shown beside a baseline where nothing says what to measure it on."""


def run_command(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A name of `list models`, adapter:argument (transformers:ID, onnx:FILE, "
            "spandrel:FILE), or path/to/file.py:ClassName.",
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="The model's weights, for rass and scr: official:DIR, or a file that `weights "
            "convert` or `train` wrote. [default: the shipped mini]"
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", "-o", help="NAME=VALUE of `list models --detail`; may be repeated."
        ),
    ] = None,
    dataset: DatasetOption = "scenes",
    data_root: DataRootOption = None,
    split: SplitOption = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="dt (direct test), r2s (restore, then segment), ft (trained on degraded photos, "
            "then tested as it is) or restore."
        ),
    ] = "dt",
    restorer: Annotated[
        str | None, typer.Option(help="The restorer in front of the model, under r2s.")
    ] = None,
    restorer_weights: Annotated[
        str | None, typer.Option(help="The restorer's weights, as --weights.")
    ] = None,
    restorer_option: Annotated[
        list[str] | None, typer.Option(help="The restorer's options, as --option.")
    ] = None,
    upscale: Annotated[
        int | None,
        typer.Option(
            min=1, help="Side of the restored photo over the photo's; the data set's by default."
        ),
    ] = None,
    metric: MetricsOption = None,
    limit: LimitOption = None,
    on_error: OnErrorOption = OnError.FAIL,
    resume: ResumeOption = False,
    out: OutOption = None,
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the networks on a CPU.")] = 1,
    print_json: JsonOption = False,
) -> None:
    """Measure a model on a data set and write a run folder with record.json.

    `--model rass` without further arguments but --out is the demonstration: see `rass-bench demo`.
    """
    given = arguments_given(context)
    if model == DEMONSTRATED and given.keys() <= {"model", "out"}:
        show_demo(out or DEMO_FOLDER)
        return
    from rich.console import Console

    from rass_bench.evaluate.resolve import RunRequest
    from rass_bench.evaluate.run import run

    request = RunRequest(
        model=model,
        weights=weights,
        options=tuple(option or ()),
        dataset=dataset,
        data_root=data_root,
        split=split,
        protocol=protocol,
        restorer=restorer,
        restorer_weights=restorer_weights,
        restorer_options=tuple(restorer_option or ()),
        upscale=upscale,
        metrics=tuple(metric) if metric else None,
        limit=limit,
        on_error=on_error.value,
        seed=seed,
        device=device,
        threads=threads,
    )
    record, folder = run(
        request,
        Path(out) if out else None,
        resume=resume,
        arguments_given=given,
        progress=progress_bar,
        warn=show_warning,
    )
    if print_json:
        typer.echo(json.dumps(record.to_json(), indent=2, ensure_ascii=False))
        return
    from rass_bench.cli.tables import record_table

    console = Console()
    console.print(record_table(record))
    if record.timing.fps is not None:
        console.print(
            f"{record.timing.fps:.3g} images/s on {record.environment.device}", markup=False
        )
    for sentence in record.partial_because:
        console.print(f"[yellow]partial:[/yellow] {sentence}")
    for entry in record.not_scored:
        console.print(f"  not scored: {entry.id}: {entry.reason}", markup=False)
    console.print(f"Record: {folder / 'record.json'}", markup=False, soft_wrap=True)


def show_warning(sentence: str) -> None:
    """Print what the scores must be read with, in one line of stderr."""
    from rich.console import Console
    from rich.markup import escape

    from rass_bench.leaderboard.safe_text import one_line

    line = f"[yellow]warning:[/yellow] {escape(one_line(sentence))}"
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


def arguments_given(context: typer.Context) -> dict[str, object]:
    """The options that the user typed, without the defaults."""
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None
        and source.name not in ("DEFAULT", "DEFAULT_MAP")
    }
