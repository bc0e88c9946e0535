"""Whether two measured numbers surely differ.

They do where their 95 % intervals over images do not overlap. Where these overlap, and both runs
kept what they counted on each image, and the images are the same, the 95 % interval of their paired
difference decides: it must lie on one side of zero. Overlap alone proves nothing, intervals that
overlap may be of values that differ (Schenker and Gentleman, The American Statistician 55, 2001);
the reverse is safe: the standard error of a difference is at most the sum of the two standard
errors, so intervals that keep clear of each other leave the difference's clear of zero.
"""

from __future__ import annotations

from rass_bench.evaluate.paired import record_difference
from rass_bench.leaderboard.board import Measurement
from rass_bench.metrics.catalog import all_metrics


def surely_differ(one: Measurement, other: Measurement, metric: str) -> bool:
    """Whether two records' values of a metric, which both have, are told apart."""
    first, second = one.record.metrics[metric], other.record.metrics[metric]
    if first.ci95 is None or second.ci95 is None:
        return False
    if first.ci95[1] < second.ci95[0] or second.ci95[1] < first.ci95[0]:
        return True
    if _computes(metric, first.version) and _computes(metric, second.version):
        difference = record_difference(
            (one.record, one.folder), (other.record, other.folder), metric
        )
        if difference.value is not None and difference.ci95 is not None:
            low, high = difference.ci95
            return low > 0 if difference.value > 0 else high < 0
    return False


def _computes(metric: str, version: str) -> bool:
    """Whether this package resamples that version of the metric; old boards may hold others."""
    return any(known.info.id == metric and known.info.version == version for known in all_metrics())
