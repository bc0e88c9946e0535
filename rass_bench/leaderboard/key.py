"""What a number is of: two numbers with one key would be one measurement told twice."""

from __future__ import annotations

from dataclasses import dataclass

from rass_bench.leaderboard.reported import ReportedNumber
from rass_bench.record import ModelFacts, RunRecord

CONDITIONED = frozenset({"rass", "scr"})
"""Models that take a prompt and a latent; their revision says where both come from."""


@dataclass(frozen=True, order=True)
class RowKey:
    """The key of a row.

    Attributes:
        model: ``name@revision``; of a reported number the method as its source names it.
        protocol: ``dt``, ``r2s``, ``ft`` or ``restore``.
        restorer: ``name@revision`` of what restores first under R2S, else None.
        metric: id of the metric variant.
        metric_version: its version; None where a source states none.
        test_size: how a photo is brought to the model's size, in words; None where not stated.
        prompt_source: where RASS or SCR has its prompt from: the ``tagger`` of its revision, or
            ``as the weights say``. None for other models.
        latent: ``mode`` or ``sample``, for RASS and SCR. None for other models.
        source: paper or repository of a reported number; None of a measurement.
        column: table and column in it; None of a measurement.
    """

    model: str
    protocol: str
    restorer: str | None
    metric: str
    metric_version: str | None
    test_size: str | None
    prompt_source: str | None
    latent: str | None
    source: str | None
    column: str | None


def measured_key(record: RunRecord, metric: str) -> RowKey:
    """The key of one metric of a record."""
    prompt_source, latent = _conditions(record.model)
    return RowKey(
        model=record.model.key,
        protocol=record.protocol,
        restorer=record.restorer.key if record.restorer else None,
        metric=metric,
        metric_version=record.metrics[metric].version,
        test_size=_test_size(record),
        prompt_source=prompt_source,
        latent=latent,
        source=None,
        column=None,
    )


def reported_key(number: ReportedNumber) -> RowKey:
    """The key of a reported number: what its source leaves open is None."""
    return RowKey(
        model=number.label,
        protocol=number.protocol,
        restorer=number.restorer or None,
        metric=number.metric,
        metric_version=None,
        test_size=None,
        prompt_source=None,
        latent=None,
        source=number.source,
        column=number.column,
    )


def _conditions(model: ModelFacts) -> tuple[str | None, str | None]:
    """Prompt source and latent mode, which a revision states as ``+option=value``.

    A sampled latent puts its seed there, also where sampling is the weights' own choice
    (``rass_bench.models.rass.choices.revision_suffix``); without one it is the mode.
    """
    if model.name not in CONDITIONED:
        return None, None
    options = dict(part.split("=", 1) for part in model.revision.split("+") if "=" in part)
    latent = "sample" if "seed" in options else "mode"
    return options.get("tagger", "as the weights say"), latent


def _test_size(record: RunRecord) -> str:
    """The model's size rule in words, and under RESTORE how much larger the answer is."""
    rule = record.model.size_rule
    steps = []
    if rule.get("short_side") is not None:
        steps.append(f"short side {rule['short_side']}")
    if rule.get("max_long_side") is not None:
        steps.append(f"long side up to {rule['max_long_side']}")
    if rule.get("letterbox") is not None:
        steps.append(f"within a square of {rule['letterbox']}")
    if rule.get("square") is not None:
        steps.append(f"stretched to a square of {rule['square']}")
    if rule.get("multiple_of", 1) != 1:
        steps.append(f"padded to a multiple of {rule['multiple_of']}")
    if (upscale := record.arguments_resolved.get("upscale")) not in (None, 1):
        steps.append(f"answer {upscale} times the photo")
    return ", ".join(steps) or "the photo's own"
