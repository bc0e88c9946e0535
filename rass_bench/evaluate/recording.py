"""Putting a run's record together."""

from __future__ import annotations

import dataclasses
import statistics
from datetime import UTC, datetime
from typing import Any

from rass_bench.data.dataset import Dataset, build_manifest
from rass_bench.data.manifest import Manifest
from rass_bench.evaluate.environment import describe_environment
from rass_bench.evaluate.folder import PER_IMAGE, PREDICTIONS, Done, RunFolder
from rass_bench.evaluate.resolve import Resolved
from rass_bench.evaluate.score import Scores
from rass_bench.files import sha256_file
from rass_bench.models.protocols import Restorer, Segmenter
from rass_bench.record import (
    RECORD_SCHEMA,
    DatasetFacts,
    ModelFacts,
    NotScored,
    RunRecord,
    Timing,
)


def make_record(
    resolved: Resolved,
    folder: RunFolder,
    scores: Scores,
    *,
    failed: list[NotScored],
    done: dict[str, Done],
    started: datetime,
    wall_seconds: float,
    arguments_given: dict[str, Any],
) -> RunRecord:
    """Put together the record of a run whose predictions and scores are written.

    Args:
        resolved: what was run.
        folder: the run's folder, with ``predictions.json`` and ``per_image.parquet``.
        scores: what the predictions score.
        failed: images that could not be predicted.
        done: finished images by id.
        started: when the run began.
        wall_seconds: how long this process took.
        arguments_given: what the user typed.
    """
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
            "options": list(request.options),
            "restorer_options": list(request.restorer_options),
            "upscale": resolved.scale if resolved.protocol.model_is == "restorer" else None,
            "metrics": list(resolved.metrics),
        },
        dataset=dataset_facts(resolved.dataset, manifest),
        model=model_facts(resolved.model),
        restorer=model_facts(resolved.restorer) if resolved.restorer else None,
        metrics=scores.metrics,
        per_class=scores.per_class,
        scored=len(scored),
        not_scored=not_scored,
        timing=Timing(
            wall_seconds=wall_seconds,
            fps=1 / statistics.median(timed) if timed else None,
            timed_images=len(timed),
        ),
        environment=describe_environment(request.device, request.threads),
        files={name: sha256_file(folder.path / name) for name in (PREDICTIONS, PER_IMAGE)},
    )


def dataset_facts(dataset: Dataset, manifest: Manifest) -> DatasetFacts:
    """What a record says of the data.

    Args:
        dataset: the data set.
        manifest: of the images that were scored.
    """
    return DatasetFacts(
        name=dataset.spec.name,
        version=dataset.spec.version,
        split=dataset.split.name,
        defined_images=dataset.split.count,
        found_images=len(dataset.samples),
        manifest_sha256=manifest.sha256(),
        label_space=dataset.spec.label_space,
        licence=dataset.spec.licence,
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


def model_facts(model: Segmenter | Restorer) -> ModelFacts:
    """What a record says of a loaded model."""
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
