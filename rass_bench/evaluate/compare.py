"""Which numbers of several runs may stand side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rass_bench.errors import UserError, suggest
from rass_bench.record import RunRecord

HEADLINE = ("miou/gt-present", "miou/union", "aacc", "psnr/y601", "ssim/y601-rounded")
"""The metrics that a table shows when the user names none."""


def columns(records: Sequence[RunRecord], wanted: Sequence[str] | None) -> list[str]:
    """The metrics to show: those wanted, or the main ones.

    Raises:
        UserError: no run has a metric that is wanted, or the runs share none.
    """
    known = {name for record in records for name in record.metrics}
    for name in wanted or ():
        if name not in known:
            raise UserError(f"no run has {name!r}", "--metric", suggest(name, known))
    return list(wanted) if wanted else headline_metrics(records)


def headline_metrics(records: Sequence[RunRecord]) -> list[str]:
    """The main metrics that every run has, or all that they share when there is no main one.

    Raises:
        UserError: they share none.
    """
    shared = [name for name in records[0].metrics if all(name in one.metrics for one in records)]
    if not shared:
        raise UserError(
            "the runs share no metric",
            "compare",
            "Compare runs of one protocol, or name the columns with --metric.",
        )
    return [name for name in HEADLINE if name in shared] or shared


def why_not_comparable(records: Sequence[RunRecord]) -> list[str]:
    """Reasons, in words, why numbers of these runs are no ranking; empty when they are one.

    Different photos of one split (clean and degraded, say) are what a comparison is for; different
    splits, classes, image counts or metric versions are not.
    """
    reasons = []
    splits = {record.dataset.split for record in records}
    if len(splits) > 1:
        reasons.append(f"different splits: {', '.join(sorted(splits))}")
    spaces = {record.dataset.label_space or "none" for record in records}
    if len(spaces) > 1:
        reasons.append(f"different classes: {', '.join(sorted(spaces))}")
    counts = {record.scored for record in records}
    if len(counts) > 1:
        reasons.append(f"different numbers of images: {', '.join(map(str, sorted(counts)))}")
    names = {name for record in records for name in record.metrics}
    for name in sorted(names):
        versions = {one.metrics[name].version for one in records if name in one.metrics}
        if len(versions) > 1:
            reasons.append(f"{name} in versions {', '.join(sorted(versions))}")
    return reasons
