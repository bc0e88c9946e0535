"""Leaderboards on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from rass_bench.leaderboard import show
from rass_bench.leaderboard.changelog import Entry
from rass_bench.leaderboard.diff import TableDiff
from rass_bench.leaderboard.safe_text import one_line
from rass_bench.leaderboard.table import Confirmation, Row, Table

SHOWN_METRICS = 3
"""Metrics that fit into 80 columns beside a model's name."""

ONE_LINE = 24
"""Letters of restorer and model that stand on one line; longer names take two."""


def print_summary(console: Console, table: Table, changed: Sequence[str]) -> None:
    """One line a board: its version, its rows, and what was written."""
    measurements = {row.record for row in table.rows if row.record is not None}
    reported = sum(row.record is None for row in table.rows)
    apart = sum(row.rank is None for row in table.rows)
    state = f"wrote {', '.join(changed)}" if changed else "unchanged"
    console.print(Text.assemble((one_line(table.board), "bold"), f"  {table.version}"))
    counts = f"{_count(len(measurements), 'record')}, {_count(reported, 'reported number')}"
    console.print(f"  {counts}, {apart} without rank; {state}", highlight=False)


def print_table(console: Console, table: Table) -> None:
    """A board's rankings by its main metrics, and what stands beside them."""
    for protocol, rows in show.by_protocol(table.rows).items():
        for kind, ranked in (("measured", show.measured(rows)), ("reported", show.reported(rows))):
            if ranked:
                console.print()
                console.print(Text(one_line(f"{protocol.upper()}, {kind}"), style="bold"))
                console.print(_ranking(ranked))
    if table.confirmations:
        console.print()
        console.print(Text("Reported and measured side by side", style="bold"))
        console.print(_confirmations(table.confirmations))
    if others := show.apart(table.rows):
        console.print()
        console.print(Text("Not ranked", style="bold"))
        console.print(_apart(others))
    if any(row.rank is not None and row.rank.first < row.rank.last for row in table.rows):
        console.print()
        console.print("#1–3 is a rank: intervals do not tell these places apart.", style="dim")


def print_diff(console: Console, difference: TableDiff) -> None:
    """What differs, row by row."""
    if difference.is_empty:
        console.print("The tables are alike.")
        return
    for line in difference.table:
        console.print(Text(one_line(line)))
    for mark, style, rows in (
        ("+", "green", difference.added),
        ("-", "red", difference.removed),
    ):
        for row in rows:
            console.print(Text(f"{mark} {_name(row)}  {one_line(show.number(row))}", style=style))
    for change in difference.changed:
        console.print(Text(f"~ {_name(change.row)}", style="yellow"))
        for line in change.what:
            console.print(Text(f"    {one_line(line)}"))


def print_history(console: Console, board: str, entries: Sequence[Entry]) -> None:
    """The versions of one board."""
    console.print(Text(one_line(board), style="bold"))
    grid = _grid()
    for column in range(3):
        grid.add_column(no_wrap=column < 2)
    for entry in entries:
        changes = "\n".join(map(one_line, entry.changes))
        grid.add_row(Text(f"  {entry.version}"), Text(entry.date, style="dim"), Text(changes))
    grid.show_header = False
    console.print(grid)


def _ranking(rows: Sequence[Row]) -> Grid:
    metrics = show.metrics_of(rows)[:SHOWN_METRICS]
    grid = _grid()
    grid.add_column("model", overflow="fold", min_width=17)
    for metric in metrics:
        first = next(row for row in rows if row.key.metric == metric)
        title = one_line(show.heading(first)).replace("/", "/\n", 1).replace(" ", "\n", 1)
        grid.add_column(Text(title), justify="right", no_wrap=True)
    grid.add_column("fps", justify="right", no_wrap=True)
    if rows[0].record is not None:
        grid.add_column("kind", no_wrap=True)
    source = None
    for line in show.lines_of(rows):
        first = line.first
        if first.key.source != source:
            source = first.key.source
            grid.add_section()
            grid.add_row(Text(one_line(source or ""), style="italic"))
        cells = [_cell(line.cells.get(metric)) for metric in metrics]
        name = one_line(show.what_ran(first))
        name = name if len(name) <= ONE_LINE else name.replace(" → ", " →\n")
        kind = [] if first.record is None else [first.kind.value]
        grid.add_row(Text(name), *cells, show.speed(first.fps), *kind)
    return grid


def _cell(row: Row | None) -> Text:
    if row is None:
        return Text("–")
    rank = f"#{row.rank} " if row.rank is not None and row.rank.of > 1 else ""
    interval = "" if row.ci95 is None else f"\n{show.interval(row)}"
    return Text.assemble((rank, "cyan"), one_line(show.number(row)), (interval, "dim"))


def _confirmations(confirmations: Sequence[Confirmation]) -> Grid:
    grid = _grid()
    grid.add_column("model", overflow="fold")
    grid.add_column("metric", overflow="fold")
    for title in ("reported", "measured", "difference", "within"):
        grid.add_column(title, justify="right", no_wrap=True)
    for one in confirmations:
        metric = one.measured.metric
        within = "–" if one.within is None else "yes" if one.within else "no"
        grid.add_row(
            Text(one_line(one.measured.model)),
            Text(one_line(f"{one.measured.protocol}, {metric}")),
            show.in_unit(metric, one.reported_value),
            show.in_unit(metric, one.measured_value),
            show.in_unit(metric, one.difference),
            Text(within, style="red" if one.within is False else ""),
        )
    return grid


def _apart(rows: Sequence[Row]) -> Grid:
    grid = _grid()
    grid.add_column("model", overflow="fold", min_width=20)
    grid.add_column("metrics", overflow="fold")
    grid.add_column("why")
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        whose = (show.what_ran(row), row.key.protocol, row.not_ranked or "")
        reasons.setdefault(whose, []).append(f"{row.key.metric} {show.number(row)}")
    for (model, protocol, reason), metrics in reasons.items():
        name = f"{one_line(model)}\n{one_line(protocol)}"
        grid.add_row(Text(name), Text("\n".join(map(one_line, metrics))), Text(one_line(reason)))
    return grid


def _grid() -> Grid:
    return Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _name(row: Row) -> str:
    return one_line(f"{show.what_ran(row)}  {row.key.protocol}  {row.key.metric}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
