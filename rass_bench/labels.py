"""Label spaces, and the one place where raw label files become contiguous ids.

A label map in memory is uint8 (H, W) with ids 0..K-1 and 255 = ignore. How a *file* numbers its
classes is its :class:`LabelEncoding`; :func:`read_label_map` undoes it once, when the file is
read, and nothing after it shifts ids again.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError, suggest
from rass_bench.images import open_image, orientation

IGNORE = 255
"""The only ignore id. It never stands for a class, and no prediction may hold it."""


@dataclass(frozen=True)
class LabelClass:
    """One class of a label space.

    Attributes:
        id: contiguous id, 0..K-1.
        name: the first synonym, as models are prompted with it.
        synonyms: the further names, in the source's order.
        is_stuff: amorphous (sky, road) rather than countable (car, person).
        colour: RGB, 0..255 each, for pictures only.
    """

    id: int
    name: str
    synonyms: tuple[str, ...]
    is_stuff: bool
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class LabelSpace:
    """The classes that a data set and a model must share to be compared."""

    name: str
    classes: tuple[LabelClass, ...]

    @property
    def size(self) -> int:
        """K, the number of classes."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in id order."""
        return tuple(entry.name for entry in self.classes)

    def id_of(self, name: str) -> int:
        """The id of the class with that name or synonym.

        Raises:
            UserError: no such class.
        """
        for entry in self.classes:
            if name == entry.name or name in entry.synonyms:
                return entry.id
        raise UserError(f"unknown class {name!r}", self.name, suggest(name, self.names))

    def palette(self) -> NDArray[np.uint8]:
        """Colours by id, uint8 (256, 3); ids without a class, ignore among them, are black."""
        table = np.zeros((256, 3), dtype=np.uint8)
        for entry in self.classes:
            table[entry.id] = entry.colour
        return table


class LabelEncoding(StrEnum):
    """How label files number their classes."""

    ZERO_IS_IGNORE = "zero-is-ignore"
    """0 = other = ignore, class i stored as i + 1 (ADE20K SceneParsing-150, RealLQ)."""

    CONTIGUOUS = "contiguous"
    """Class i stored as i, 255 = ignore (CamVid as used here, detectron2's ADE20K folder)."""


def label_space_names() -> list[str]:
    """The names of the label spaces that the package holds."""
    folder = resources.files("rass_bench") / "label_spaces"
    return sorted(
        item.name.removesuffix(".csv") for item in folder.iterdir() if item.name.endswith(".csv")
    )


@cache
def load_label_space(name: str) -> LabelSpace:
    """Read a label space from the package's table ``label_spaces/<name>.csv``.

    Raises:
        UserError: no such label space.
    """
    if name not in label_space_names():
        raise UserError(
            f"unknown label space {name!r}", "label spaces", suggest(name, label_space_names())
        )
    text = (resources.files("rass_bench") / "label_spaces" / f"{name}.csv").read_text("utf-8")
    classes = tuple(
        LabelClass(
            id=int(row["id"]),
            name=row["name"],
            synonyms=tuple(part for part in row["synonyms"].split("|") if part),
            is_stuff=row["kind"] == "stuff",
            colour=_parse_colour(row["colour"]),
        )
        for row in csv.DictReader(text.splitlines())
    )
    return LabelSpace(name=name, classes=classes)


def read_label_map(path: Path, space: LabelSpace, encoding: LabelEncoding) -> NDArray[np.uint8]:
    """Read a label file as uint8 (H, W), ids 0..K-1 and 255 = ignore.

    A palette PNG gives its indices, not its colours. 16-bit files are read when their values fit.

    Raises:
        UserError: colour image, JPEG, EXIF orientation, value outside the encoding's range, or
            unreadable file.
    """
    image = open_image(path)
    if image.format == "JPEG":
        raise UserError(
            "a label map was saved as JPEG, which changes class ids",
            str(path),
            "Save class ids as an 8-bit grey PNG, from the original and not from this file.",
        )
    if orientation(image, path) != 1:
        raise UserError(
            "a label map that EXIF data ask to turn is ambiguous",
            str(path),
            "Save it upright, as viewers show its photo, without EXIF data.",
        )
    if image.mode not in ("L", "P", "1") and not image.mode.startswith("I"):
        raise UserError(
            f"a label map has one channel, this file has mode {image.mode}",
            str(path),
            "Save class ids as an 8-bit grey PNG, not as colours.",
        )
    raw = np.asarray(image)
    allowed = _raw_values(space, encoding)
    present = np.unique(raw)
    outside = [int(value) for value in present if int(value) not in allowed]
    if outside:
        raise UserError(
            f"label value {outside[0]} is outside {space.name} ({encoding}), "
            f"which allows {_describe(allowed)}; {len(outside)} such values",
            str(path),
            _range_hint(space, encoding, outside),
        )
    return decode_labels(raw.astype(np.uint8), encoding)


def decode_labels(raw: NDArray[np.uint8], encoding: LabelEncoding) -> NDArray[np.uint8]:
    """Raw file values to contiguous ids, uint8 (H, W) to uint8 (H, W)."""
    if encoding is LabelEncoding.ZERO_IS_IGNORE:
        return raw - np.uint8(1)  # uint8 wraps: 0 becomes 255
    return raw


def encode_labels(labels: NDArray[np.uint8], encoding: LabelEncoding) -> NDArray[np.uint8]:
    """Contiguous ids to raw file values: the inverse of :func:`decode_labels`."""
    if encoding is LabelEncoding.ZERO_IS_IGNORE:
        return labels + np.uint8(1)  # uint8 wraps: 255 becomes 0
    return labels


def _raw_values(space: LabelSpace, encoding: LabelEncoding) -> frozenset[int]:
    if encoding is LabelEncoding.ZERO_IS_IGNORE:
        return frozenset(range(space.size + 1))
    return frozenset(range(space.size)) | {IGNORE}


def _describe(values: frozenset[int]) -> str:
    if IGNORE in values:
        return f"0..{len(values) - 2} and {IGNORE}"
    return f"0..{len(values) - 1}"


def _range_hint(space: LabelSpace, encoding: LabelEncoding, outside: list[int]) -> str:
    if space.name == "ade20k-150" and max(outside) > IGNORE:
        return (
            "This looks like the full ADE20K with its 3,000 classes; the benchmark is the archive "
            "ADEChallengeData2016 (SceneParsing-150)."
        )
    if encoding is LabelEncoding.ZERO_IS_IGNORE and outside == [IGNORE]:
        return (
            "255 as ignore means that the ids were shifted already; set label_encoding: contiguous "
            "in the data set's dataset.yaml."
        )
    return "Check label_encoding in dataset.yaml and that the file belongs to this data set."


def _parse_colour(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
