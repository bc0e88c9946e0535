"""A run's numbers again from its stored predictions and the data's ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rass_bench.data.dataset import Dataset, build_manifest
from rass_bench.data.manifest import Manifest, ManifestEntry, Sample, load_manifest
from rass_bench.errors import UserError
from rass_bench.evaluate.folder import Done, RunFolder
from rass_bench.evaluate.per_image import PerImageTable
from rass_bench.evaluate.protocol import find_protocol
from rass_bench.evaluate.recording import dataset_facts
from rass_bench.evaluate.rescore import TOLERANCE
from rass_bench.evaluate.run import Progress
from rass_bench.evaluate.score import ImageScore, score_predictions
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import METRICS
from rass_bench.record import DatasetFacts, RunRecord
from rass_bench.verify.layout import MANIFEST
from rass_bench.verify.numbers import LEARNED_TOLERANCE, check_numbers, close
from rass_bench.verify.png_header import read_png_header
from rass_bench.verify.stored import StoredRun
from rass_bench.verify.verdict import Check, all_hold, no_faults


def need_predictions(run: StoredRun) -> PerImageTable:
    """The results of a run that has its predictions.

    Raises:
        UserError: it has none, as most records on boards: there is nothing to compute again.
    """
    if run.table is None or run.index is None:
        raise UserError(
            "no predictions lie beside this record: from here its numbers cannot be computed again",
            str(run.folder),
            "Verify the run's own folder or its bundle, or take --level integrity.",
        )
    return run.table


@dataclass(frozen=True)
class Rescoring:
    """What scoring a run again came to.

    Attributes:
        checks: the checks, in the order made.
        data: the data as they lie here; None where they were not looked at.
    """

    checks: tuple[Check, ...]
    data: DatasetFacts | None


def check_rescore(run: StoredRun, dataset: Dataset, progress: Progress) -> Rescoring:
    """Compare the data by hash, then score the stored predictions and compare every number.

    Args:
        run: a run whose integrity holds.
        dataset: the data where they lie now.
        progress: draws progress bars.

    Raises:
        UserError: no predictions to score, or a metric lacks its package or weights here.
    """
    table = need_predictions(run)
    images = _check_images(run, table, dataset)
    if not images.holds:
        return Rescoring((images,), None)
    scored = set(table.ids)
    samples = [sample for sample in dataset.samples if sample.id in scored]
    manifest = build_manifest(dataset, samples)
    data = dataset_facts(dataset, manifest)
    checks = [
        images,
        *_check_data(run, manifest, data),
        _check_sizes(run, manifest, dataset.spec.scale),
    ]
    if all_hold(checks):
        checks += _check_scores(run, table, dataset, samples, progress)
    return Rescoring(tuple(checks), data)


def _check_images(run: StoredRun, table: PerImageTable, dataset: Dataset) -> Check:
    """Whether the record accounts for every image of the split, and all files are there."""
    here = {sample.id: sample for sample in dataset.samples}
    asked = [sample.id for sample in dataset.samples[: run.request.limit]]
    accounted = {*table.ids, *(entry.id for entry in run.record.not_scored)}
    faults = [f"{key}: not in the data" for key in sorted(accounted - here.keys())]
    faults += [
        f"{key}: neither scored nor named as not scored" for key in asked if key not in accounted
    ]
    faults += [f"{key}: was not asked for" for key in sorted(accounted & here.keys() - set(asked))]
    faults += [
        f"{key}: no {path.name} in the data"
        for key in table.ids
        if key in here
        for path in _files(here[key])
        if not path.is_file()
    ]
    return no_faults("images of the data set", "all accounted for and there", faults)


def _files(sample: Sample) -> list[Path]:
    return [path for path in (sample.image, sample.label, sample.reference) if path is not None]


def _check_data(run: StoredRun, manifest: Manifest, now: DatasetFacts) -> list[Check]:
    """Whether these are the data of the run: by the manifest's hash, then each fact of the record.

    Where they are not, the files that differ are named as far as the folder knows their hashes.
    """
    then = run.record.dataset
    packed = (
        load_manifest(run.folder / MANIFEST).entries if (run.folder / MANIFEST).is_file() else ()
    )
    known = {entry.id: entry for entry in packed}
    other = [
        f"{entry.id}: another {what}"
        for entry in manifest.entries
        for what in _which_differ(run.journal.get(entry.id), known.get(entry.id), entry)
    ]
    is_same = then.manifest_sha256 == now.manifest_sha256
    hashes = Check(
        "SHA-256 of the data",
        is_same and not other,
        then.manifest_sha256,
        now.manifest_sha256,
        no_faults("", "", other).note,
    )
    facts = [
        f"{name} is {getattr(now, name)!r}, in the record {getattr(then, name)!r}"
        for name in ("name", "version", "split", "defined_images", "found_images", "label_space")
        if getattr(now, name) != getattr(then, name)
    ]
    return [hashes, no_faults("definition of the data", "the record's", facts)]


def _which_differ(done: Done | None, then: ManifestEntry | None, now: ManifestEntry) -> list[str]:
    """The files of one image that are not those of the journal, and of the bundle's manifest."""
    differ = []
    if done is not None and done.image_sha256 != now.image_sha256:
        differ.append("photo than the prediction was made from")
    if then is not None:
        if then.image_sha256 != now.image_sha256:
            differ.append("photo")
        if then.label_sha256 != now.label_sha256:
            differ.append("label map")
        if then.reference_sha256 != now.reference_sha256:
            differ.append("reference")
    return differ


def _check_sizes(run: StoredRun, manifest: Manifest, scale: int) -> Check:
    """Whether each prediction has its photo's size, before any is decoded."""
    factor = scale if run.record.protocol == "restore" else 1
    faults = []
    for entry in manifest.entries:
        header = read_png_header(RunFolder(run.folder).prediction(entry.id))
        expected = (entry.width * factor, entry.height * factor)
        if header is None or (header.width, header.height) != expected:
            found = "no PNG" if header is None else f"{header.width} x {header.height}"
            faults.append(f"{entry.id}: {found}, not {expected[0]} x {expected[1]}")
    return no_faults("sizes of the predictions", "those of the photos", faults)


def _check_scores(
    run: StoredRun,
    table: PerImageTable,
    dataset: Dataset,
    samples: list[Sample],
    progress: Progress,
) -> list[Check]:
    """Score the predictions as `run` and `score` do, and compare image by image, then in all."""
    with progress("score", len(samples)) as advance:
        scores = score_predictions(
            RunFolder(run.folder),
            dataset,
            samples,
            _applicable(run.record, samples[0]),
            scale=dataset.spec.scale,
            seed=run.request.seed,
            skip_errors=True,
            advance=advance,
        )
    faults = [f"{entry.id}: {entry.reason}" for entry in scores.not_scored]
    rows = {key: row for row, key in enumerate(table.ids)}
    for image in scores.images:
        faults += [f"{image.id}: {what}" for what in _which_values(image, rows[image.id], table)]
    return [
        no_faults("each image from its prediction", "as in per_image.parquet", faults),
        *check_numbers(
            run.record,
            scores.metrics,
            scores.per_class,
            "the predictions",
            learned_tolerance=LEARNED_TOLERANCE,
        ),
    ]


def _applicable(record: RunRecord, first: Sample) -> list[str]:
    """The record's metrics that apply to its protocol; of another, none can be computed."""
    protocol = find_protocol(record.protocol, record.restorer.name if record.restorer else None)
    families = protocol.families(has_reference=first.reference is not None)
    known = set(METRICS.names())
    return [
        name
        for name in record.metrics
        if name in known and get_metric(name).info.family in families
    ]


def _which_values(image: ImageScore, row: int, table: PerImageTable) -> list[str]:
    """What of one image is not what its row says."""
    off = []
    if image.counts is not None and table.counts is not None:
        pairs = {
            "label map": (image.counts.truth, table.counts.truth[row]),
            "prediction": (image.counts.predicted, table.counts.predicted[row]),
            "correct pixels": (image.counts.correct, table.counts.correct[row]),
        }
        off += [
            f"its {what} gives other counts of {int((one != other).sum())} classes"
            for what, (one, other) in pairs.items()
            if not np.array_equal(one, other)
        ]
    for name, value in image.values.items():
        stored = float(table.values[name][row])
        is_learned = get_metric(name).info.extra is not None
        if not close(stored, value, LEARNED_TOLERANCE if is_learned else TOLERANCE):
            off.append(f"{name} is {value:.10g}, in its row {stored:.10g}")
    return off
