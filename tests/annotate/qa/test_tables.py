"""Measures as CSV files: every annotation, class and pair; what is undefined is an empty cell."""

import csv

import numpy as np
import pytest

from rass_bench.annotate.qa.agreement import compare
from rass_bench.annotate.qa.measures import Opinion, measure
from rass_bench.annotate.qa.tables import (
    ANNOTATIONS,
    CLASSES,
    PAIR_CLASSES,
    PAIRS,
    write_tables,
)
from rass_bench.labels import load_label_space

SPACE = load_label_space("ade20k-150")
WALL, TREE, CAR = 0, 4, 20
NAMES = {"annotations": ANNOTATIONS, "classes": CLASSES, "pairs": PAIRS}
NAMES["pair_classes"] = PAIR_CLASSES


def street():
    """40 x 50 pixels: tree above, wall below, a car of 6 x 10 on the wall, one speck of tree."""
    labels = np.full((40, 50), WALL, dtype=np.uint8)
    labels[:20] = TREE
    labels[25:31, 10:20] = CAR
    labels[35, 40] = TREE
    return labels


def opinion(annotator, labels, **more):
    return Opinion(annotator, labels, np.ones(labels.shape, dtype=bool), **more)


def written(folder, *measures):
    write_tables(folder, measures, SPACE)
    tables = {}
    for name, columns in NAMES.items():
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
        assert rows[0] == list(columns)
        tables[name] = [dict(zip(columns, row, strict=True)) for row in rows[1:]]
    return tables


def measured(sample, *opinions):
    return measure(sample, opinions, SPACE, speck_share=0.001, boundary_tolerance=0.0075)


def test_what_was_measured_stands_in_the_cell_of_its_name(tmp_path):
    other = street()
    other[25:31] = WALL
    other[0, :5] = 255
    found = measured("s", opinion("ann", street(), seconds=61.5), opinion("ben", other))
    tables = written(tmp_path, found)
    ann, ben = tables["annotations"]
    assert (ann["sample"], ann["annotator"]) == ("s", "ann")
    assert (ann["labelled"], ann["unlabelled"], ben["ignored"]) == ("1.0", "0.0", "0.0025")
    assert (ann["specks"], ann["speck_pixels"]) == ("1", "1")
    assert (ann["seconds"], ann["untouched"], ann["label_quality"]) == ("61.5", "False", "")
    classes = {(row["annotator"], row["class"]): row for row in tables["classes"]}
    assert set(classes) == {
        ("ann", "wall"),
        ("ann", "tree"),
        ("ann", "car"),
        ("ben", "wall"),
        ("ben", "tree"),
    }
    assert classes["ann", "car"]["pixels"] == "60"
    assert (classes["ann", "tree"]["components"], classes["ann", "tree"]["specks"]) == ("2", "1")
    assert classes["ann", "car"]["class_id"] == str(CAR)
    agreement = compare(street(), other, 150)
    (pair,) = tables["pairs"]
    assert (pair["first"], pair["second"]) == ("ann", "ben")
    for name in ("kappa", "mean_iou", "boundary_f1", "pixel_agreement", "one_labelled"):
        assert float(pair[name]) == getattr(agreement, name)
    assert float(pair["both_labelled"]) == 1995 / 2000
    assert float(pair["alpha_of_all"]) == found.alpha
    iou = {row["class"]: row["iou"] for row in tables["pair_classes"]}
    assert (float(iou["car"]), float(iou["tree"])) == (0, 1)
    wall = (street() == WALL).sum()
    assert float(iou["wall"]) == pytest.approx(wall / (wall + 60))


def test_what_is_undefined_is_an_empty_cell(tmp_path):
    wall = np.zeros((8, 8), dtype=np.uint8)
    tables = written(tmp_path, measured("s", opinion("ann", wall), opinion("ben", wall)))
    (pair,) = tables["pairs"]
    assert (pair["kappa"], pair["alpha_of_all"], pair["boundary_f1"]) == ("", "", "")
    (row,) = tables["pair_classes"]
    assert (row["iou"], row["boundary_f1"]) == ("1.0", "")
    assert {row["roughness"] for row in tables["annotations"]} == {""}
    assert {row["seconds"] for row in tables["annotations"]} == {""}


def test_a_table_without_rows_has_its_columns(tmp_path):
    tables = written(tmp_path, measured("s"))
    assert tables == {name: [] for name in NAMES}


def test_a_name_of_any_characters_stays_one_cell(tmp_path):
    name = 'a,"b"\nc;\t<script>é'
    tables = written(tmp_path, measured(name, opinion("ann", street())))
    assert [row["sample"] for row in tables["annotations"]] == [name]
    assert {row["sample"] for row in tables["classes"]} == {name}
