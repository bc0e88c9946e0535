"""A labelled data set's masks in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.interchange.coco import write_coco
from rass_bench.annotate.interchange.formats import ExportFormat
from rass_bench.annotate.interchange.panoptic import write_panoptic
from rass_bench.annotate.interchange.photos import Photo
from rass_bench.data.dataset import Dataset
from rass_bench.data.reading import read_truth
from rass_bench.errors import UserError


def export_masks(
    dataset: Dataset,
    mask_format: ExportFormat,
    out: Path,
    advance: Callable[[], None] = lambda: None,
) -> int:
    """Write the masks of all photos of a split; ``ignore`` becomes the absence of any class.

    Nothing is left behind when a mask cannot be read.

    Args:
        dataset: one with labels.
        mask_format: what to write.
        out: the JSON file; the PNG files of a panoptic one go into the folder of its name.
        advance: called once after each mask.

    Returns:
        The number of masks.

    Raises:
        UserError: no labels, a mask that cannot be read, or a file or folder in the way.
        OSError: the files cannot be written.
    """
    space, folder = dataset.spec.labels, out.with_suffix("")
    if space is None:
        raise UserError(
            "the data set has no labels to export", dataset.spec.key, "Choose one with annotations."
        )
    if out.suffix != ".json":
        raise UserError("masks are written to a .json file", str(out), "Name it so.")
    for path in (out, folder) if mask_format is ExportFormat.PANOPTIC else (out,):
        if path.exists():
            raise UserError("it exists already", str(path), "Choose another name, or remove it.")
    masks = _masks(dataset, advance)
    if mask_format is ExportFormat.COCO:
        write_coco(out, masks, space)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=out.parent) as name:
            staging = Path(name)
            write_panoptic(staging / out.name, staging / folder.name, masks, space)
            (staging / folder.name).replace(folder)
            (staging / out.name).replace(out)
    return len(dataset.samples)


def _masks(
    dataset: Dataset, advance: Callable[[], None]
) -> Iterator[tuple[Photo, NDArray[np.uint8]]]:
    for sample in dataset.samples:
        labels = read_truth(dataset, sample)
        yield Photo(f"{sample.id}{sample.image.suffix}", *labels.shape), labels
        advance()
