"""What was measured of a set as CSV files: by annotation, by class, by pair of annotators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rass_bench.annotate.qa.measures import Measures
from rass_bench.files import write_bytes
from rass_bench.labels import LabelSpace

ANNOTATIONS = (
    *("sample", "annotator", "labelled", "ignored", "unlabelled", "specks", "speck_pixels"),
    *("holes", "hole_pixels", "roughness", "seconds", "untouched", "label_quality"),
)
CLASSES = (
    *("sample", "annotator", "class_id", "class", "pixels", "components"),
    *("specks", "speck_pixels", "roughness"),
)
PAIRS = (
    *("sample", "first", "second", "both_labelled", "one_labelled", "pixel_agreement"),
    *("kappa", "alpha_of_all", "mean_iou", "boundary_f1"),
)
PAIR_CLASSES = ("sample", "first", "second", "class_id", "class", "iou", "boundary_f1")


def write_tables(folder: Path, measures: Sequence[Measures], space: LabelSpace) -> None:
    """Write ``annotations.csv``, ``classes.csv``, ``pairs.csv`` and ``pair_classes.csv``.

    An undefined measure is an empty cell, and a table without rows has its columns. Shares are
    0..1, times seconds.

    Args:
        folder: where to.
        measures: what was measured of each photo.
        space: the classes.

    Raises:
        OSError: a write failed.
    """
    # Imported here: `--help` writes no table.
    import pandas as pd

    tables = {
        "annotations": (ANNOTATIONS, _annotations(measures)),
        "classes": (CLASSES, _classes(measures, space)),
        "pairs": (PAIRS, _pairs(measures)),
        "pair_classes": (PAIR_CLASSES, _pair_classes(measures, space)),
    }
    for name, (columns, rows) in tables.items():
        table = pd.DataFrame(list(rows), columns=list(columns))
        text = table.to_csv(index=False, lineterminator="\n")
        write_bytes(folder / f"{name}.csv", text.encode())


def _annotations(measures: Sequence[Measures]) -> Iterator[tuple[Any, ...]]:
    for one in measures:
        for single in one.singles:
            shape = single.shape
            yield (
                *(one.sample, single.annotator),
                *(shape.labelled, shape.ignored, shape.unlabelled),
                *(shape.specks, shape.speck_pixels, shape.holes, shape.hole_pixels),
                *(shape.roughness, single.seconds, single.untouched, single.quality),
            )


def _classes(measures: Sequence[Measures], space: LabelSpace) -> Iterator[tuple[Any, ...]]:
    for one in measures:
        for single in one.singles:
            for shape in single.shape.classes:
                yield (
                    *(one.sample, single.annotator, shape.class_id, space.names[shape.class_id]),
                    *(shape.pixels, shape.components, shape.specks, shape.speck_pixels),
                    shape.roughness,
                )


def _pairs(measures: Sequence[Measures]) -> Iterator[tuple[Any, ...]]:
    for one in measures:
        for pair in one.pairs:
            agreement = pair.agreement
            yield (
                *(one.sample, pair.first, pair.second),
                *(agreement.both_labelled, agreement.one_labelled, agreement.pixel_agreement),
                *(agreement.kappa, one.alpha, agreement.mean_iou, agreement.boundary_f1),
            )


def _pair_classes(measures: Sequence[Measures], space: LabelSpace) -> Iterator[tuple[Any, ...]]:
    for one in measures:
        for pair in one.pairs:
            iou, f1 = pair.agreement.class_iou, pair.agreement.class_boundary_f1
            for class_id in np.flatnonzero(~np.isnan(iou) | ~np.isnan(f1)).tolist():
                name = space.names[class_id]
                values = iou[class_id], f1[class_id]
                yield (one.sample, pair.first, pair.second, class_id, name, *values)
