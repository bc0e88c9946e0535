"""What a release is made from: splits of a data set with its card and the masks' provenance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rass_bench.annotate.provenance import PROVENANCE_FILE, MaskProvenance, read_masks
from rass_bench.data.dataset import Dataset, open_dataset
from rass_bench.data.spec import DatasetSpec, definition_file, load_spec
from rass_bench.errors import UserError

CARD_FILE = "README.md"


@dataclass(frozen=True)
class Source:
    """A data set that is to be released, or that a release is compared with.

    Attributes:
        spec: the definition.
        splits: the splits, opened.
        masks: where each mask comes from, by sample id; empty unless the data set was annotated.
        provenance: the file that says so, or None.
        card: the text beside the definition that describes the data set; may be empty.
    """

    spec: DatasetSpec
    splits: tuple[Dataset, ...]
    masks: Mapping[str, MaskProvenance]
    provenance: Path | None
    card: str


def open_source(
    name: str, data_root: str | Path | None = None, splits: Sequence[str] | None = None
) -> Source:
    """Open some or all splits of a data set, complete.

    Args:
        name: a shipped definition, or a folder with a ``dataset.yaml``.
        data_root: where the files lie; see :func:`~rass_bench.data.dataset.open_dataset`.
        splits: splits of the definition; None takes all.

    Raises:
        UserError: what :func:`~rass_bench.data.dataset.open_dataset` refuses, fewer photos than
            the definition counts, a split's name that the Hub does not take, or provenance of
            another data set.
    """
    spec = load_spec(name)
    names = [one.name for one in spec.splits] if splits is None else splits
    opened = tuple(open_dataset(name, data_root, one) for one in names)
    for dataset in opened:
        _check_split(dataset)
    folder = definition_file(name).parent
    card, provenance = folder / CARD_FILE, folder / PROVENANCE_FILE
    return Source(
        spec=spec,
        splits=opened,
        masks=read_masks(provenance, spec.key) if provenance.is_file() else {},
        provenance=provenance if provenance.is_file() else None,
        card=card.read_text("utf-8", errors="replace") if card.is_file() else "",
    )


def _check_split(dataset: Dataset) -> None:
    name = dataset.split.name
    # The pattern of the package `datasets` (naming.py, _split_re).
    if not re.fullmatch(r"\w+(\.\w+)*", name, re.ASCII):
        raise UserError(
            f"the Hub takes no split named {name!r}",
            dataset.spec.key,
            "Use letters, digits and _ alone.",
        )
    if dataset.missing:
        raise UserError(
            f"{dataset.missing} of {dataset.split.count} photos of the split {name} are missing",
            str(dataset.root),
            "Complete it, or state in dataset.yaml how many there are.",
        )
