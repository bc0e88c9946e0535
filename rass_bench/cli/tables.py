"""Runs as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rass_bench.record import MetricValue, ModelFacts, RunRecord

PERCENT = frozenset({"miou/gt-present", "miou/union", "macc", "aacc", "fwiou"})
"""Metrics in 0..1 that the field prints in percent."""


def record_table(record: RunRecord) -> Table:
    """One run: a row a metric, with its interval."""
    data = record.dataset
    table = Table(
        title=f"{describe_model(record)} on {data.name}@{data.version} ({data.split})",
        title_justify="left",
    )
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("images", justify="right")
    for name, metric in record.metrics.items():
        arrow = "↑" if metric.higher_is_better else "↓"
        table.add_row(
            f"{name} {arrow}", show_value(name, metric), show_interval(name, metric), str(metric.n)
        )
    return table


def comparison_table(records: Sequence[tuple[str, RunRecord]], metrics: Sequence[str]) -> Table:
    """Several runs: a row a run, a column a metric.

    Args:
        records: what to call each run, and its record.
        metrics: metric ids in column order.
    """
    table = Table()
    table.add_column("run", overflow="fold")
    table.add_column("protocol")
    for name in metrics:
        directions = {
            record.metrics[name].higher_is_better for _, record in records if name in record.metrics
        }
        table.add_column(f"{name} {'↑' if True in directions else '↓'}", justify="right")
    table.add_column("images/s", justify="right")
    table.add_column("images", justify="right")
    for label, record in records:
        cells = [_cell(name, record.metrics.get(name)) for name in metrics]
        fps = "–" if record.timing.fps is None else f"{record.timing.fps:.3g}"
        partial = "" if record.status == "complete" else " (partial)"
        table.add_row(label, record.protocol, *cells, fps, f"{record.scored}{partial}")
    return table


def describe_model(record: RunRecord) -> str:
    """The model, and the restorer in front of it, without long revisions."""
    if record.restorer is None:
        return _short(record.model)
    return f"{_short(record.restorer)} → {_short(record.model)}"


def show_value(name: str, metric: MetricValue) -> str:
    """A value in the field's usual unit and digits; – where it is undefined."""
    return "–" if metric.value is None else _number(name, metric.value)


def show_interval(name: str, metric: MetricValue) -> str:
    """The interval in the same unit; – where there is none."""
    if metric.ci95 is None:
        return "–"
    low, high = metric.ci95
    return f"{_number(name, low)} … {_number(name, high)}"


def _cell(name: str, metric: MetricValue | None) -> Text:
    if metric is None:
        return Text("–")
    interval = show_interval(name, metric)
    return Text.assemble(show_value(name, metric), (f"\n{interval}", "dim"))


def _number(name: str, value: float) -> str:
    if name in PERCENT:
        return f"{value * 100:.2f} %"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def _short(model: ModelFacts) -> str:
    return f"{model.name}@{model.revision[:12]}"
