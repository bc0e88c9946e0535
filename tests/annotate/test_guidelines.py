"""The guidelines name every class, and their pictures exist and say what the text says."""

import re
from pathlib import Path

import numpy as np
import pytest

from rass_bench.annotate.guidelines import (
    TOO_SMALL,
    guidelines_text,
    without_small_things,
    write_guidelines,
)
from rass_bench.annotate.labeling_config import labeling_config
from rass_bench.images import read_image
from rass_bench.labels import LabelClass, LabelSpace, label_space_names, load_label_space


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotation")
    return write_guidelines(folder, load_label_space("ade20k-150"))


def test_every_picture_is_there_and_every_one_is_shown(written):
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", written.read_text())
    assert len(shown) == 5
    drawn = {path.relative_to(written.parent).as_posix() for path in written.parent.rglob("*.png")}
    assert drawn == set(shown)
    for name in shown:
        picture = read_image(written.parent / name)
        assert picture.shape[1] > 700
        assert picture.std() > 20


def test_the_same_guidelines_are_drawn_each_time(written, tmp_path):
    again = write_guidelines(tmp_path, load_label_space("ade20k-150"))
    for path in written.parent.rglob("*.*"):
        twin = again.parent / path.relative_to(written.parent)
        assert twin.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", label_space_names())
def test_every_class_is_listed_once(name):
    space = load_label_space(name)
    listed = re.findall(
        r"^- (.+)$", guidelines_text(space).split("## The classes")[1], re.MULTILINE
    )
    assert len(listed) == space.size
    for entry in space.classes:
        assert any(line.startswith(entry.name) for line in listed)


def test_a_hostile_class_name_stays_text():
    name = "<img src=x onerror=alert(1)> [a](javascript:b) `c` # d"
    text = guidelines_text(LabelSpace("x", (LabelClass(0, name, (), False, (0, 0, 0)),)))
    (line,) = [line for line in text.splitlines() if "onerror" in line]
    assert not re.search(r"(?<!\\)[<>\[\]`#()]", line)


def test_small_things_are_left_out_by_their_connected_size():
    labels = np.zeros((20, 20), np.uint8)
    labels[1:6, 1:6] = 4  # 25 pixels
    labels[10:14, 10:15] = 4  # 20 pixels
    labels[14, 15] = 4  # touches the former by a corner only
    made = without_small_things(labels, TOO_SMALL)
    expected = labels.copy()
    expected[10:14, 10:15] = 255
    expected[14, 15] = 255
    assert np.array_equal(made, expected)


def test_the_repository_holds_what_the_package_writes_today():
    folder = Path(__file__).resolve().parents[2] / "annotation"
    space = load_label_space("ade20k-150")
    assert (folder / "guidelines.md").read_text() == guidelines_text(space)
    assert (folder / "labeling_config.xml").read_text() == labeling_config(space)
    assert len(list((folder / "guidelines").glob("*.png"))) == 5
