"""`rass-bench data`: look at a data set before measuring on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rass_bench.cli.options import DataRootOption, SplitOption
from rass_bench.cli.progress import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from rass_bench.data.check import DataReport
    from rass_bench.data.dataset import Dataset

app = typer.Typer(help="Check data sets.", no_args_is_help=True, rich_markup_mode="rich")

EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench data check scenes[/cyan]

[cyan]rass-bench data check ade20k --data-root ADEChallengeData2016 --split validation[/cyan]
"""


@app.callback()
def group() -> None:
    """Check data sets."""


@app.command("check", epilog=EXAMPLES)
def check_command(
    dataset: Annotated[str, typer.Argument(help="A data set by name, or a folder.")],
    data_root: DataRootOption = None,
    split: SplitOption = None,
) -> None:
    """Decode every photo and label of a split and name what is wrong; exit 1 when something is."""
    from rich.console import Console

    from rass_bench.data.check import check_dataset
    from rass_bench.data.dataset import open_dataset
    from rass_bench.data.spec import Layout

    opened = open_dataset(dataset, data_root, split)
    with progress_bar("check", len(opened.samples)) as advance:
        report = check_dataset(opened, advance)
    console = Console()
    _print_report(console, opened, report)
    if opened.spec.layout is Layout.SCENES and not report.problems:
        from rass_bench.data.scenes import check_pixels

        with progress_bar("compare with the published pixels", len(opened.samples)) as advance:
            pixels = check_pixels(opened.spec, opened.split.name, opened.root, advance=advance)
        for name in pixels.different:
            console.print(f"  pixels differ from the published ones: {name}")
        if pixels.different:
            raise typer.Exit(1)
        console.print("  every scene has the published pixels")
    if report.problems or report.unpublished:
        raise typer.Exit(1)
    console.print("[green]Everything can be used.[/green]")


def _print_report(console: Console, opened: Dataset, report: DataReport) -> None:
    from rich.text import Text

    console.print(Text.assemble((opened.spec.key, "bold"), f", split {opened.split.name}"))
    counted = "" if report.defined is None else f" of {report.defined} in the definition"
    console.print(f"  {report.found} photos{counted}", highlight=False)
    if opened.missing:
        console.print("  [yellow]fewer than defined: runs on it are marked partial[/yellow]")
    if report.sizes is not None:
        (small_width, small_height), (large_width, large_height) = report.sizes
        console.print(
            f"  {small_width} x {small_height} to {large_width} x {large_height} pixels",
            highlight=False,
        )
    if report.ignored_share is not None:
        present = sum(count > 0 for count in report.class_images)
        console.print(
            f"  {present} of {len(report.class_images)} classes occur; "
            f"{report.ignored_share:.1%} of the pixels are ignored",
            highlight=False,
        )
    if report.manifest_sha256 is not None:
        console.print(
            f"  identity sha256 {report.manifest_sha256}", highlight=False, soft_wrap=True
        )
    if report.unpublished == ():
        console.print("  every file is the published one")
    for name in report.unpublished or ():
        console.print(f"  not the published file: {name}", markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(
            f"  {problem.id}: {problem.what} ({problem.where})", markup=False, soft_wrap=True
        )
