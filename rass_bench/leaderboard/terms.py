"""What measurements must share to stand in one ranking, and why one does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rass_bench.leaderboard.board import Measurement
from rass_bench.leaderboard.key import measured_key
from rass_bench.leaderboard.table import Images
from rass_bench.record import MetricValue, RunRecord


@dataclass(frozen=True)
class Terms:
    """What a board's measurements share.

    Attributes:
        dataset: ``name@version``.
        images: the images, or None without a complete measurement.
        metrics: by id, a number whose version, direction and provenance others must have.
    """

    dataset: str
    images: Images | None
    metrics: dict[str, MetricValue]


def terms_of(dataset: str, measurements: Sequence[Measurement]) -> Terms:
    """What the first complete measurements of a board set for those that follow.

    Args:
        dataset: ``name@version`` of the board's data set.
        measurements: the board's.
    """
    complete = [
        one.record
        for one in sorted(measurements, key=lambda one: (one.record.finished, one.name))
        if one.record.status == "complete" and dataset_of(one.record) == dataset
    ]
    metrics: dict[str, MetricValue] = {}
    for record in complete:
        metrics = record.metrics | metrics
    if not complete:
        return Terms(dataset, None, metrics)
    first = complete[0]
    upscales = [_upscale(record) for record in complete]
    images = Images(
        split=first.dataset.split,
        label_space=first.dataset.label_space,
        scored=first.scored,
        manifest_sha256=first.dataset.manifest_sha256,
        upscale=next((scale for scale in upscales if scale is not None), None),
    )
    return Terms(dataset, images, metrics)


def why_other_terms(record: RunRecord, terms: Terms) -> str | None:
    """Why a complete record's numbers may not stand on a board at all, in words; None if they may.

    Other images of the data set, another split or set of classes, another version of a metric or
    of what it is computed with: any of these begins another version of the board.
    """
    images = terms.images
    if dataset_of(record) != terms.dataset:
        return f"other photos: {dataset_of(record)}"
    if images is not None:
        if record.dataset.split != images.split:
            return f"the split {record.dataset.split}, not {images.split}"
        if record.dataset.label_space != images.label_space:
            return f"labelled in {record.dataset.label_space}, not in {images.label_space}"
        if record.dataset.manifest_sha256 != images.manifest_sha256:
            return (
                f"other files (manifest {record.dataset.manifest_sha256[:12]}, the board's is "
                f"{images.manifest_sha256[:12]})"
            )
        if None not in (_upscale(record), images.upscale) and _upscale(record) != images.upscale:
            return f"restored to {_upscale(record)} times the side, not {images.upscale} times"
    reasons = (why_other_metric(name, value, terms) for name, value in record.metrics.items())
    return next((reason for reason in reasons if reason is not None), None)


def why_other_metric(name: str, value: MetricValue, terms: Terms) -> str | None:
    """Why a number is not of the metric that the board has under this name; None where it is."""
    first = terms.metrics.get(name)
    if first is None:
        return None
    if value.version != first.version:
        return f"{name} in version {value.version}, the board's is {first.version}"
    if value.higher_is_better != first.higher_is_better:
        return f"{name} in the other direction than the board's"
    for part in sorted(value.provenance.keys() | first.provenance.keys()):
        own, other = value.provenance.get(part), first.provenance.get(part)
        if own != other:
            return f"{name} computed with {part} {_short(own)}, the board's with {_short(other)}"
    return None


def why_apart(measurement: Measurement, metric: str, terms: Terms) -> str | None:
    """Why one number of a measurement stands in no ranking, in words; None where it does."""
    record = measurement.record
    if dataset_of(record) != terms.dataset:
        return f"other photos: {dataset_of(record)}"
    if record.status != "complete":
        return f"partial: {'; '.join(record.partial_because)}"
    other = why_other_terms(record, Terms(terms.dataset, terms.images, {}))
    other = other or why_other_metric(metric, record.metrics[metric], terms)
    if other is not None:
        return other
    if measured_key(record, metric).prompt_source == "labels":
        return "told the classes of the ground truth: an upper bound"
    verdict = measurement.standing_verdict
    if verdict is not None and not verdict.holds:
        return f"its check ({verdict.level}) did not hold"
    return "undefined on these images" if record.metrics[metric].value is None else None


def dataset_of(record: RunRecord) -> str:
    """``name@version`` of a record's data set."""
    return f"{record.dataset.name}@{record.dataset.version}"


def _upscale(record: RunRecord) -> int | None:
    scale = record.arguments_resolved.get("upscale")
    return scale if isinstance(scale, int) else None


def _short(text: str | None) -> str:
    return "none" if text is None else text[:12]
