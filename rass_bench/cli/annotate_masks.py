"""`rass-bench annotate import` and `annotate export`: masks from and for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rass_bench.annotate.interchange.formats import ExportFormat, MaskFormat
from rass_bench.cli.options import DataRootOption, DatasetOption, SplitOption
from rass_bench.cli.progress import progress_bar

IMPORT_EXAMPLES = """[bold]Examples[/bold]

A folder of PNG files, numbered as the project's dataset.yaml says:
[cyan]rass-bench annotate import --images photos --masks masks --annotator ann[/cyan]

A COCO file, and labelme's files of somebody else, who labelled the same photos:
[cyan]rass-bench annotate import --images photos --masks instances.json --format coco
--annotator bob[/cyan]
[cyan]rass-bench annotate import --images photos --masks labelme --format labelme
--annotator eve[/cyan]
"""

EXPORT_EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench annotate export --dataset reallq --data-root DIR --out reallq.json[/cyan]

With a folder of PNG files, ade/, beside ade.json:
[cyan]rass-bench annotate export --dataset ade20k --data-root ADEChallengeData2016
--split validation --format panoptic --out ade.json[/cyan]
"""


def import_command(
    images: Annotated[Path, typer.Option(help="Folder of the photos.")],
    masks: Annotated[Path, typer.Option(help="Folder (png, labelme) or JSON file of the masks.")],
    annotator: Annotated[
        str, typer.Option(help="Who drew them: up to 64 letters, digits and . _ -")
    ],
    mask_format: Annotated[
        MaskFormat, typer.Option("--format", help="What the masks are.")
    ] = MaskFormat.PNG,
    segments: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a panoptic file's PNG files. [default: the file's name without .json]"
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--dir", help="The project's folder.")] = Path(
        "annotation"
    ),
) -> None:
    """Add masks that were drawn elsewhere to a project, as one annotator's work."""
    from rich.console import Console

    from rass_bench.annotate.imports import import_masks
    from rass_bench.annotate.initialise import check_begun
    from rass_bench.annotate.photos import open_photos

    check_begun(folder)
    total = len(open_photos(images))
    with progress_bar("import", total) as advance:
        report = import_masks(
            folder, images, masks, mask_format, annotator, segments=segments, advance=advance
        )
    console = Console()
    console.print(
        f"masks of {annotator}: {report.added} added, {report.replaced} replaced, "
        f"{report.unchanged} unchanged",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for sample in report.without_mask:
        console.print(f"  no mask: {sample}", markup=False, highlight=False, soft_wrap=True)


def export_command(
    dataset: DatasetOption,
    out: Annotated[Path, typer.Option(help="The .json file to write.")],
    data_root: DataRootOption = None,
    split: SplitOption = None,
    mask_format: Annotated[
        ExportFormat, typer.Option("--format", help="What to write.")
    ] = ExportFormat.COCO,
) -> None:
    """Write a labelled data set's masks for other tools, as run lengths or panoptic segments."""
    from rich.console import Console

    from rass_bench.annotate.export import export_masks
    from rass_bench.data.dataset import open_dataset

    opened = open_dataset(dataset, data_root, split)
    with progress_bar("export", len(opened.samples)) as advance:
        count = export_masks(opened, mask_format, out, advance)
    Console().print(
        f"{count} masks written to {out}", markup=False, highlight=False, soft_wrap=True
    )
