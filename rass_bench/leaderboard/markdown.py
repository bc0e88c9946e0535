"""A table as a Markdown page for people: a section a protocol, a line a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.leaderboard import show
from rass_bench.leaderboard.safe_text import markdown_code, markdown_text
from rass_bench.leaderboard.table import Row, Table

RULES = """\
Made by `rass-bench leaderboard build`; changed by hand, `rass-bench leaderboard check` fails.

In front of a number stands its rank among those of the same protocol and metric. It is a range,
because two measurements are told apart only where their 95 % intervals over the images do not
overlap, or that of their paired difference excludes zero. Reported numbers come without intervals:
they are ranked within their source, as they are printed there.
"""


def as_markdown(table: Table) -> bytes:
    """The page."""
    return ("\n\n".join(_sections(table)) + "\n").encode()


def _sections(table: Table) -> Iterator[str]:
    yield f"# {markdown_text(table.board)}, version {table.version} ({table.date})"
    yield f"{RULES}\nTable schema {table.schema_version}. {_images(table)}"
    for protocol, rows in show.by_protocol(table.rows).items():
        ranked, reported = show.measured(rows), show.reported(rows)
        title = PROTOCOLS[protocol].title.replace(":", ",")
        if ranked or reported:
            yield f"## {protocol.upper()}: {title}"
        if ranked:
            yield "### Measured"
            yield _measured(ranked)
        if reported:
            yield "### Reported"
            yield _reported(reported)
    if table.confirmations:
        yield "## Reported and measured side by side"
        yield _confirmations(table)
    if others := show.apart(table.rows):
        yield "## Not ranked"
        yield _apart(others)


def _images(table: Table) -> str:
    if table.images is None:
        return f"No complete measurement on {markdown_text(table.dataset)} is here yet."
    images = table.images
    return (
        f"Measured on {images.scored} images of {markdown_text(table.dataset)}, split "
        f"{markdown_text(images.split)}, manifest {markdown_code(images.manifest_sha256[:12])}."
    )


def _measured(rows: Sequence[Row]) -> str:
    metrics = show.metrics_of(rows)
    headings = [_heading(rows, metric) for metric in metrics]
    lines = [
        [
            markdown_text(show.what_ran(line.first)),
            *(_ranked_number(line.cells.get(metric)) for metric in metrics),
            *_figures(line.first),
            markdown_text(_conditions(line.first)),
            _evidence(line.first),
        ]
        for line in show.lines_of(rows)
    ]
    titles = ["model", *headings, "fps", "parameters", "trainable", "test size", "kind"]
    return _table(titles, lines, right=range(1, len(metrics) + 4))


def _reported(rows: Sequence[Row]) -> str:
    metrics = show.metrics_of(rows)
    lines = [
        [
            markdown_text(show.what_ran(line.first)),
            *(_ranked_number(line.cells.get(metric)) for metric in metrics),
            *_figures(line.first),
            markdown_text(show.cited(line)),
        ]
        for line in show.lines_of(rows)
    ]
    headings = [_heading(rows, metric) for metric in metrics]
    titles = ["method", *headings, "fps", "parameters", "trainable", "source"]
    return _table(titles, lines, right=range(1, len(metrics) + 4))


def _confirmations(table: Table) -> str:
    lines = []
    for one in table.confirmations:
        metric = one.measured.metric
        reported, measured, difference = (
            show.in_unit(metric, value)
            for value in (one.reported_value, one.measured_value, one.difference)
        )
        tolerance = "–" if one.tolerance is None else show.in_unit(metric, one.tolerance)
        within = "not known" if one.within is None else "yes" if one.within else "**no**"
        lines.append(
            [
                markdown_text(one.measured.model),
                markdown_text(f"{one.measured.protocol}, {metric}"),
                reported,
                measured,
                difference,
                tolerance,
                within,
                markdown_text(f"{one.reported.source}: {one.reported.column}"),
            ]
        )
    titles = ["model", "of", "reported", "measured", "difference", "tolerance", "within", "source"]
    return _table(titles, lines, right=range(2, 6))


def _apart(rows: Sequence[Row]) -> str:
    lines = [
        [
            markdown_text(show.what_ran(row)),
            markdown_text(row.key.protocol),
            markdown_text(show.heading(row)),
            show.number(row),
            markdown_text(row.not_ranked or ""),
            _evidence(row) if row.record is not None else markdown_text(_cited(row)),
        ]
        for row in rows
    ]
    return _table(["model", "protocol", "metric", "value", "why not ranked", "from"], lines, (3,))


def _cited(row: Row) -> str:
    return f"{row.key.source}: {row.key.column}"


def _heading(rows: Sequence[Row], metric: str) -> str:
    return markdown_text(show.heading(next(row for row in rows if row.key.metric == metric)))


def _ranked_number(row: Row | None) -> str:
    if row is None:
        return ""
    interval = "" if row.ci95 is None else f" ({show.interval(row)})"
    rank = f"**{row.rank}**: " if row.rank is not None and row.rank.of > 1 else ""
    return f"{rank}{show.number(row)}{interval}"


def _figures(row: Row) -> list[str]:
    return [
        show.speed(row.fps),
        show.millions(row.parameters),
        show.millions(row.trainable_parameters),
    ]


def _conditions(row: Row) -> str:
    parts = [row.key.test_size or ""]
    if row.key.prompt_source is not None:
        parts += [f"prompt {row.key.prompt_source}", f"latent {row.key.latent}"]
    return "; ".join(parts)


def _evidence(row: Row) -> str:
    kind = row.kind.value if row.verdict is None else f"{row.kind.value} ({row.verdict})"
    return f"[{kind}]({row.record})"


def _table(titles: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    rule = ["---:" if column in right else "---" for column in range(len(titles))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rule, *lines))
