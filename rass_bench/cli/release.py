"""`rass-bench release`: a data set as a folder for the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rass_bench.cli.options import DataRootOption
from rass_bench.cli.progress import progress_bar

if TYPE_CHECKING:
    from rass_bench.release.source import Source

BUILD_EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench release build scenes --out runs/release/scenes[/cyan]

One split of a folder that `degrade` or `annotate build` wrote:
[cyan]rass-bench release build ./my-set --split validation --out release/my-set[/cyan]
"""

CHECK_EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench release check runs/release/scenes[/cyan]

Compare it with the data set that it was made from, pixel by pixel:
[cyan]rass-bench release check runs/release/scenes --dataset scenes[/cyan]

Are your files the ones that a release without pixels describes?
[cyan]rass-bench release check release/ade20k --data-root ADEChallengeData2016[/cyan]
"""

PUSH_EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench release push runs/release/scenes --repo my-org/scenes --dry-run[/cyan]

[cyan]rass-bench release push runs/release/scenes --repo my-org/scenes[/cyan]
"""

app = typer.Typer(
    help="Publish data sets on the Hugging Face Hub.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

FolderArgument = Annotated[Path, typer.Argument(help="A folder that `release build` wrote.")]


@app.callback()
def group() -> None:
    """Publish data sets on the Hugging Face Hub."""


@app.command("build", epilog=BUILD_EXAMPLES)
def build_command(
    dataset: Annotated[str, typer.Argument(help="A data set by name, or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    data_root: DataRootOption = None,
    split: Annotated[str | None, typer.Option(help="One split. [default: all]")] = None,
) -> None:
    """Write parquet files, a card, a Croissant description, manifests and checksums.

    Without pixels where the licence is not known to allow passing them on.
    """
    from rich.console import Console

    from rass_bench.release.build import build_release
    from rass_bench.release.source import open_source

    source = open_source(dataset, data_root, None if split is None else [split])
    with progress_bar("release", sum(len(one.samples) for one in source.splits)) as advance:
        release = build_release(source, out, advance=advance)
    console = Console()
    size = sum(shard.size for shard in release.shards)
    console.print(
        f"{release.samples} samples of {release.spec.key} written to {out}: "
        f"{len(release.shards)} parquet files, {size / 1e6:,.1f} MB",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if release.licence is None:
        console.print(
            f'Without pixels: the licence "{release.spec.licence}" is not known to allow passing '
            "them on. The release holds hashes, histories and how to get the files.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


@app.command("check", epilog=CHECK_EXAMPLES)
def check_command(
    folder: FolderArgument,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", help="Compare with this data set: a name, or a folder."),
    ] = None,
    data_root: DataRootOption = None,
) -> None:
    """Load a release without a network and check every hash and pixel; exit 1 on a difference."""
    import os
    import tempfile

    from rich.console import Console

    from rass_bench.leaderboard.safe_text import terminal_text
    from rass_bench.release.loading import offline_environment

    console = Console()
    with tempfile.TemporaryDirectory() as cache:
        os.environ.update(offline_environment(Path(cache)))
        from rass_bench.release.check import check_release
        from rass_bench.release.contents import count_samples

        source = _source(folder, dataset, data_root)
        with progress_bar("check", count_samples(folder)) as advance:
            differences = check_release(folder, source, advance=advance)
    for difference in differences:
        line = terminal_text(str(difference))
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if differences:
        raise typer.Exit(1)
    compared = "its manifests" if source is None else f"the files of {source.spec.key}"
    console.print(f"[green]The release is whole and fits {compared}.[/green]")


def _source(folder: Path, dataset: str | None, data_root: str | None) -> Source | None:
    """What to compare with; the release's own definition describes files given by their root."""
    from rass_bench.release.contents import released_splits
    from rass_bench.release.source import open_source

    if dataset is None and data_root is None:
        return None
    return open_source(dataset or str(folder.resolve()), data_root, released_splits(folder))


@app.command("push", epilog=PUSH_EXAMPLES)
def push_command(
    folder: FolderArgument,
    repo: Annotated[str, typer.Option(help="The repository, ORG/NAME; made when absent.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be sent, and send nothing.")
    ] = False,
) -> None:
    """Upload a release in one commit; repeat the command to resume a broken upload.

    The token is that of HF_TOKEN or of `hf auth login`.
    """
    from rich.console import Console

    from rass_bench.release.push import push_release

    pushed = push_release(folder, repo, dry_run=dry_run)
    console = Console()
    if pushed.url is not None:
        console.print(f"Pushed: {pushed.url}", markup=False, highlight=False, soft_wrap=True)
        return
    console.print(f"Would go to {repo}:", markup=False, highlight=False, soft_wrap=True)
    for name, size in pushed.files:
        console.print(f"  {name}  {size:,} bytes", markup=False, highlight=False, soft_wrap=True)
