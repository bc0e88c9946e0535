"""`rass-bench score`: every metric again from stored predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rass_bench.cli.options import DataRootOption, JsonOption, MetricsOption
from rass_bench.cli.progress import progress_bar

EXAMPLES = """[bold]Examples[/bold]

Check a run's numbers, without weights and without torch:
[cyan]rass-bench score runs/my-run[/cyan]

Add a learned metric later, in another environment:
[cyan]rass-bench score runs/my-run --metric musiq/koniq[/cyan]
"""


def score_command(
    folder: Annotated[Path, typer.Argument(help="A run's folder.")],
    data_root: DataRootOption = None,
    metric: MetricsOption = None,
    print_json: JsonOption = False,
) -> None:
    """Compute every metric again from the stored predictions; exit 1 when one differs."""
    from rich.console import Console
    from rich.table import Table

    from rass_bench.cli.tables import show_interval, show_value
    from rass_bench.evaluate.rescore import rescore

    record, compared = rescore(
        folder, data_root=data_root, extra_metrics=tuple(metric or ()), progress=progress_bar
    )
    holds = all(entry.holds for entry in compared)
    if print_json:
        typer.echo(json.dumps(record.to_json(), indent=2, ensure_ascii=False))
    else:
        table = Table()
        for heading in ("metric", "recorded", "computed now", "95 % interval", ""):
            table.add_column(heading, justify="left" if heading in ("metric", "") else "right")
        for entry in compared:
            recorded = record.metrics[entry.metric]
            verdict = "new" if entry.is_new else "equal" if entry.holds else "[red]DIFFERS[/red]"
            table.add_row(
                entry.metric,
                "–" if entry.is_new else show_value(entry.metric, recorded),
                show_value(entry.metric, entry.value),
                show_interval(entry.metric, entry.value),
                verdict,
            )
        Console().print(table)
    if not holds:
        raise typer.Exit(1)
