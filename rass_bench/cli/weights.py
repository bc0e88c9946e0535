"""`rass-bench weights`: official weights as one file of the package's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONVERT_EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench weights convert official-files rass.safetensors[/cyan]

The segmenter alone, without SCR:
[cyan]rass-bench weights convert official-files rass.safetensors --only rass[/cyan]
"""

app = typer.Typer(help="Official weights as one file.", no_args_is_help=True)


@app.command("convert", epilog=CONVERT_EXAMPLES)
def convert_command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Holds rass.pth, scr.pkl, Stable Diffusion 2.1 base in diffusers layout, and "
            "RAM's weights and tags.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    only: Annotated[
        str | None, typer.Option(help="rass or scr: convert one of the two models alone.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Turn official files into one safetensors file with its configuration beside it.

    Pickled files are read through an allow-list of what tensors are made of; no code in them runs.
    """
    from rich.console import Console

    from rass_bench.errors import UserError, suggest
    from rass_bench.models.rass.entries import require_packages

    require_packages()
    from rass_bench.models.rass.loading import Part, convert

    if only is not None and only not in list(Part):
        raise UserError(f"unknown model {only!r}", "--only", suggest(only, list(Part)))
    for path in (out, out.with_suffix(".json")):
        if path.exists() and not force:
            raise UserError("the file exists", str(path), "Name another one, or add --force.")
    parts = tuple(Part) if only is None else (Part(only),)
    beside = convert(folder, parts, out)
    size = out.stat().st_size / 1e9
    Console().print(f"{out} ({size:.2f} GB) and {beside.name}", markup=False, soft_wrap=True)
