"""What annotators handed in on each photo: from the server, from files, from adjudication."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rass_bench.annotate.compose import compose
from rass_bench.annotate.imports import ImportedMask, load_imports, read_mask
from rass_bench.annotate.labeling_config import config_fingerprint, labeling_config
from rass_bench.annotate.project import Task, load_project, tasks_path
from rass_bench.annotate.qa.measures import Opinion
from rass_bench.annotate.raw import Pulled, load_state, read_annotation
from rass_bench.annotate.regions import Region, read_regions
from rass_bench.annotate.server import files_root
from rass_bench.annotate.shapes import paint
from rass_bench.data.spec import DEFINITION_FILE
from rass_bench.errors import UserError
from rass_bench.files import inside
from rass_bench.labels import LabelSpace

ADJUDICATION = "adjudication"
"""Subfolder of a project that holds the project of its disputes."""


@dataclass(frozen=True)
class Work:
    """One annotator's finished work on one photo, before its file is read.

    Attributes:
        annotator: the pseudonym of an account of the server, or the name given to an import.
        sha256: of the raw annotation's or the mask's file.
        pulled: the annotation on the server; None for an import.
        imported: the mask of another tool; None for an annotation.
    """

    annotator: str
    sha256: str
    pulled: Pulled | None = None
    imported: ImportedMask | None = None

    @property
    def version(self) -> str:
        """Whose work it is and in which form, as ``annotator@first digits of the hash``."""
        return f"{self.annotator}@{self.sha256[:8]}"


@dataclass(frozen=True)
class Photo:
    """A photo of a project and all that was handed in on it.

    Attributes:
        sample: the sample's id.
        path: the photo, upright.
        source_sha256: of the sample's own file, which ``path`` may hold converted.
        height: rows.
        width: columns.
        task_id: its number on the server; None for one that was only imported.
        prelabel: ``name@revision`` of the model whose prediction annotators started from, or None.
        works: the newest of each annotator, by name.
        superseded: earlier works of the same annotators, and of adjudicators.
        refused: annotations that cannot be used, an adjudicator's among them; each says why.
        skipped: annotators and adjudicators who skipped the photo.
        has_draft: whether somebody began an annotation and did not submit it.
        is_gone: whether its task was deleted on the server, or that of its dispute.
        is_unreadable: whether the server could not hand out its annotations.
        decided: the adjudicator's work, which ends a dispute; None without one.
    """

    sample: str
    path: Path
    source_sha256: str
    height: int
    width: int
    task_id: int | None = None
    prelabel: str | None = None
    works: tuple[Work, ...] = ()
    superseded: tuple[Work, ...] = ()
    refused: tuple[Pulled, ...] = ()
    skipped: tuple[str, ...] = ()
    has_draft: bool = False
    is_gone: bool = False
    is_unreadable: bool = False
    decided: Work | None = None

    @property
    def is_decision_outdated(self) -> bool:
        """Whether an annotator changed an opinion after the adjudicator decided."""
        decided = self.decided
        return decided is not None and any(_age(work) > _age(decided) for work in self.works)

    @property
    def all_works(self) -> tuple[Work, ...]:
        """The annotators' works and last the adjudicator's, if any."""
        return self.works if self.decided is None else (*self.works, self.decided)


@dataclass(frozen=True)
class Drawn:
    """A work as it was read.

    Attributes:
        opinion: its label map and what is known of its making.
        origins: share of the drawn pixels by the origin of the region on top: ``manual``,
            ``prediction``, ``prediction-changed`` or ``imported``.
    """

    opinion: Opinion
    origins: dict[str, float] = field(default_factory=dict)


def load_photos(folder: Path) -> tuple[Photo, ...]:
    """Every photo of a project with the works on it, by sample id; no annotation is read yet.

    Raises:
        UserError: nothing was pushed or imported, a file of the project is damaged, or a photo was
            imported under the name of another one.
    """
    photos = _pushed(folder)
    decisions = _pushed(folder / ADJUDICATION, files_root(folder))
    for sample, dispute in decisions.items():
        if sample in photos:
            photos[sample] = _with_dispute(photos[sample], dispute)
    for mask in load_imports(folder):
        photos[mask.sample] = _with_import(folder, photos.get(mask.sample), mask)
    if not photos:
        raise UserError(
            "nothing was pushed or imported yet",
            str(folder),
            "Push photos (rass-bench annotate push) or import masks (rass-bench annotate import).",
        )
    return tuple(photos[sample] for sample in sorted(photos))


def check_labels(folder: Path, space: LabelSpace) -> None:
    """Refuse a project whose definition names other classes than its works were drawn in.

    Raises:
        UserError: it does.
    """
    drawn_in = {mask.label_space for mask in load_imports(folder)}
    if tasks_path(folder).is_file():
        same = load_project(folder).config_sha256 == config_fingerprint(labeling_config(space))
        drawn_in.add(space.name if same else "other classes")
    if drawn_in - {space.name}:
        raise UserError(
            f"the project's works were drawn in {', '.join(sorted(drawn_in))}, not in {space.name}",
            str(folder / DEFINITION_FILE),
            "Restore its label_space; use another folder for other classes.",
        )


def read_work(folder: Path, photo: Photo, work: Work, space: LabelSpace) -> Drawn:
    """Decode and compose one work.

    Args:
        folder: the project's folder.
        photo: the photo that it is on.
        work: one of its works.
        space: the classes.

    Raises:
        UserError: its file is missing or was changed since it was pulled or imported.
    """
    if work.imported is not None:
        labels = read_mask(folder, work.imported, space)
        # A file cannot tell "nothing drawn" from "ignore".
        covered = np.ones(labels.shape, dtype=np.bool_)
        return Drawn(Opinion(work.annotator, labels, covered), {"imported": 1.0})
    if work.pulled is None:
        raise RuntimeError("a work is an annotation or an import")
    home = folder / ADJUDICATION if work == photo.decided else folder
    annotation = read_annotation(home, work.pulled)
    where = f"sample {photo.sample}, annotation {work.pulled.annotation_id}"
    regions = read_regions(annotation.get("result"), photo.height, photo.width, where)
    composed = compose(regions, photo.height, photo.width, space, where)
    opinion = Opinion(
        annotator=work.annotator,
        labels=composed.labels,
        covered=composed.covered,
        seconds=work.pulled.lead_time,
        untouched=is_untouched(annotation, regions),
    )
    return Drawn(opinion, _origins(regions, photo))


def is_untouched(annotation: Mapping[str, Any], regions: Sequence[Region]) -> bool:
    """Whether a pre-annotation was handed in as it was.

    Every region then comes from the prediction, unchanged, and none of the prediction is missing,
    where the annotation holds a copy of it.
    """
    if not regions or any(region.origin != "prediction" for region in regions):
        return False
    shown = annotation.get("prediction")
    drawn = shown.get("result") if isinstance(shown, dict) else None
    return not isinstance(drawn, list) or len(drawn) == len(regions)


def _pushed(folder: Path, files: Path | None = None) -> dict[str, Photo]:
    """The photos that were pushed from a folder, by sample; none where nothing was."""
    if not tasks_path(folder).is_file():
        return {}
    tasks = load_project(folder).tasks
    state = load_state(folder)
    annotations: dict[str, list[Pulled]] = {}
    for one in state.annotations if state else ():
        annotations.setdefault(one.sample, []).append(one)
    drafts, gone, unreadable = (
        (set(state.drafts), set(state.gone), set(state.unreadable)) if state else (set(),) * 3
    )
    return {
        task.sample: replace(
            _with_annotations(
                _photo(files or files_root(folder), task), annotations.get(task.sample, [])
            ),
            has_draft=task.sample in drafts,
            is_gone=task.sample in gone,
            is_unreadable=task.sample in unreadable,
        )
        for task in tasks
    }


def _photo(files: Path, task: Task) -> Photo:
    return Photo(
        sample=task.sample,
        path=inside(files, task.photo),
        source_sha256=task.source_sha256,
        height=task.height,
        width=task.width,
        task_id=task.task_id,
        prelabel=task.prelabel,
    )


def _with_annotations(photo: Photo, annotations: Sequence[Pulled]) -> Photo:
    """The photo with its annotations: the newest usable of each account counts."""
    usable = [
        Work(pseudonym(one.annotator), one.sha256, pulled=one)
        for one in annotations
        if one.problem is None and not one.is_skipped
    ]
    newest = {work.annotator: work for work in sorted(usable, key=_age)}
    skipped = {pseudonym(one.annotator) for one in annotations if one.is_skipped}
    return replace(
        photo,
        works=tuple(newest[name] for name in sorted(newest)),
        superseded=tuple(work for work in usable if work not in newest.values()),
        refused=tuple(one for one in annotations if one.problem is not None),
        skipped=tuple(sorted(skipped)),
    )


def _with_dispute(photo: Photo, dispute: Photo) -> Photo:
    """The photo with what became of it in adjudication: the newest usable work decides."""
    works = sorted(dispute.works, key=_age)
    return replace(
        photo,
        decided=works[-1] if works else None,
        superseded=(*photo.superseded, *dispute.superseded, *works[:-1]),
        refused=(*photo.refused, *dispute.refused),
        skipped=tuple(sorted({*photo.skipped, *dispute.skipped})),
        has_draft=photo.has_draft or dispute.has_draft,
        is_gone=photo.is_gone or dispute.is_gone,
        is_unreadable=photo.is_unreadable or dispute.is_unreadable,
    )


def pseudonym(account: int | None) -> str:
    """What an account is called wherever its work is shown: its number on the server."""
    return "annotator-unknown" if account is None else f"annotator-{account}"


def _age(work: Work) -> tuple[str, int]:
    """Sorts annotations by when they were last changed."""
    pulled = work.pulled
    return ("", 0) if pulled is None else (pulled.updated_at, pulled.annotation_id)


def _with_import(folder: Path, photo: Photo | None, mask: ImportedMask) -> Photo:
    """The photo with one more work, or a photo that only imports know."""
    if photo is None:
        photo = Photo(
            sample=mask.sample,
            path=inside(files_root(folder), mask.photo),
            source_sha256=mask.source_sha256,
            height=mask.height,
            width=mask.width,
        )
    if photo.source_sha256 != mask.source_sha256:
        raise UserError(
            "a mask was imported for another photo of the same name",
            f"sample {mask.sample}, masks of {mask.annotator}",
            "Import the masks again with the photos that were pushed.",
        )
    works = (*photo.works, Work(mask.annotator, mask.mask_sha256, imported=mask))
    return replace(photo, works=tuple(sorted(works, key=lambda work: work.annotator)))


def _origins(regions: Iterable[Region], photo: Photo) -> dict[str, float]:
    """Share of the drawn pixels by origin of the region on top; one without origin is manual."""
    names = ("manual", "prediction", "prediction-changed")
    on_top = np.full((photo.height, photo.width), len(names), dtype=np.uint8)
    for region in regions:
        paint(on_top, region.top, region.left, region.mask, names.index(region.origin or "manual"))
    counts = np.bincount(on_top.reshape(-1), minlength=len(names))[: len(names)]
    total = max(1, int(counts.sum()))
    return {name: int(n) / total for name, n in zip(names, counts, strict=True) if n}
