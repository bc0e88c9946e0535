"""Some or all of a run's images through its models again, beside the stored predictions."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.evaluate.folder import Done, RunFolder
from rass_bench.evaluate.recording import model_facts
from rass_bench.evaluate.rescore import TOLERANCE
from rass_bench.evaluate.resolve import Resolved, RunRequest
from rass_bench.evaluate.run import Progress, predict_one
from rass_bench.evaluate.score import read_prediction, score_predictions
from rass_bench.files import write_bytes
from rass_bench.metrics.image_quality import psnr_rgb
from rass_bench.randomness import generator
from rass_bench.record import ModelFacts, RunRecord
from rass_bench.verify.numbers import close
from rass_bench.verify.stored import StoredRun
from rass_bench.verify.tolerance import Tolerance
from rass_bench.verify.verdict import Check, equal, no_faults

_COMPARED = (
    "name",
    "revision",
    "licence",
    "size_rule",
    "scale",
    "weights_sha256",
    "parameters",
    "trainable_parameters",
)
"""What must be as the record says of a model; the rest is words and addresses."""


@dataclass(frozen=True)
class Here:
    """Where what a record names lies on this machine; None takes the record's word.

    Attributes:
        data_root: the data.
        model: reference of the model (see ``rass_bench.models.catalog``).
        weights: its weights.
        restorer: reference of the restorer.
        restorer_weights: its weights.
        device: where to run the models.
    """

    data_root: str | None = None
    model: str | None = None
    weights: str | None = None
    restorer: str | None = None
    restorer_weights: str | None = None
    device: str | None = None


def locate_models(request: RunRequest, here: Here) -> RunRequest:
    """The request of a run, for its models where they lie here.

    Raises:
        UserError: the record names a plug-in file, which is code: nobody runs a stranger's record's
            choice of it unasked.
    """
    for option, told, recorded in (
        ("--model", here.model, request.model),
        ("--restorer", here.restorer, request.restorer),
    ):
        if told is None and recorded is not None and recorded.rpartition(":")[0].endswith(".py"):
            raise UserError(
                "the record names a plug-in file, whose code would be run",
                recorded,
                f"Look at your copy of it, then name it: {option} path/to/file.py:ClassName.",
            )
    told_here = {
        field.name: getattr(here, field.name)
        for field in dataclasses.fields(Here)
        if field.name != "data_root" and getattr(here, field.name) is not None
    }
    return dataclasses.replace(request, **told_here)


def draw_samples(ids: tuple[str, ...], count: int, seed: int, record_sha256: str) -> list[str]:
    """Draw images to run again: equal seeds draw equal images of one record.

    Args:
        ids: all images.
        count: how many; all where there are fewer.
        seed: the reviewer's, which the run's author could not know.
        record_sha256: hash of the record.
    """
    random = generator(seed, record_sha256, "verify")
    chosen = random.choice(len(ids), size=min(count, len(ids)), replace=False)
    return sorted(ids[index] for index in chosen)


def check_models(record: RunRecord, resolved: Resolved) -> list[Check]:
    """Whether the loaded models are those of the record, weights and parameters included."""
    pairs = [("model", record.model, model_facts(resolved.model))]
    if record.restorer is not None and resolved.restorer is not None:
        pairs.append(("restorer", record.restorer, model_facts(resolved.restorer)))
    return [
        no_faults(f"{what} {then.key}", "the record's", _which_differ(then, now))
        for what, then, now in pairs
    ]


def _which_differ(then: ModelFacts, now: ModelFacts) -> list[str]:
    pairs = {name: (getattr(then, name), getattr(now, name)) for name in _COMPARED}
    # A record has lists where a size rule has tuples.
    rules = [json.dumps(rule, sort_keys=True) for rule in (then.size_rule, now.size_rule)]
    pairs["size_rule"] = (rules[0], rules[1])
    return [
        f"{name} is {found}, in the record {expected}"
        for name, (expected, found) in pairs.items()
        if expected != found
    ]


def check_predictions_again(
    run: StoredRun,
    resolved: Resolved,
    ids: list[str],
    allowed: Tolerance,
    progress: Progress,
) -> list[Check]:
    """Run images through the models again and compare with the stored predictions.

    Where they are all of the run's, the record's numbers are computed from the new predictions,
    too.

    Args:
        run: a run whose integrity holds, with its predictions.
        resolved: data and models, as the run's.
        ids: the images.
        allowed: how far predictions may be apart.
        progress: draws progress bars.

    Raises:
        UserError: a photo or model that cannot be used.
    """
    wanted = set(ids)
    chosen = [sample for sample in resolved.samples if sample.id in wanted]
    stored = RunFolder(run.folder)
    with tempfile.TemporaryDirectory(prefix="rass-bench-") as folder:
        again = RunFolder(Path(folder))
        agreements = []
        with progress("run again", len(chosen)) as advance:
            for sample in chosen:
                content, done = predict_one(resolved, sample, warm=True, use_cache=False)
                write_bytes(again.prediction(sample.id), content)
                before = read_prediction(stored.prediction(sample.id))
                agreements.append(
                    _compare(run.journal.get(sample.id), done, before, _decode(content))
                )
                advance()
        checks = [_check_agreement(agreements, allowed)]
        if run.table is not None and len(chosen) == len(run.table.ids):
            checks += _check_numbers_again(run.record, resolved, again, allowed)
    return checks


@dataclass(frozen=True)
class _Agreement:
    """How near a new prediction is to the stored one.

    Attributes:
        id: the image.
        labels: share of equal pixels.
        pixels: how many there are.
        psnr: of a restored image, in dB; None for label maps, and where the sizes differ.
        same_restored: whether the photo that was segmented under R2S has the same pixels; None
            where the run does not say.
    """

    id: str
    labels: float
    pixels: int
    psnr: float | None
    same_restored: bool | None


def _decode(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def _compare(
    then: Done | None, now: Done, before: NDArray[np.uint8], after: NDArray[np.uint8]
) -> _Agreement:
    known = then is not None and then.restored_sha256 is not None
    same_restored = then.restored_sha256 == now.restored_sha256 if then and known else None
    if before.shape != after.shape:
        return _Agreement(now.id, 0.0, before.size, None, same_restored)
    is_image = before.ndim == 3
    is_equal = (before == after).all(axis=2) if is_image else before == after
    return _Agreement(
        now.id,
        float(is_equal.mean()),
        is_equal.size,
        psnr_rgb(after, before) if is_image else None,
        same_restored,
    )


def _check_agreement(agreements: list[_Agreement], allowed: Tolerance) -> Check:
    """The images that are not as near as they must be, and the worst of all."""
    faults = []
    for one in agreements:
        if allowed.is_exact and one.same_restored is False:
            faults.append(f"{one.id}: the restored photo differs")
        if not _is_near(one, allowed):
            faults.append(f"{one.id}: {_show(one)}")
    worst = min(agreements, key=lambda one: one.labels)
    expected = "every pixel equal"
    if not allowed.is_exact:
        is_image = worst.psnr is not None
        expected = (
            f"at least {allowed.psnr:.1f} dB of each image"
            if is_image
            else f"at least {100 * allowed.labels:.4f} % of each image's pixels equal"
        )
    same = sum(one.labels == 1 for one in agreements)
    found = f"{same} of {len(agreements)} equal"
    if worst.labels < 1:
        found += f"; worst {worst.id}: {_show(worst)}"
    named = no_faults("", "", faults).note
    note = f"{allowed.why}; {named}" if named else allowed.why
    return Check(f"{len(agreements)} images, run again", not faults, expected, found, note)


def _is_near(one: _Agreement, allowed: Tolerance) -> bool:
    if allowed.is_exact:
        return one.labels == 1
    if one.psnr is not None:
        return one.psnr >= allowed.psnr
    return (1 - one.labels) * one.pixels <= max(1, (1 - allowed.labels) * one.pixels)


def _show(one: _Agreement) -> str:
    if one.psnr is not None:
        return f"{one.psnr:.1f} dB, {100 * one.labels:.4f} % of the pixels equal"
    return f"{100 * one.labels:.4f} % of the pixels equal"


def _check_numbers_again(
    record: RunRecord, resolved: Resolved, again: RunFolder, allowed: Tolerance
) -> list[Check]:
    """The record's numbers from the new predictions: equal, or inside the record's intervals."""
    scores = score_predictions(
        again,
        resolved.dataset,
        [sample for sample in resolved.samples if again.prediction(sample.id).is_file()],
        list(record.metrics),
        scale=resolved.scale,
        seed=resolved.request.seed,
        skip_errors=False,
        advance=lambda: None,
    )
    checks = []
    for name, recorded in record.metrics.items():
        value = scores.metrics[name].value
        title = f"{name}, run again"
        if allowed.is_exact or recorded.value is None or recorded.ci95 is None or value is None:
            check = equal(title, recorded.value, value)
            holds = close(recorded.value, value, TOLERANCE)
            checks.append(dataclasses.replace(check, holds=holds))
            continue
        low, high = recorded.ci95
        expected = f"{recorded.value:.10g}, or inside {low:.10g} to {high:.10g}"
        checks.append(Check(title, low <= value <= high, expected, f"{value:.10g}"))
    return checks
