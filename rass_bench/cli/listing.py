"""`rass-bench list`: what there is to choose from."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

EXAMPLES = """[bold]Examples[/bold]

[cyan]rass-bench list models[/cyan]

[cyan]rass-bench list models --detail[/cyan]

[cyan]rass-bench list metrics[/cyan]
"""


class Kind(StrEnum):
    """What can be listed."""

    MODELS = "models"
    DATASETS = "datasets"
    METRICS = "metrics"
    PRESETS = "presets"


def list_command(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    detail: Annotated[
        bool, typer.Option("--detail", help="Sizes, weights and options of the models, too.")
    ] = False,
) -> None:
    """List models, data sets, metrics or degradation presets."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    rows = {
        Kind.MODELS: _models,
        Kind.DATASETS: _datasets,
        Kind.METRICS: _metrics,
        Kind.PRESETS: _presets,
    }[kind]()
    table = Table(box=box.SIMPLE_HEAD)
    for column, heading in enumerate(rows[0]):
        table.add_column(heading, no_wrap=column == 0)
    for row in rows[1:]:
        table.add_row(*row)
    console = Console()
    console.print(table)
    if kind is Kind.PRESETS:
        console.print(_parameters())
    if kind is Kind.MODELS and detail:
        _print_details(console)


def _models() -> list[tuple[str, ...]]:
    from rass_bench.models.catalog import model_adapters, model_entries

    rows: list[tuple[str, ...]] = [("model", "kind", "extra", "what it is, and its licence")]
    rows += [
        (entry.name, entry.kind, entry.extra or "–", f"{entry.title}; {entry.licence}")
        for entry in model_entries()
    ]
    rows += [
        (f"{adapter.prefix}:…", adapter.kind, adapter.extra, adapter.title)
        for adapter in model_adapters()
    ]
    return rows


def _print_details(console: Console) -> None:
    """What each model that offers choices takes: weights, options, sizes."""
    from rass_bench.models.catalog import model_entries
    from rass_bench.models.options import describe_options

    for entry in model_entries():
        if entry.takes_weights is None and entry.options is None:
            continue
        console.print(f"[bold]{entry.name}[/bold]  {entry.paper or ''}", highlight=False)
        if entry.takes_weights is not None:
            console.print(f"  --weights: {entry.takes_weights}", highlight=False)
        for option, default in describe_options(entry.options) if entry.options else ():
            console.print(f"  --option {option}, by default {default}", highlight=False)
        for line in entry.sizes() if entry.sizes else ():
            console.print(f"  {line}", highlight=False)


def _datasets() -> list[tuple[str, ...]]:
    from rass_bench.data.spec import load_spec, spec_names

    rows: list[tuple[str, ...]] = [("data set", "what it is")]
    for name in spec_names():
        spec = load_spec(name)
        splits = ", ".join(
            f"{split.name} {'?' if split.count is None else split.count}" for split in spec.splits
        )
        labels = spec.label_space or "no labels"
        rows.append((spec.key, f"{spec.title} ({spec.layout}; {splits}; {labels})"))
    return rows


def _metrics() -> list[tuple[str, ...]]:
    from rass_bench.metrics.catalog import all_metrics

    rows: list[tuple[str, ...]] = [("metric", "version", "what it is", "extra")]
    for metric in all_metrics():
        info = metric.info
        arrow = "↑" if info.higher_is_better else "↓"
        rows.append((f"{info.id} {arrow}", info.version, info.title, info.extra or "–"))
    return rows


def _presets() -> list[tuple[str, ...]]:
    from rass_bench.degrade.preset import PRESETS

    rows: list[tuple[str, ...]] = [("preset", "version", "what it does")]
    rows += [(preset.name, preset.version, preset.title) for _, preset in PRESETS]
    return rows


def _parameters() -> Table:
    """Every range of the preset that stands for the paper's data."""
    from rich import box
    from rich.table import Table

    from rass_bench.degrade.preset import PRESETS

    preset = PRESETS.get("rass")
    table = Table("stage", "parameter", "value", title=preset.key, box=box.SIMPLE_HEAD)
    for row in preset.table():
        table.add_row(*row)
    return table
