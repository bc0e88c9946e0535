"""The main flow: resolve, restore, predict, score, record. Read it from top to bottom."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import rass_bench
from rass_bench.data.manifest import Sample
from rass_bench.data.reading import classes_present, read_reference, read_truth
from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PER_IMAGE, Done, RunFolder, reason
from rass_bench.evaluate.prelabelled import prelabel_warning
from rass_bench.evaluate.recording import make_record
from rass_bench.evaluate.resolve import Resolved, RunRequest, resolve
from rass_bench.evaluate.restored import pixels_sha256, restore_once, restore_to_scale
from rass_bench.evaluate.score import save_per_image, score_predictions
from rass_bench.files import sha256_bytes, sha256_file
from rass_bench.images import image_png, label_png, read_image
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import ImageMetric
from rass_bench.models.protocols import Restorer
from rass_bench.models.sizing import segment
from rass_bench.record import NotScored, RunRecord

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""(what, total) to a context that yields ``advance``; see ``rass_bench.cli.progress``."""


def run(
    request: RunRequest,
    out: Path | None,
    *,
    resume: bool,
    arguments_given: dict[str, Any],
    progress: Progress,
    warn: Callable[[str], None] = lambda _: None,
) -> tuple[RunRecord, Path]:
    """Measure a model on a data set and leave a run folder with a record.

    Args:
        request: what to measure.
        out: the run's folder; None takes ``runs/<data set>/<model>/<protocol>``.
        resume: go on with a run that was interrupted.
        arguments_given: what the user typed, for the record.
        progress: draws progress bars.
        warn: told in a sentence what the scores must be read with.

    Returns:
        The record and the run's folder.

    Raises:
        UserError: something the user can mend; finished images are kept for ``resume``.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    resolved = resolve(request)
    _check_metrics(resolved)
    folder = RunFolder(out or default_folder(resolved))
    if (warning := prelabel_warning(resolved)) is not None:
        warn(warning)
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
            scale=resolved.scale,
            seed=request.seed,
            skip_errors=request.on_error == "skip",
            advance=advance,
        )
    if not scores.images:
        first = (*failed, *scores.not_scored)[0]
        raise UserError(
            "not one image could be scored",
            resolved.dataset.spec.key,
            f"{first.id}: {first.reason}",
        )
    seconds = {key: entry.seconds for key, entry in done.items()}
    save_per_image(folder.path / PER_IMAGE, scores, seconds)

    record = make_record(
        resolved,
        folder,
        scores,
        failed=failed,
        done=done,
        started=started,
        wall_seconds=time.monotonic() - clock,
        arguments_given=arguments_given,
    )
    record.save(folder.path)
    return record, folder.path


def default_folder(resolved: Resolved) -> Path:
    """``runs/<data set@version>/<split>/<model@revision>/<protocol>``, below the working folder."""
    protocol = resolved.protocol.name
    if resolved.restorer is not None:
        protocol += f"-{_safe(resolved.restorer.spec.key)}"
    dataset = resolved.dataset
    model = _safe(resolved.model.spec.key)
    return Path("runs") / _safe(dataset.spec.key) / dataset.split.name / model / protocol


def _check_metrics(resolved: Resolved) -> None:
    """Before hours of restoring: a metric whose package or weights are absent scores nothing."""
    for metric in map(get_metric, resolved.metrics):
        if isinstance(metric, ImageMetric):
            metric.check_installed()


def _predict_all(
    resolved: Resolved, folder: RunFolder, progress: Progress
) -> tuple[dict[str, Done], list[NotScored]]:
    """Predict every sample that is not done yet; return what is done and what was left out."""
    done = folder.finished()
    failed: list[NotScored] = []
    warm = False
    with progress(resolved.model.spec.name, len(resolved.samples)) as advance:
        for sample in resolved.samples:
            if not _is_done(done, sample):
                try:
                    _check_ground_truth(resolved, sample)
                    content, entry = predict_one(resolved, sample, warm=warm)
                    folder.add(content, entry)
                    done[sample.id], warm = entry, True
                except UserError as error:
                    if resolved.request.on_error == "fail":
                        raise
                    failed.append(reason(error, sample.id))
                    done.pop(sample.id, None)
            advance()
    wanted = {sample.id for sample in resolved.samples}
    return {key: entry for key, entry in done.items() if key in wanted}, failed


def _is_done(done: dict[str, Done], sample: Sample) -> bool:
    """Whether the sample was predicted, from the very file that lies there now."""
    if sample.id not in done or not sample.image.is_file():
        return False
    return done[sample.id].image_sha256 == sha256_file(sample.image)


def _check_ground_truth(resolved: Resolved, sample: Sample) -> None:
    """Find a bad label or reference before the networks spend time on the photo."""
    if resolved.protocol.model_is == "segmenter":
        read_truth(resolved.dataset, sample)
    else:
        read_reference(sample, resolved.dataset.spec.scale)


def predict_one(
    resolved: Resolved, sample: Sample, *, warm: bool, use_cache: bool = True
) -> tuple[bytes, Done]:
    """Photo to stored prediction, under the protocol.

    Args:
        resolved: what is run.
        sample: the photo.
        warm: whether an earlier photo went through the networks, so that this one's time counts.
        use_cache: take a photo that was restored earlier, under R2S, from the cache.

    Returns:
        The prediction as the bytes of a PNG, and its line of the journal.

    Raises:
        UserError: the photo cannot be read, or the model's answer breaks its contract.
    """
    photo, image_sha256 = read_image(sample.image), sha256_file(sample.image)
    started = time.perf_counter()
    restored_sha256: str | None = None
    timed = warm
    if isinstance(resolved.model, Restorer):
        restored = restore_to_scale(resolved.model, photo, resolved.scale)
        seconds = time.perf_counter() - started
        content = image_png(restored)
    else:
        if resolved.restorer is not None:
            if use_cache:
                photo, from_cache = restore_once(resolved.restorer, photo)
            else:
                photo, from_cache = restore_to_scale(resolved.restorer, photo, scale=1), False
            restored_sha256, timed = pixels_sha256(photo), warm and not from_cache
        labels = segment(resolved.model, [photo], _told(resolved, sample))[0]
        seconds = time.perf_counter() - started
        content = label_png(labels)
    return content, Done(
        sample.id, image_sha256, sha256_bytes(content), seconds, timed, restored_sha256
    )


def _told(resolved: Resolved, sample: Sample) -> list[tuple[str, ...]] | None:
    """The classes in the ground truth, for a model that is to be told them."""
    if not resolved.model.spec.told_classes:
        return None
    return [classes_present(resolved.dataset, sample)]


def _plan(resolved: Resolved) -> dict[str, Any]:
    """What decides the predictions: a resumed run must agree with every entry."""
    request = resolved.request
    return {
        "rass_bench": rass_bench.__version__,
        "protocol": resolved.protocol.name,
        "model": resolved.model.spec.key,
        "model_weights_sha256": resolved.model.spec.weights_sha256,
        "restorer": resolved.restorer.spec.key if resolved.restorer else None,
        "dataset": resolved.dataset.spec.key,
        "split": resolved.dataset.split.name,
        "limit": request.limit,
        "seed": request.seed,
        # Left out where nothing was asked for, so that older runs can still be resumed.
        **({} if request.upscale is None else {"upscale": request.upscale}),
    }


def _safe(name: str) -> str:
    """A name as one folder name."""
    return re.sub(r"[^A-Za-z0-9._@-]+", "_", name)
