"""A table as CSV (one line a number) and as JSON."""

from __future__ import annotations

import csv
import io
import json

from rass_bench.leaderboard.safe_text import csv_text
from rass_bench.leaderboard.table import Row, Table

CSV_COLUMNS = (
    "schema_version",
    "board",
    "version",
    "rank_first",
    "rank_last",
    "rank_point",
    "rank_of",
    "not_ranked",
    "kind",
    "model",
    "protocol",
    "restorer",
    "metric",
    "metric_version",
    "test_size",
    "prompt_source",
    "latent",
    "source",
    "column",
    "value",
    "printed",
    "ci95_low",
    "ci95_high",
    "images",
    "higher_is_better",
    "fps",
    "device",
    "parameters",
    "trainable_parameters",
    "licence",
    "record",
    "verdict",
    "note",
)


def as_json(table: Table) -> bytes:
    r"""The table as JSON, which :func:`rass_bench.leaderboard.table.load_table` reads back.

    ``<`` is written as ``\u003c``, so that the text may stand in a page's script.
    """
    text = json.dumps(table.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    return (text.replace("<", "\\u003c") + "\n").encode()


def as_csv(table: Table) -> bytes:
    """The table's rows as CSV: full precision, an empty cell for what there is not.

    Text that a spreadsheet would take for a formula has an apostrophe in front; JSON has it as it
    is.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(CSV_COLUMNS)
    for row in table.rows:
        writer.writerow([_cell(value) for value in _values(table, row)])
    return stream.getvalue().encode()


def _values(table: Table, row: Row) -> tuple[object, ...]:
    key, rank, interval = row.key, row.rank, row.ci95 or (None, None)
    return (
        table.schema_version,
        table.board,
        table.version,
        *((rank.first, rank.last, rank.point, rank.of) if rank else (None,) * 4),
        row.not_ranked,
        row.kind.value,
        key.model,
        key.protocol,
        key.restorer,
        key.metric,
        key.metric_version,
        key.test_size,
        key.prompt_source,
        key.latent,
        key.source,
        key.column,
        row.value,
        row.printed,
        *interval,
        row.images,
        "yes" if row.higher_is_better else "no",
        row.fps,
        row.device,
        row.parameters,
        row.trainable_parameters,
        row.licence,
        row.record,
        row.verdict,
        row.note,
    )


def _cell(value: object) -> object:
    if value is None:
        return ""
    return csv_text(value) if isinstance(value, str) else value
