"""Data-set definitions: ``datasets/<name>/dataset.yaml`` as a checked, frozen object."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

import rass_bench
from rass_bench.errors import UserError, suggest
from rass_bench.files import read_yaml
from rass_bench.labels import LabelEncoding, LabelSpace, load_label_space

DEFINITION_FILE = "dataset.yaml"

MAX_SCALE = 16
"""The largest scale of a definition; beyond it a typing error, not a data set, is likely."""


class Layout(StrEnum):
    """How a data set lies in its folder."""

    ADE = "ade"
    """images/<split>/ID.jpg, annotations/<split>/ID.png; optionally clean/<split>/ID.* (the clean
    photos that low-quality ones were made from)."""

    PAIRS = "pairs"
    """test_LR/NAME and test_HR/NAME: low- and high-resolution crops of the same name."""

    LQ = "lq"
    """A folder of photos without any ground truth. Where they lie in a subfolder images/, one
    named clean/ beside it may hold the clean photos that they were made from."""

    SCENES = "scenes"
    """The embedded data set: rendered on first use into the cache, in the ``ade`` layout."""


@dataclass(frozen=True)
class SplitSpec:
    """One split: its folder name and, when it is published, its number of images."""

    name: str
    count: int | None


@dataclass(frozen=True)
class DatasetSpec:
    """What ``dataset.yaml`` says about a data set.

    Attributes:
        name: the name on the command line.
        version: version of the definition and its files; part of every record and table.
        title: one line for people.
        layout: see :class:`Layout`.
        splits: splits by folder name, the default one first.
        licence: licence of images and labels, in words.
        homepage: where the data come from.
        obtain: how a user gets the files, in a sentence.
        label_space: name of the label space, or None without labels.
        label_encoding: how the label files number their classes, or None without labels.
        scale: side of the high-resolution image over side of the low-resolution one.
        citation: the paper to cite.
    """

    name: str
    version: str
    title: str
    layout: Layout
    splits: tuple[SplitSpec, ...]
    licence: str
    homepage: str
    obtain: str
    label_space: str | None = None
    label_encoding: LabelEncoding | None = None
    scale: int = 1
    citation: str | None = None

    @property
    def key(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def labels(self) -> LabelSpace | None:
        """The label space itself, or None without labels."""
        return load_label_space(self.label_space) if self.label_space else None

    def split(self, name: str | None) -> SplitSpec:
        """The split of that name; the first one for None.

        Raises:
            UserError: no such split.
        """
        if name is None:
            return self.splits[0]
        for entry in self.splits:
            if entry.name == name:
                return entry
        names = [entry.name for entry in self.splits]
        raise UserError(f"unknown split {name!r}", self.key, suggest(name, names))


def definitions_dir() -> Path:
    """The folder that holds the definitions: inside a wheel, or the checkout's ``datasets/``."""
    package = Path(rass_bench.__file__).parent
    shipped = package / "_datasets"
    return shipped if shipped.is_dir() else package.parent / "datasets"


def spec_names() -> list[str]:
    """The names of all shipped definitions, sorted."""
    return sorted(path.parent.name for path in definitions_dir().glob(f"*/{DEFINITION_FILE}"))


def load_spec(name_or_folder: str) -> DatasetSpec:
    """Load a shipped definition by name, or ``dataset.yaml`` of a folder given by path.

    Raises:
        UserError: unknown name, or a definition with unknown, missing or malformed entries.
    """
    return parse_spec(definition_file(name_or_folder))


def definition_file(name_or_folder: str) -> Path:
    """Where the ``dataset.yaml`` of a shipped name or of a folder lies.

    A shipped name wins over a folder of that name in the working folder; ``./name`` is the folder.

    Raises:
        UserError: neither a shipped name nor a folder with a definition.
    """
    folder = Path(name_or_folder)
    if name_or_folder in spec_names():
        return definitions_dir() / name_or_folder / DEFINITION_FILE
    if folder.joinpath(DEFINITION_FILE).is_file():
        return folder / DEFINITION_FILE
    if folder.is_dir():
        raise UserError(
            "the folder holds no dataset.yaml",
            name_or_folder,
            "Name a data set with --dataset and give this folder as --data-root.",
        )
    raise UserError(
        f"unknown data set {name_or_folder!r}",
        "--dataset",
        suggest(name_or_folder, spec_names()) + " A folder with a dataset.yaml works too.",
    )


def parse_spec(path: Path) -> DatasetSpec:
    """Read and check one ``dataset.yaml``.

    Raises:
        UserError: unknown or missing key, wrong type, unknown label space.
    """
    raw = read_yaml(path)
    known = {field.name for field in fields(DatasetSpec)}
    required = {field.name for field in fields(DatasetSpec)[:8]}
    for key in raw:
        if key not in known:
            raise UserError(f"unknown key {key!r}", str(path), suggest(str(key), known))
    for key in sorted(required - raw.keys()):
        raise UserError(f"the key {key!r} is missing", str(path), "Add it.")
    _check_types(raw, path)
    try:
        layout = Layout(raw["layout"])
        encoding = LabelEncoding(raw["label_encoding"]) if raw.get("label_encoding") else None
    except ValueError as error:
        raise UserError(str(error), str(path), "Use one of the documented words.") from None
    if (raw.get("label_space") is None) != (encoding is None):
        raise UserError(
            "label_space and label_encoding go together", str(path), "Give both or neither."
        )
    splits = tuple(SplitSpec(name, count) for name, count in raw["splits"].items())
    spec = DatasetSpec(**{**raw, "layout": layout, "label_encoding": encoding, "splits": splits})
    if spec.label_space:
        load_label_space(spec.label_space)
    return spec


def definition_text(spec: DatasetSpec) -> str:
    """A definition as YAML, which :func:`parse_spec` reads back."""
    entries = {key: value for key, value in asdict(spec).items() if value is not None}
    entries |= {"layout": spec.layout.value, "splits": {one.name: one.count for one in spec.splits}}
    if spec.label_encoding is not None:
        entries["label_encoding"] = spec.label_encoding.value
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=1000)


def _check_types(raw: dict[str, Any], path: Path) -> None:
    texts = ("name", "version", "title", "layout", "licence", "homepage", "obtain")
    optional = ("label_space", "label_encoding", "citation")
    for key in (*texts, *(name for name in optional if raw.get(name) is not None)):
        if not isinstance(raw[key], str):
            raise UserError(f"{key!r} must be text", str(path), f'Quote it: {key}: "{raw[key]}".')
    if not _is_whole(raw.get("scale", 1), 1, MAX_SCALE):
        raise UserError(
            f"'scale' must be a whole number from 1 to {MAX_SCALE}", str(path), "Correct it."
        )
    splits = raw["splits"]
    valid = (
        isinstance(splits, dict)
        and bool(splits)
        and all(
            _is_folder_name(name) and (count is None or _is_whole(count, 0, math.inf))
            for name, count in splits.items()
        )
    )
    if not valid:
        raise UserError(
            "'splits' maps each split's folder name to its number of images (or null)",
            str(path),
            "For example: splits: {validation: 2000}.",
        )


def _is_whole(value: object, low: int, high: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_folder_name(name: object) -> bool:
    """Whether the name stays where it is put: definitions come from strangers, too."""
    return isinstance(name, str) and name not in ("", ".", "..") and "/" not in name
