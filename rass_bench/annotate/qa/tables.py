"""What was measured of a set as CSV files: by annotation, by class, by pair of annotators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rass_bench.annotate.qa.measures import Measures
from rass_bench.files import write_bytes
from rass_bench.labels import LabelSpace


def write_tables(folder: Path, measures: Sequence[Measures], space: LabelSpace) -> None:
    """Write ``annotations.csv``, ``classes.csv``, ``pairs.csv`` and ``pair_classes.csv``.

    An undefined measure is an empty cell. Shares are 0..1, times seconds.

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
        "annotations": _annotations(measures),
        "classes": _classes(measures, space),
        "pairs": _pairs(measures),
        "pair_classes": _pair_classes(measures, space),
    }
    for name, rows in tables.items():
        text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
        write_bytes(folder / f"{name}.csv", text.encode())


def _annotations(measures: Sequence[Measures]) -> Iterator[dict[str, Any]]:
    for one in measures:
        for single in one.singles:
            shape = single.shape
            yield {
                "sample": one.sample,
                "annotator": single.annotator,
                "labelled": shape.labelled,
                "ignored": shape.ignored,
                "unlabelled": shape.unlabelled,
                "specks": shape.specks,
                "speck_pixels": shape.speck_pixels,
                "holes": shape.holes,
                "hole_pixels": shape.hole_pixels,
                "roughness": shape.roughness,
                "seconds": single.seconds,
                "untouched": single.untouched,
                "label_quality": single.quality,
            }


def _classes(measures: Sequence[Measures], space: LabelSpace) -> Iterator[dict[str, Any]]:
    for one in measures:
        for single in one.singles:
            for shape in single.shape.classes:
                yield {
                    "sample": one.sample,
                    "annotator": single.annotator,
                    "class_id": shape.class_id,
                    "class": space.names[shape.class_id],
                    "pixels": shape.pixels,
                    "components": shape.components,
                    "specks": shape.specks,
                    "speck_pixels": shape.speck_pixels,
                    "roughness": shape.roughness,
                }


def _pairs(measures: Sequence[Measures]) -> Iterator[dict[str, Any]]:
    for one in measures:
        for pair in one.pairs:
            agreement = pair.agreement
            yield {
                "sample": one.sample,
                "first": pair.first,
                "second": pair.second,
                "both_labelled": agreement.both_labelled,
                "one_labelled": agreement.one_labelled,
                "pixel_agreement": agreement.pixel_agreement,
                "kappa": agreement.kappa,
                "alpha_of_all": one.alpha,
                "mean_iou": agreement.mean_iou,
                "boundary_f1": agreement.boundary_f1,
            }


def _pair_classes(measures: Sequence[Measures], space: LabelSpace) -> Iterator[dict[str, Any]]:
    for one in measures:
        for pair in one.pairs:
            iou, f1 = pair.agreement.class_iou, pair.agreement.class_boundary_f1
            for class_id in np.flatnonzero(~np.isnan(iou) | ~np.isnan(f1)).tolist():
                yield {
                    "sample": one.sample,
                    "first": pair.first,
                    "second": pair.second,
                    "class_id": class_id,
                    "class": space.names[class_id],
                    "iou": iou[class_id],
                    "boundary_f1": f1[class_id],
                }
