"""What runs kept of each image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PER_IMAGE
from rass_bench.evaluate.per_image import PerImageTable, read_per_image
from rass_bench.files import sha256_file
from rass_bench.leaderboard.board import Measurement
from rass_bench.report.content import ImageScores


def read_tables(lines: Mapping[str, Measurement]) -> dict[str, PerImageTable]:
    """The per-image tables of the measurements that kept one, by line id.

    Raises:
        UserError: a table is malformed or was changed since the run.
    """
    found = {}
    for line, measurement in lines.items():
        path, record = measurement.folder / PER_IMAGE, measurement.record
        if not path.is_file():
            continue
        if sha256_file(path) != record.files.get(PER_IMAGE):
            raise UserError(
                f"{PER_IMAGE} was changed since the run",
                str(path),
                "Restore the file, or repeat the run.",
            )
        found[line] = read_per_image(path, record)
    return found


def image_scores(metric: str, tables: Mapping[str, PerImageTable]) -> ImageScores | None:
    """A metric of each image for the lines that have it; None where none has.

    Args:
        metric: id of the metric.
        tables: per-image tables by line id; an image that one lacks is NaN there.
    """
    having = {line: table for line, table in tables.items() if metric in table.values}
    if not having:
        return None
    ids = tuple(sorted({one for table in having.values() for one in table.ids}))
    place = {one: column for column, one in enumerate(ids)}
    values = np.full((len(having), len(ids)), np.nan)
    for row, table in enumerate(having.values()):
        values[row, [place[one] for one in table.ids]] = table.values[metric]
    return ImageScores(metric, ids, tuple(having), values)
