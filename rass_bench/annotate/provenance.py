"""Where every mask of a built data set comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import rass_bench
from rass_bench.annotate.handed_in import Drawn, Work
from rass_bench.annotate.policy import Policy
from rass_bench.annotate.qa.findings import Verdict
from rass_bench.annotate.raw import PullState
from rass_bench.errors import UserError
from rass_bench.files import write_json
from rass_bench.structure import read_versioned

PROVENANCE_FILE = "provenance.json"
PROVENANCE_SCHEMA = 1


@dataclass(frozen=True)
class Contribution:
    """One annotator's part in a mask.

    Attributes:
        annotator: pseudonym, or the name given to an import.
        sha256: of the raw annotation, or of the imported mask.
        annotation_id: its number on the server; None for an import.
        updated_at: when it was last changed on the server; None for an import.
        seconds: time spent; None where it is unknown.
        origins: share of the drawn pixels by origin: ``manual``, ``prediction``,
            ``prediction-changed`` or ``imported``.
        untouched: whether a model's pre-annotation was handed in as it was.
        source: what an import was read from; None for an annotation.
    """

    annotator: str
    sha256: str
    annotation_id: int | None
    updated_at: str | None
    seconds: float | None
    origins: dict[str, float]
    untouched: bool
    source: str | None


@dataclass(frozen=True)
class MaskProvenance:
    """Where one mask comes from.

    Attributes:
        sample: the sample's id.
        mask_sha256: of the mask's file.
        source_sha256: of the photo's file as it was pushed or imported.
        made_by: ``adjudicator``, ``single`` (one annotation), ``majority`` or ``staple``.
        prelabel: ``name@revision`` of the model whose prediction annotators started from, or None.
        contributions: whose work went into it; an adjudicator's alone where there is one.
        overruled: the works that an adjudicator decided between.
    """

    sample: str
    mask_sha256: str
    source_sha256: str
    made_by: str
    prelabel: str | None
    contributions: tuple[Contribution, ...]
    overruled: tuple[Contribution, ...]


@dataclass(frozen=True)
class Provenance:
    """Where a data set comes from, as ``provenance.json`` holds it.

    Attributes:
        schema_version: of the file.
        dataset: ``name@version``.
        rass_bench: version of this package.
        label_studio: version of the server; None where nothing was annotated on one.
        labeling_config_sha256: fingerprint of the labelling configuration; None likewise.
        policy: the gates that every mask passed.
        masks: by sample id.
        left_out: photos that did not pass, with the reasons.
    """

    schema_version: int
    dataset: str
    rass_bench: str
    label_studio: str | None
    labeling_config_sha256: str | None
    policy: dict[str, Any]
    masks: tuple[MaskProvenance, ...]
    left_out: tuple[Verdict, ...]


def write_provenance(
    folder: Path,
    dataset: str,
    state: PullState | None,
    policy: Policy,
    *,
    masks: tuple[MaskProvenance, ...],
    left_out: tuple[Verdict, ...],
) -> None:
    """Write ``provenance.json`` into the folder of a built data set.

    Args:
        folder: the data set's folder.
        dataset: ``name@version``.
        state: what was pulled; None where nothing was annotated on a server.
        policy: the gates.
        masks: by sample id.
        left_out: photos that did not pass.
    """
    provenance = Provenance(
        schema_version=PROVENANCE_SCHEMA,
        dataset=dataset,
        rass_bench=rass_bench.__version__,
        label_studio=state.server_version if state else None,
        labeling_config_sha256=state.config_sha256 if state else None,
        policy=asdict(policy),
        masks=masks,
        left_out=left_out,
    )
    write_json(folder / PROVENANCE_FILE, asdict(provenance))


def read_masks(path: Path, dataset: str) -> dict[str, MaskProvenance]:
    """Where each mask of an annotated data set comes from, by sample id.

    Args:
        path: a ``provenance.json``.
        dataset: ``name@version`` of the data set that it must be of.

    Raises:
        UserError: no provenance, of a newer schema, that of another data set, or one that lists a
            sample twice.
    """
    do = "Build the data set again."
    provenance = read_versioned(path, Provenance, PROVENANCE_SCHEMA, "provenance", do)
    if provenance.dataset != dataset:
        raise UserError(
            f"the provenance is that of {short_repr(provenance.dataset)}, not of {dataset}",
            str(path),
            "Remove the file, or restore the dataset.yaml that was built with it.",
        )
    masks: dict[str, MaskProvenance] = {}
    for mask in provenance.masks:
        if mask.sample in masks:
            raise UserError(
                f"the provenance lists the sample {short_repr(mask.sample)} twice", str(path), do
            )
        masks[mask.sample] = mask
    return masks


def contribution(work: Work, drawn: Drawn) -> Contribution:
    """What is known of one work."""
    pulled, imported = work.pulled, work.imported
    return Contribution(
        annotator=work.annotator,
        sha256=work.sha256,
        annotation_id=pulled.annotation_id if pulled else None,
        updated_at=pulled.updated_at if pulled else None,
        seconds=drawn.opinion.seconds,
        origins=drawn.origins,
        untouched=drawn.opinion.untouched,
        source=imported.source if imported else None,
    )
