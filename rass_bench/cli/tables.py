"""Runs as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rass_bench.record import MetricValue, ModelFacts, RunRecord

if TYPE_CHECKING:
    from rass_bench.evaluate.demo import DemoRow
    from rass_bench.evaluate.paired import Difference

PERCENT = frozenset({"miou/gt-present", "miou/union", "macc", "aacc", "fwiou"})
"""Metrics in 0..1 that the field prints in percent."""


def record_table(record: RunRecord) -> Table:
    """One run: a row a metric, with its interval."""
    data = record.dataset
    models = [f"{record.restorer.key} →"] if record.restorer else []
    models.append(record.model.key)
    table = Table(
        title=Text("\n".join([*models, f"on {data.name}@{data.version} ({data.split})"])),
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("images", justify="right")
    for name, metric in record.metrics.items():
        heading = _heading(name, higher_is_better=metric.higher_is_better)
        table.add_row(heading, show_value(name, metric), show_interval(name, metric), str(metric.n))
    return table


def comparison_table(
    records: Sequence[RunRecord],
    metrics: Sequence[str],
    behind_first: Sequence[Difference | None],
) -> Table:
    """Several runs: a row a run, a column a metric with its interval below.

    Args:
        records: the runs.
        metrics: metric ids in column order.
        behind_first: of each run but the first, the first metric minus the first run's.
    """
    table = _narrow_table("run", label_width=21)
    _add_metric_columns(table, metrics, records)
    if behind_first:
        table.add_column(f"{_variant(metrics[0])}\nminus\nthe first", justify="right")
    table.add_column("fps", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    labels = _tell_apart(records)
    for record, label, difference in zip(records, labels, (None, *behind_first), strict=True):
        cells = [_cell(name, record.metrics.get(name)) for name in metrics]
        if behind_first:
            cells.append(_difference_cell(metrics[0], difference))
        partial = "" if record.status == "complete" else "*"
        table.add_row(Text(label), *cells, _fps(record), f"{record.scored}{partial}")
    return table


def demo_table(rows: Sequence[DemoRow], metrics: Sequence[str]) -> Table:
    """The demonstration: a row a measurement, a column a metric, and how far it is behind RASS.

    Args:
        rows: the measurements, all of the same images.
        metrics: metric ids in column order; the differences are of the first.
    """
    table = _narrow_table("what", label_width=13)
    table.add_column("protocol")
    _add_metric_columns(table, metrics, [row.record for row in rows])
    table.add_column(f"{_variant(metrics[0])}:\nRASS\nminus it", justify="right")
    table.add_column("fps", justify="right", no_wrap=True)
    for row in rows:
        cells = [_cell(name, row.record.metrics.get(name)) for name in metrics]
        behind = _difference_cell(metrics[0], row.behind)
        table.add_row(Text(row.what), row.record.protocol, *cells, behind, _fps(row.record))
    return table


def _narrow_table(label: str, label_width: int) -> Table:
    """Narrow enough for three metrics and a difference in 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(label, min_width=label_width, overflow="fold")
    return table


def _add_metric_columns(table: Table, metrics: Sequence[str], records: Sequence[RunRecord]) -> None:
    for name in metrics:
        higher = any(
            record.metrics[name].higher_is_better for record in records if name in record.metrics
        )
        heading = _heading(name, higher_is_better=higher)
        heading = heading.replace("/", "/\n").replace(" ", "\n", 1)
        table.add_column(heading, justify="right", no_wrap=True)


def _fps(record: RunRecord) -> str:
    return "–" if record.timing.fps is None else f"{record.timing.fps:.3g}"


def _variant(metric: str) -> str:
    return escape(metric.rpartition("/")[2])


def describe_run(record: RunRecord) -> str:
    """Protocol, data and model names of a run, without versions: see :func:`legend`."""
    lines = [f"{record.protocol} on {record.dataset.name}", _short_name(record.model)]
    if record.restorer is not None:
        lines.insert(1, f"{_short_name(record.restorer)} →")
    return "\n".join(lines)


def _tell_apart(records: Sequence[RunRecord]) -> list[str]:
    """What each run is, with revisions where several are described alike."""
    labels = [describe_run(record) for record in records]
    return [
        label if labels.count(label) == 1 else f"{label}\n{_revisions(record)}"
        for label, record in zip(labels, records, strict=True)
    ]


def _revisions(record: RunRecord) -> str:
    """Of its models, without the choices that the names state."""
    models = [record.restorer, record.model] if record.restorer else [record.model]
    parts = [[part for part in model.revision.split("+") if "=" not in part] for model in models]
    return " → ".join(map("+".join, parts))


def _short_name(model: ModelFacts) -> str:
    """The name and the choices, ``+option=value``, that its revision states."""
    choices = [part for part in model.revision.split("+")[1:] if "=" in part]
    return "+".join([model.name, *choices])


def legend(records: Sequence[RunRecord]) -> list[str]:
    """What the short names and marks of a comparison stand for, each once."""
    models = [model for record in records for model in (record.restorer, record.model) if model]
    data = [
        f"{record.dataset.name}@{record.dataset.version} ({record.dataset.split})"
        for record in records
    ]
    partial = [f"* {reason}" for record in records for reason in record.partial_because]
    return [
        *dict.fromkeys(model.key for model in models),
        *dict.fromkeys(data),
        *dict.fromkeys(partial),
    ]


def show_value(name: str, metric: MetricValue) -> str:
    """A value in the field's usual unit and digits; – where it is undefined."""
    return "–" if metric.value is None else _number(name, metric.value)


def show_interval(name: str, metric: MetricValue) -> str:
    """The interval in the same unit with a digit less; – where there is none."""
    if metric.ci95 is None:
        return "–"
    low, high = metric.ci95
    digits = 1 if name in PERCENT else 2 if abs(high) >= 10 else 3
    unit = 100 if name in PERCENT else 1
    return f"{low * unit:.{digits}f}–{high * unit:.{digits}f}"


def show_difference(name: str, difference: Difference) -> tuple[str, str]:
    """A difference and its interval, signed, in the metric's unit; – where there is none."""
    unit, digits = (100, 1) if name in PERCENT else (1, 3)
    value = "–" if difference.value is None else f"{difference.value * unit:+.{digits + 1}f}"
    if difference.ci95 is None:
        return value, "–"
    low, high = (f"{end * unit:+.{digits}f}" for end in difference.ci95)
    return value, f"{low} to {high}"


def _heading(name: str, *, higher_is_better: bool) -> str:
    unit = " %" if name in PERCENT else ""
    return f"{escape(name)} {'↑' if higher_is_better else '↓'}{unit}"


def _cell(name: str, metric: MetricValue | None) -> Text:
    if metric is None:
        return Text("–")
    return Text.assemble(show_value(name, metric), (f"\n{show_interval(name, metric)}", "dim"))


def _difference_cell(name: str, difference: Difference | None) -> Text:
    if difference is None or difference.value is None:
        return Text("–")
    value, interval = show_difference(name, difference)
    return Text.assemble(value, (f"\n{interval}", "dim"))


def _number(name: str, value: float) -> str:
    if name in PERCENT:
        return f"{value * 100:.2f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
