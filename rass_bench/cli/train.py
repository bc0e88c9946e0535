"""`rass-bench train`: the models that this project ships."""

from __future__ import annotations

import typer

EXAMPLES = """[bold]Example[/bold]

The demonstration baseline, as shipped:
[cyan]rass-bench train segmenter --dataset scenes --split train --out my-segformer[/cyan]
"""

app = typer.Typer(help="Train models.", no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def group() -> None:
    """Train models."""
