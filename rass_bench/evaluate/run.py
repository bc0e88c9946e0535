"""The main flow: resolve, restore, predict, score, record. Read it from top to bottom."""

from __future__ import annotations

import dataclasses
import re
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from rass_bench.data.dataset import Dataset, build_manifest, open_dataset
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError
from rass_bench.evaluate.environment import describe_environment
from rass_bench.evaluate.folder import PER_IMAGE, PREDICTIONS, Done, RunFolder, reason
from rass_bench.evaluate.inputs import read_reference, read_truth
from rass_bench.evaluate.protocol import Protocol, find_protocol
from rass_bench.evaluate.restored import pixels_sha256, restore_once, restore_to_scale
from rass_bench.evaluate.score import Scores, save_per_image, score_predictions
from rass_bench.files import sha256_bytes, sha256_file
from rass_bench.images import image_png, label_png, read_image
from rass_bench.metrics.catalog import all_metrics, get_metric
from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.protocols import Restorer, Segmenter
from rass_bench.models.sizing import segment
from rass_bench.record import (
    RECORD_SCHEMA,
    DatasetFacts,
    ModelFacts,
    NotScored,
    RunRecord,
    Timing,
)

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""(what, total) to a context that yields ``advance``; see ``rass_bench.cli.progress``."""


@dataclass(frozen=True)
class RunRequest:
    """What a user asks for, defaults filled in by the command line.

    Attributes:
        model: reference of the model to measure (see ``rass_bench.models.catalog``).
        dataset: definition name, or a folder with a ``dataset.yaml``.
        data_root: where the files lie, or None to look in the usual places.
        split: the split, or None for the definition's first.
        protocol: ``dt``, ``r2s`` or ``restore``.
        restorer: reference of the restorer in front of the model, under R2S.
        metrics: metric ids; None takes every one of the protocol that needs no extra.
        limit: take only so many images, in the order of their ids.
        on_error: ``fail`` stops at the first bad image, ``skip`` counts and names it.
        seed: of the bootstrap.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads of the networks on a CPU.
    """

    model: str
    dataset: str = "scenes"
    data_root: str | None = None
    split: str | None = None
    protocol: str = "dt"
    restorer: str | None = None
    metrics: tuple[str, ...] | None = None
    limit: int | None = None
    on_error: str = "fail"
    seed: int = 0
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Resolved:
    """A request with everything opened and loaded that it names."""

    request: RunRequest
    protocol: Protocol
    dataset: Dataset
    samples: tuple[Sample, ...]
    metrics: tuple[str, ...]
    model: Segmenter | Restorer
    restorer: Restorer | None


def run(
    request: RunRequest,
    out: Path | None,
    *,
    resume: bool,
    arguments_given: dict[str, Any],
    progress: Progress,
) -> tuple[RunRecord, Path]:
    """Measure a model on a data set and leave a run folder with a record.

    Args:
        request: what to measure.
        out: the run's folder; None takes ``runs/<data set>/<model>/<protocol>``.
        resume: go on with a run that was interrupted.
        arguments_given: what the user typed, for the record.
        progress: draws progress bars.

    Returns:
        The record and the run's folder.

    Raises:
        UserError: something the user can mend; finished images are kept for ``resume``.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    resolved = resolve(request)
    folder = RunFolder(out or default_folder(resolved))
    folder.begin(_plan(resolved), resume=resume)

    done, failed = _predict_all(resolved, folder, progress)
    samples = [sample for sample in resolved.samples if sample.id in done]
    folder.save_index(done, "labels" if resolved.protocol.model_is == "segmenter" else "images")
    with progress("score", len(samples)) as advance:
        scores = score_predictions(
            folder,
            resolved.dataset,
            samples,
            resolved.metrics,
            scale=resolved.dataset.spec.scale,
            seed=request.seed,
            skip_errors=request.on_error == "skip",
            advance=advance,
        )
    if not scores.images:
        first = (*failed, *scores.not_scored)[0]
        raise UserError(
            "not one image could be scored", resolved.dataset.spec.key, f"{first.id}: {first.reason}"
        )
    seconds = {key: entry.seconds for key, entry in done.items()}
    save_per_image(folder.path / PER_IMAGE, scores, seconds)

    record = _record(resolved, folder, scores, failed, done, started, clock, arguments_given)
    record.save(folder.path)
    return record, folder.path


def resolve(request: RunRequest) -> Resolved:
    """Open and load everything a request names, and check that it fits together.

    Raises:
        UserError: unknown names, missing files, models and data of different label spaces.
    """
    protocol = find_protocol(request.protocol, request.restorer)
    dataset = open_dataset(request.dataset, request.data_root, request.split)
    if protocol.model_is == "segmenter" and dataset.spec.labels is None:
        raise UserError(
            f"{dataset.spec.name} has no labels to score a segmentation against",
            f"--protocol {protocol.name}",
            "Use --protocol restore, or a data set with annotations.",
        )
    samples = dataset.samples[: request.limit]
    metrics = _resolve_metrics(request, protocol, has_reference=samples[0].reference is not None)
    for metric in metrics:
        get_metric(metric)
    restorer = load_restorer(request.restorer, request.device) if request.restorer else None
    model: Segmenter | Restorer
    if protocol.model_is == "restorer":
        model = load_restorer(request.model, request.device)
    else:
        model = load_segmenter(request.model, request.device)
        if model.spec.label_space != dataset.spec.label_space:
            raise UserError(
                f"the model predicts {model.spec.label_space}, the data set is labelled in "
                f"{dataset.spec.label_space}",
                f"{request.model} on {dataset.spec.key}",
                "Choose a model trained on the data set's classes.",
            )
    return Resolved(request, protocol, dataset, samples, metrics, model, restorer)


def default_folder(resolved: Resolved) -> Path:
    """``runs/<data set@version>/<split>/<model@revision>/<protocol>``, below the working folder."""
    protocol = resolved.protocol.name
    if resolved.restorer is not None:
        protocol += f"-{_safe(resolved.restorer.spec.key)}"
    dataset = resolved.dataset
    model = _safe(resolved.model.spec.key)
    return Path("runs") / _safe(dataset.spec.key) / dataset.split.name / model / protocol


def _predict_all(
    resolved: Resolved, folder: RunFolder, progress: Progress
) -> tuple[dict[str, Done], list[NotScored]]:
    """Predict every sample that is not done yet; return what is done and what was left out."""
    done = folder.finished()
    failed: list[NotScored] = []
    warm = False
    with progress(resolved.model.spec.name, len(resolved.samples)) as advance:
        for sample in resolved.samples:
            if sample.id not in done:
                try:
                    _check_ground_truth(resolved, sample)
                    content, entry = _predict_one(resolved, sample, warm=warm)
                    folder.add(content, entry)
                    done[sample.id], warm = entry, True
                except UserError as error:
                    if resolved.request.on_error == "fail":
                        raise
                    failed.append(reason(error, sample.id))
            advance()
    wanted = {sample.id for sample in resolved.samples}
    return {key: entry for key, entry in done.items() if key in wanted}, failed


def _check_ground_truth(resolved: Resolved, sample: Sample) -> None:
    """Find a bad label or reference before the networks spend time on the photo."""
    if resolved.protocol.model_is == "segmenter":
        read_truth(resolved.dataset, sample)
    else:
        read_reference(sample, resolved.dataset.spec.scale)


def _predict_one(resolved: Resolved, sample: Sample, *, warm: bool) -> tuple[bytes, Done]:
    """Photo to stored prediction, under the protocol."""
    photo = read_image(sample.image)
    started = time.perf_counter()
    restored_sha256: str | None = None
    timed = warm
    if isinstance(resolved.model, Restorer):
        restored = restore_to_scale(resolved.model, photo, resolved.dataset.spec.scale)
        seconds = time.perf_counter() - started
        content = image_png(restored)
    else:
        if resolved.restorer is not None:
            photo, from_cache = restore_once(resolved.restorer, photo)
            restored_sha256, timed = pixels_sha256(photo), warm and not from_cache
        labels = segment(resolved.model, [photo])[0]
        seconds = time.perf_counter() - started
        content = label_png(labels)
    return content, Done(sample.id, sha256_bytes(content), seconds, timed, restored_sha256)


def _resolve_metrics(
    request: RunRequest, protocol: Protocol, *, has_reference: bool
) -> tuple[str, ...]:
    """The metrics asked for, or every one of the protocol that needs no extra."""
    families = protocol.families(has_reference=has_reference)
    if request.metrics is not None:
        for metric_id in request.metrics:
            family = get_metric(metric_id).info.family
            if family not in families:
                raise UserError(
                    f"{metric_id} is a {family} metric, which does not apply here",
                    f"--protocol {protocol.name}",
                    f"Metrics that apply are of the families {', '.join(families)}.",
                )
        return request.metrics
    metrics = tuple(
        metric.info.id
        for metric in all_metrics()
        if metric.info.family in families and metric.info.extra is None
    )
    if not metrics:
        raise UserError(
            "photos without ground truth need no-reference metrics, none of which is built in",
            f"--protocol {protocol.name}",
            "Name some, such as --metric piqe --metric niqe (pip install 'rass-bench[iqa]').",
        )
    return metrics


def _plan(resolved: Resolved) -> dict[str, Any]:
    """What decides the predictions: a resumed run must agree with every entry."""
    request = resolved.request
    return {
        "protocol": resolved.protocol.name,
        "model": resolved.model.spec.key,
        "model_weights_sha256": resolved.model.spec.weights_sha256,
        "restorer": resolved.restorer.spec.key if resolved.restorer else None,
        "dataset": resolved.dataset.spec.key,
        "split": resolved.dataset.split.name,
        "limit": request.limit,
        "seed": request.seed,
    }


def _record(
    resolved: Resolved,
    folder: RunFolder,
    scores: Scores,
    failed: list[NotScored],
    done: dict[str, Done],
    started: datetime,
    clock: float,
    arguments_given: dict[str, Any],
) -> RunRecord:
    request = resolved.request
    scored = {image.id for image in scores.images}
    not_scored = (*failed, *scores.not_scored)
    manifest = build_manifest(
        resolved.dataset, [sample for sample in resolved.samples if sample.id in scored]
    )
    reasons = _partial_because(resolved, not_scored)
    timed = [done[key].seconds for key in sorted(scored) if done[key].timed]
    return RunRecord(
        schema_version=RECORD_SCHEMA,
        status="partial" if reasons else "complete",
        partial_because=reasons,
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        protocol=resolved.protocol.name,
        arguments_given=arguments_given,
        arguments_resolved={
            **dataclasses.asdict(request),
            "split": resolved.dataset.split.name,
            "metrics": list(resolved.metrics),
        },
        dataset=DatasetFacts(
            name=resolved.dataset.spec.name,
            version=resolved.dataset.spec.version,
            split=resolved.dataset.split.name,
            defined_images=resolved.dataset.split.count,
            found_images=len(resolved.dataset.samples),
            manifest_sha256=manifest.sha256(),
            label_space=resolved.dataset.spec.label_space,
            licence=resolved.dataset.spec.licence,
        ),
        model=_model_facts(resolved.model),
        restorer=_model_facts(resolved.restorer) if resolved.restorer else None,
        metrics=scores.metrics,
        per_class=scores.per_class,
        scored=len(scored),
        not_scored=not_scored,
        timing=Timing(
            wall_seconds=time.monotonic() - clock,
            fps=1 / statistics.median(timed) if timed else None,
            timed_images=len(timed),
        ),
        environment=describe_environment(request.device, request.threads),
        files={name: sha256_file(folder.path / name) for name in (PREDICTIONS, PER_IMAGE)},
    )


def _partial_because(resolved: Resolved, not_scored: tuple[NotScored, ...]) -> tuple[str, ...]:
    dataset, limit = resolved.dataset, resolved.request.limit
    reasons = []
    if dataset.missing:
        reasons.append(
            f"the data root holds {len(dataset.samples)} of {dataset.split.count} images"
        )
    if limit is not None and limit < len(dataset.samples):
        reasons.append(f"--limit {limit} of {len(dataset.samples)} images")
    if not_scored:
        reasons.append(f"{len(not_scored)} images could not be scored")
    return tuple(reasons)


def _model_facts(model: Segmenter | Restorer) -> ModelFacts:
    spec, parameters = model.spec, model.parameters
    return ModelFacts(
        name=spec.name,
        revision=spec.revision,
        title=spec.title,
        licence=spec.licence,
        size_rule=dataclasses.asdict(spec.size_rule),
        scale=spec.scale,
        weights_url=spec.weights_url,
        weights_sha256=spec.weights_sha256,
        paper=spec.paper,
        parameters=parameters.total if parameters else None,
        trainable_parameters=parameters.trainable if parameters else None,
    )


def _safe(name: str) -> str:
    """A name as one folder name."""
    return re.sub(r"[^A-Za-z0-9._@-]+", "_", name)
