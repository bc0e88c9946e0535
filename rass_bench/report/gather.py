"""From boards and runs to what a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rass_bench.data_uri import distinct_palette, hex_colour
from rass_bench.errors import UserError
from rass_bench.evaluate.demo import NOTICE
from rass_bench.evaluate.per_image import PerImageTable
from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.evaluate.rescore import recorded_request
from rass_bench.labels import load_label_space
from rass_bench.leaderboard.board import Measurement
from rass_bench.leaderboard.build import build_table
from rass_bench.leaderboard.table import Table
from rass_bench.metrics.bootstrap import PerImage
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import METRICS, SegmentationMetric
from rass_bench.report.content import BoardContent, Classes, Content, Factor, Metric
from rass_bench.report.fronts import fronts, slopes
from rass_bench.report.lines import (
    Placed,
    confirmation,
    lines_of_table,
    link_to,
    metrics_of_table,
)
from rass_bench.report.pictures import Drawn, draw_pictures
from rass_bench.report.scores import image_scores, read_tables
from rass_bench.report.sources import Source, find_sources
from rass_bench.report.strength import factors

IMAGES = 12
"""Images of each data set that are shown with their predictions, at most."""

IMAGE_BYTES = 12_000_000
"""What all pictures of a page may take together: the page stays one that opens at once."""


def gather(boards: Sequence[Path], runs: Sequence[Path], page: Path) -> Content:
    """Gather what a report shows.

    A run of a data set that has a board stands among the board's measurements, ranked with them.

    Args:
        boards: folders of boards.
        runs: folders of finished runs, whose data are where the runs found them.
        page: where the page will lie: links to records are relative to it.

    Raises:
        UserError: neither board nor run; a malformed file; two runs that are one measurement.
    """
    if not boards and not runs:
        raise UserError(
            "there is nothing to report on",
            "rass-bench report",
            "Name the folders of runs, or the folder that holds the leaderboards with --root.",
        )
    sources = find_sources(boards, runs)
    lending = sum(bool(source.lent) for source in sources)
    room = IMAGE_BYTES // max(1, lending)
    return Content(
        title="rass-bench",
        protocols={name: one.title for name, one in PROTOCOLS.items()},
        boards=tuple(
            _board(f"b{number}", source, page, room) for number, source in enumerate(sources)
        ),
    )


def _board(board_id: str, source: Source, page: Path, room: int) -> BoardContent:
    board, table = source.board, build_table(source.board)
    measurements = {one.name: one for one in board.measurements}
    placed = lines_of_table(table, board_id, measurements, page)
    lines = tuple(one.line for one in placed)
    measured = {one.line.id: one.measurement for one in placed if one.measurement is not None}
    metrics, classes = metrics_of_table(table), _classes(table)
    _check_classes(classes, board.measurements)
    tables = read_tables(measured)
    drawn = _draw(source, placed, room)
    return BoardContent(
        id=board_id,
        name=table.board,
        version=f"{table.version} ({table.date})" if source.is_board else "",
        images=_images(table),
        notice=NOTICE if board.dataset.partition("@")[0].split("-")[0] == "scenes" else None,
        link=link_to(board.folder, page) if source.is_board else None,
        metrics=metrics,
        lines=lines,
        confirmations=tuple(map(confirmation, table.confirmations)),
        factors=_factors(board.dataset, metrics[0], placed, tables) if metrics else (),
        fronts=fronts(lines, metrics[0]) if metrics else (),
        slopes=slopes(lines, metrics[0]) if metrics else (),
        scores=image_scores(metrics[0].id, tables) if metrics else None,
        classes=classes,
        pictures=drawn.pictures,
        images_left_out=drawn.left_out,
    )


def _factors(
    dataset: str,
    metric: Metric,
    placed: Sequence[Placed],
    tables: Mapping[str, PerImageTable],
) -> tuple[Factor, ...]:
    """The main metric against degradation, of the ranked lines that kept it for every image.

    Raises:
        UserError: a line's images are others than those of the lines that it is ranked with.
    """
    if metric.id not in METRICS.names():
        return ()
    known = get_metric(metric.id)
    kept: dict[str, tuple[PerImage, int]] = {}
    ids: tuple[str, ...] = ()
    for line, measurement in ((one.line, one.measurement) for one in placed):
        table, cell = tables.get(line.id), line.cells.get(metric.id)
        if measurement is None or table is None or cell is None or cell.rank is None:
            continue
        values = table.values[metric.id]
        per_image = table.counts if isinstance(known, SegmentationMetric) else values
        # The PSNR of equal images has no mean; counts of pixels always have a sum.
        if per_image is None or (per_image is values and not np.isfinite(values).all()):
            continue
        _check_images(ids or table.ids, table.ids, measurement)
        ids = table.ids
        kept[line.id] = (per_image, recorded_request(measurement.record, measurement.folder).seed)
    name, _, version = dataset.partition("@")
    return factors((name, version), known, ids, kept) if kept else ()


def _check_images(
    expected: tuple[str, ...], found: tuple[str, ...], measurement: Measurement
) -> None:
    """Runs write the rows of the same images in the same order."""
    if expected != found:
        raise UserError(
            "its images are not those of the runs that it is ranked with",
            str(measurement.folder),
            "`rass-bench verify RUN` says which of them was edited; leave that one out.",
        )


def _draw(source: Source, placed: Sequence[Placed], room: int) -> Drawn:
    lent = {
        one.line.id: source.lent[one.measurement.name]
        for one in placed
        if one.measurement is not None and one.measurement.name in source.lent
    }
    return draw_pictures(lent, IMAGES, room)


def _images(table: Table) -> str:
    images = table.images
    if images is None:
        return f"no complete measurement on {table.dataset} yet"
    return (
        f"{images.scored} images of {table.dataset}, split {images.split}, manifest "
        f"{images.manifest_sha256[:12]}"
    )


def _check_classes(classes: Classes | None, measurements: Sequence[Measurement]) -> None:
    for one in measurements:
        values = one.record.per_class.get("iou", ())
        if values and classes is not None and len(values) != len(classes.names):
            raise UserError(
                f"{len(values)} values by class, of {len(classes.names)} classes",
                str(one.folder),
                "The record was edited; restore it.",
            )


def _classes(table: Table) -> Classes | None:
    if table.images is None or table.images.label_space is None:
        return None
    space = load_label_space(table.images.label_space)
    palette = distinct_palette(space)[: space.size]
    return Classes(space.names, tuple(hex_colour(colour) for colour in palette))
