"""Did the model that is measured begin the masks that it is measured on?"""

from __future__ import annotations

import os
from pathlib import Path

from rass_bench.annotate.provenance import PROVENANCE_FILE, MaskProvenance, read_masks
from rass_bench.data.spec import definition_file
from rass_bench.errors import UserError, from_os_error
from rass_bench.evaluate.resolve import Resolved
from rass_bench.models.protocols import ModelSpec


def prelabel_warning(resolved: Resolved) -> str | None:
    """A sentence for who reads the scores, where annotators started from the model's predictions.

    A mask that grew out of a model's prediction is nearer to it than one drawn without: its score
    there is flattered. What is known of the masks stands in the ``provenance.json`` that
    ``annotate build`` writes, beside the files or the definition.

    Returns:
        None where no mask is known to have been begun by the model, or nothing has the file's
        name. What cannot be read, or is another data set's, is told of.
    """
    path = _provenance_file(resolved)
    if path is None or resolved.protocol.model_is != "segmenter":
        return None
    model, dataset = resolved.model.spec, resolved.dataset.spec.key
    try:
        masks = _read(path, dataset)
    except UserError as error:
        return f"whether {model.key} began masks of {dataset} is not known: {error}"
    begun = [
        masks[sample.id]
        for sample in resolved.samples
        if sample.id in masks and _is_by(masks[sample.id], model)
    ]
    if not begun:
        return None
    kept = sum(any(part.untouched for part in mask.contributions) for mask in begun)
    unchanged = f", {kept:,} of which somebody handed in unchanged" if kept else ""
    return (
        f"annotators started from predictions of {model.key} on {len(begun):,} of the "
        f"{len(resolved.samples):,} images of {dataset} that it is measured on{unchanged}: these "
        f"masks favour it ({path})"
    )


def _provenance_file(resolved: Resolved) -> Path | None:
    folders = (resolved.dataset.root, definition_file(resolved.request.dataset).parent)
    files = (folder / PROVENANCE_FILE for folder in folders)
    # A link to nowhere counts: something was meant to be said of the masks.
    return next((path for path in files if os.path.lexists(path)), None)


def _read(path: Path, dataset: str) -> dict[str, MaskProvenance]:
    """Where each mask comes from.

    Raises:
        UserError: no file that can be read, or what ``read_masks`` refuses.
    """
    try:
        if not path.is_file():  # a pipe would be waited for without end
            raise UserError("no file", str(path), "Remove it, or build the data set again.")
        return read_masks(path, dataset)
    except OSError as error:
        raise from_os_error(error, str(path)) from error


def _is_by(mask: MaskProvenance, model: ModelSpec) -> bool:
    """Whether a mask was begun by the model: of that name, and of that revision where one is told.

    ``annotate push`` notes both; a provenance made elsewhere may name the model alone.
    """
    return mask.prelabel in (model.key, model.name)
