"""Quality assurance of a project: read every work, measure it, judge the photo by the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.handed_in import (
    Drawn,
    Photo,
    check_labels,
    load_photos,
    pseudonym,
    read_work,
)
from rass_bench.annotate.initialise import load_space
from rass_bench.annotate.photos import read_served
from rass_bench.annotate.policy import Policy, judge, judge_all
from rass_bench.annotate.probabilities import Probabilities, predict_probabilities
from rass_bench.annotate.qa.duplicates import Fingerprint, find_duplicates, fingerprint
from rass_bench.annotate.qa.findings import Finding, Severity, Verdict, decide, save_verdicts
from rass_bench.annotate.qa.measures import Measures, Opinion, measure
from rass_bench.annotate.qa.page import write_page
from rass_bench.annotate.qa.tables import write_tables
from rass_bench.degrade.workers import map_in_processes
from rass_bench.errors import UserError, from_os_error
from rass_bench.images import read_image
from rass_bench.labels import LabelSpace
from rass_bench.models.protocols import Segmenter


@dataclass(frozen=True)
class Assessment:
    """A project's photos with what was measured and decided, all in the order of sample ids.

    Attributes:
        space: the classes.
        policy: the gates.
        photos: the photos and the works on them.
        measures: of the annotators' works; the adjudicator's is not among them.
        verdicts: what happens to each photo.
    """

    space: LabelSpace
    policy: Policy
    photos: tuple[Photo, ...]
    measures: tuple[Measures, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class _Job:
    """One photo to measure; travels to a worker process."""

    folder: Path
    photo: Photo
    space: LabelSpace
    policy: Policy


@dataclass(frozen=True)
class _Measured:
    """What was measured of one photo.

    Attributes:
        works: the annotators' works.
        decided: the adjudicator's; None without one.
        fingerprint: of the photo.
    """

    works: Measures
    decided: Measures | None
    fingerprint: Fingerprint


def assess(
    folder: Path,
    policy: Policy,
    *,
    segmenter: Segmenter | None = None,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> Assessment:
    """Measure and judge every photo of a project.

    Where an adjudicator decided, that work alone is judged, by what is asked of one annotation by
    itself. With a segmenter, which computes in this process, there are no further workers.

    Args:
        folder: the project's folder.
        policy: the gates.
        segmenter: tells how plausible labels are; None leaves label quality out.
        workers: processes that share the work.
        advance: called once after each photo.

    Raises:
        UserError: no project, nothing handed in, a file that was changed since it was pulled, or a
            segmenter that gives no class scores.
    """
    space = load_space(folder)
    check_labels(folder, space)
    photos = load_photos(folder)
    jobs = [_Job(folder, photo, space, policy) for photo in photos]
    found: dict[str, _Measured] = {}
    for one in _measure_all(jobs, segmenter, workers):
        found[one.works.sample] = one
        advance()
    measured = [found[photo.sample] for photo in photos]
    measures = tuple(one.works for one in measured)
    return Assessment(space, policy, photos, measures, _judge(photos, measured, policy, space))


def read_works(folder: Path, photo: Photo, space: LabelSpace) -> tuple[Drawn, ...]:
    """The annotators' works on a photo as label maps, and last the adjudicator's, if any."""
    return tuple(read_work(folder, photo, work, space) for work in photo.all_works)


def _measure_all(
    jobs: Sequence[_Job], segmenter: Segmenter | None, workers: int
) -> Iterator[_Measured]:
    if segmenter is None:
        yield from map_in_processes(_measure, jobs, workers)
        return
    for job in jobs:
        yield _measure(job, predict_probabilities(segmenter, _read_photo(job.photo)))


def _measure(job: _Job, probabilities: Probabilities | None = None) -> _Measured:
    """Measure one photo; called in worker processes."""
    photo = job.photo
    image = _read_photo(photo)
    opinions = [one.opinion for one in read_works(job.folder, photo, job.space)]

    def measured(opinions: Sequence[Opinion]) -> Measures:
        return measure(
            photo.sample,
            opinions,
            job.space,
            speck_share=job.policy.speck_share,
            boundary_tolerance=job.policy.boundary_tolerance,
            probabilities=probabilities.values if probabilities else None,
            valid=probabilities.valid if probabilities else (1.0, 1.0),
        )

    count = len(photo.works)
    return _Measured(
        works=measured(opinions[:count]),
        decided=measured(opinions[count:]) if photo.decided is not None else None,
        fingerprint=fingerprint(photo.sample, image),
    )


def _read_photo(photo: Photo) -> NDArray[np.uint8]:
    """The photo, RGB uint8 (H, W, 3).

    Raises:
        UserError: it cannot be read, was changed, or has another size than its annotations were
            drawn on.
    """
    read_served(photo.path)  # refuses another photo in its place
    image = read_image(photo.path)
    if image.shape[:2] != (photo.height, photo.width):
        raise UserError(
            f"the photo has {image.shape[1]} x {image.shape[0]} pixels, the project states "
            f"{photo.width} x {photo.height}",
            str(photo.path),
            "The photo or the project's file was changed; push or import the photo again.",
        )
    return image


def _judge(
    photos: Sequence[Photo], measured: Sequence[_Measured], policy: Policy, space: LabelSpace
) -> tuple[Verdict, ...]:
    """Judge all photos together: duplicates and label quality compare them."""
    duplicates = find_duplicates([one.fingerprint for one in measured])
    verdicts = judge_all([one.works for one in measured], policy, space, duplicates)
    # An adjudicator may take over an opinion as it is.
    alone = replace(policy, min_annotators=1, allow_untouched_prelabel=True)
    judged = []
    for photo, one, verdict in zip(photos, measured, verdicts, strict=True):
        findings = verdict.findings
        if one.decided is not None:
            notes = [found for found in findings if found.severity is Severity.NOTE]
            findings = (*judge(one.decided, alone, space).findings, *notes)
        judged.append(decide(photo.sample, (*findings, *_of_life_cycle(photo))))
    return tuple(judged)


def _of_life_cycle(photo: Photo) -> Iterator[Finding]:
    """What became of a photo's annotations on the server, as findings."""

    def found(check: str, severity: Severity, note: str, who: str | None = None) -> Finding:
        return Finding(photo.sample, check, None, severity, note, who)

    for one in photo.refused:
        severity = Severity.NOTE if photo.decided is not None else Severity.FIX
        note = f"annotation {one.annotation_id} cannot be used: {one.problem}"
        yield found("refused", severity, note, pseudonym(one.annotator))
    if photo.is_unreadable:
        yield found("unreadable", Severity.FIX, "the server cannot hand out its annotations")
    for name in photo.skipped:
        yield found("skipped", Severity.NOTE, "the annotator skipped the photo", name)
    for work in photo.superseded:
        note = "an earlier annotation does not count: a later one does"
        yield found("superseded", Severity.NOTE, note, work.annotator)
    if photo.has_draft:
        yield found("draft", Severity.NOTE, "an annotation was begun and not submitted")
    if photo.is_gone:
        yield found("deleted", Severity.NOTE, "the task was deleted on the server")
    if photo.decided is not None:
        yield found("adjudicated", Severity.NOTE, "an adjudicator decided", photo.decided.annotator)
    if photo.is_decision_outdated:
        note = "an opinion was changed after the adjudicator decided"
        yield found("outdated-decision", Severity.NOTE, note)


def write_assessment(folder: Path, out: Path, assessment: Assessment, title: str) -> Path:
    """Write the QA page, the verdicts and the tables of measures.

    Args:
        folder: the project's folder.
        out: where to: ``index.html``, ``verdicts.json`` and the CSV files of
            :func:`~rass_bench.annotate.qa.tables.write_tables`.
        assessment: of that project.
        title: what the page calls the set.

    Returns:
        The page.

    Raises:
        UserError: a write failed, or a file was changed since it was pulled.
    """
    photos = {photo.sample: photo for photo in assessment.photos}

    def load(sample: str) -> tuple[NDArray[np.uint8], Sequence[Opinion]]:
        drawn = read_works(folder, photos[sample], assessment.space)
        return _read_photo(photos[sample]), [one.opinion for one in drawn]

    page = out / "index.html"
    try:
        save_verdicts(out / "verdicts.json", assessment.verdicts)
        write_tables(out, assessment.measures, assessment.space)
        write_page(
            page,
            title,
            measures=assessment.measures,
            verdicts=assessment.verdicts,
            space=assessment.space,
            load=load,
        )
    except OSError as error:
        raise from_os_error(error, str(out)) from None
    return page
