"""`rass-bench degrade`: low-quality data sets from clean ones."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.options import (
    DataRootOption,
    DatasetOption,
    LimitOption,
    OnError,
    OnErrorOption,
    ResumeOption,
    SeedOption,
    SplitOption,
    WorkersOption,
)
from rass_bench.cli.progress import progress_bar

EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench degrade --dataset ade20k --data-root ADEChallengeData2016 --split validation
--out ade20k-degraded --preset rass --seed 0 --workers 8[/cyan]

[cyan]rass-bench degrade verify ade20k-degraded[/cyan]

[cyan]rass-bench degrade show photo.jpg --out degraded.png[/cyan]
"""

app = typer.Typer(
    help="Make low-quality data sets from clean ones.",
    invoke_without_command=True,
    rich_markup_mode="rich",
    epilog=EXAMPLES,
)

PresetOption = Annotated[str, typer.Option(help="A degradation by name; see `list presets`.")]


@app.callback()
def degrade_command(
    context: typer.Context,
    dataset: DatasetOption = "scenes",
    data_root: DataRootOption = None,
    split: SplitOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    preset: PresetOption = "rass",
    seed: SeedOption = 0,
    workers: WorkersOption = 1,
    limit: LimitOption = None,
    on_error: OnErrorOption = OnError.FAIL,
    resume: ResumeOption = False,
) -> None:
    """Make a low-quality data set from a clean one; every image's recipe is kept."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    from rass_bench.data.dataset import open_dataset
    from rass_bench.degrade.dataset import degrade_dataset
    from rass_bench.degrade.preset import PRESETS
    from rass_bench.errors import UserError

    if out is None:
        raise UserError("no folder to write to", "--out", "Name one: --out DIR.")
    PRESETS.get(preset)  # a mistyped name is told before the data are looked at
    opened = open_dataset(dataset, data_root, split)
    total = min(len(opened.samples), limit or len(opened.samples))
    with progress_bar(f"degrade ({preset})", total) as advance:
        result = degrade_dataset(
            opened,
            preset,
            seed,
            out,
            workers=workers,
            resume=resume,
            advance=advance,
            limit=limit,
            on_error="skip" if on_error is OnError.SKIP else "fail",
        )
    console = Console()
    console.print(
        f"{len(result.manifest.entries)} photos written to {out}", markup=False, soft_wrap=True
    )
    for skipped in result.skipped:
        console.print(f"  left out: {skipped.id}: {skipped.reason}", markup=False, soft_wrap=True)
    # With ./ in front a folder named like a shipped data set is still the folder.
    shown = shlex.quote(str(out) if out.is_absolute() else f"./{out}")
    console.print(
        f"Measure on them: rass-bench run --dataset {shown} --model M", markup=False, soft_wrap=True
    )


@app.command("verify", epilog=EXAMPLES)
def verify_command(
    folder: Annotated[Path, typer.Argument(help="A folder that `degrade` wrote.")],
    workers: WorkersOption = 1,
) -> None:
    """Rebuild every image from its clean photo and recipe; exit 1 and name what differs."""
    from rich.console import Console

    from rass_bench.degrade.verify import manifest_entries, verify_degraded

    with progress_bar("verify", len(manifest_entries(folder))) as advance:
        differences = verify_degraded(folder, advance=advance, workers=workers)
    console = Console()
    for difference in differences:
        console.print(str(difference), markup=False, soft_wrap=True)
    if differences:
        raise typer.Exit(1)
    console.print("[green]Every file is what its recipe makes.[/green]")


@app.command("show", epilog=EXAMPLES)
def show_command(
    image: Annotated[Path, typer.Argument(help="A clean photo.")],
    preset: PresetOption = "rass",
    seed: SeedOption = 0,
    out: Annotated[Path, typer.Option(help="The picture to write (PNG).")] = Path("degraded.png"),
) -> None:
    """Write one picture: the clean photo, the degraded one, and the recipe in words."""
    from rich.console import Console

    from rass_bench.degrade.preset import PRESETS
    from rass_bench.degrade.recipe import describe, sample
    from rass_bench.degrade.show import render_comparison
    from rass_bench.images import read_image, write_image

    recipe = sample(PRESETS.get(preset), seed, image.stem)
    write_image(out, render_comparison(read_image(image), recipe))
    console = Console()
    for line in describe(recipe):
        console.print(f"  {line}", highlight=False)
    console.print(f"Picture: {out}", markup=False, soft_wrap=True)
