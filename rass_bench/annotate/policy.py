"""The gates that annotations must pass: ``policy.yaml``, and the judgement of one photo by it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np

import rass_bench
from rass_bench.annotate.project import begin_command
from rass_bench.annotate.qa.duplicates import Duplicate
from rass_bench.annotate.qa.findings import Finding, Severity, Verdict, decide
from rass_bench.annotate.qa.measures import Measures, Pair, Single
from rass_bench.errors import UserError, suggest
from rass_bench.files import read_yaml
from rass_bench.labels import LabelSpace


class Consensus(StrEnum):
    """How several annotations become one."""

    MAJORITY = "majority"
    STAPLE = "staple"


@dataclass(frozen=True)
class Policy:
    """The entries of ``policy.yaml``, which says what each means. None switches a gate off."""

    min_annotators: int
    max_unlabelled: float | None
    max_ignored: float | None
    speck_share: float
    max_specks: int | None
    max_holes: int | None
    max_roughness: float | None
    min_seconds: float | None
    allow_untouched_prelabel: bool
    boundary_tolerance: float
    min_pixel_agreement: float | None
    min_kappa: float | None
    min_mean_iou: float | None
    min_boundary_f1: float | None
    min_alpha: float | None
    min_class_iou: float | None
    class_share: float
    suspicious_share: float | None
    consensus: Consensus


_WITHOUT_LIMIT = {"max_roughness", "min_seconds"}
"""Numbers that are no shares: anything from 0 on."""

_LARGEST = 1e9
"""Beyond it lies no gate but a slip of the keyboard."""


def default_policy_file() -> Path:
    """The shipped ``policy.yaml``: inside a wheel, or the checkout's ``annotation/``."""
    package = Path(rass_bench.__file__).parent
    shipped = package / "_annotation"
    folder = shipped if shipped.is_dir() else package.parent / "annotation"
    return folder / "policy.yaml"


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy; entries that it leaves out are those of the shipped one.

    Args:
        path: a ``policy.yaml``; None takes the shipped one.

    Raises:
        UserError: no such file, an unknown entry, or a value of the wrong kind.
    """
    entries = _read(default_policy_file())
    if path is not None:
        entries |= _read(path)
    return Policy(**entries)


def judge_all(
    measures: Sequence[Measures],
    policy: Policy,
    space: LabelSpace,
    duplicates: Iterable[Duplicate] = (),
) -> tuple[Verdict, ...]:
    """Decide what happens to each image of a set: pass, fix or adjudicate, and for what reasons.

    A measure that is undefined (no pixel labelled by both, one class only) exceeds no limit.

    Args:
        measures: what was measured of each image.
        policy: the gates.
        space: the classes, for their names.
        duplicates: the photos that repeat an earlier one.

    Returns:
        A verdict for each image, in the order of ``measures``.
    """
    originals = {one.sample: one for one in duplicates}
    suspicious = _least_plausible(measures, policy)
    return tuple(
        judge(one, policy, space, originals.get(one.sample), one.sample in suspicious)
        for one in measures
    )


def judge(
    measures: Measures,
    policy: Policy,
    space: LabelSpace,
    duplicate: Duplicate | None = None,
    suspicious: bool = False,
) -> Verdict:
    """Decide on one image, see :func:`judge_all`.

    Args:
        measures: what was measured of it.
        policy: the gates.
        space: the classes, for their names.
        duplicate: the photo that it repeats, or None.
        suspicious: whether a model finds its labels less plausible than those of most images.
    """
    findings = [*_judge_completeness(measures, policy)]
    for single in measures.singles:
        findings += _judge_single(measures.sample, single, policy)
    for pair in measures.pairs:
        findings += _judge_pair(measures.sample, pair, policy, space)
    findings += _judge_together(measures, policy)
    findings += _note(measures, duplicate, suspicious)
    return decide(measures.sample, findings)


def _least_plausible(measures: Sequence[Measures], policy: Policy) -> set[str]:
    """The samples of the lowest label quality, as many as the policy asks for."""
    if policy.suspicious_share is None:
        return set()
    scored = [(one.quality, one.sample) for one in measures if one.quality is not None]
    return {sample for _, sample in sorted(scored)[: round(policy.suspicious_share * len(scored))]}


def _judge_completeness(measures: Measures, policy: Policy) -> Iterator[Finding]:
    count = len(measures.singles)
    if count < policy.min_annotators:
        note = f"{count} of {policy.min_annotators} annotations are there"
        yield Finding(measures.sample, "annotators", count, Severity.FIX, note)


def _judge_single(sample: str, single: Single, policy: Policy) -> Iterator[Finding]:
    """One annotation by itself."""
    shape, who = single.shape, single.annotator

    def fix(check: str, value: float, note: str) -> Finding:
        return Finding(sample, check, value, Severity.FIX, note, who)

    if _above(shape.unlabelled, policy.max_unlabelled):
        note = (
            f"{shape.unlabelled:.1%} of the photo has no label (limit {policy.max_unlabelled:.1%})"
        )
        yield fix("unlabelled", shape.unlabelled, note)
    if _above(shape.ignored, policy.max_ignored):
        note = f"{shape.ignored:.1%} of the photo is ignored (limit {policy.max_ignored:.1%})"
        yield fix("ignored", shape.ignored, note)
    if _above(shape.specks, policy.max_specks):
        yield fix("specks", shape.specks, f"{shape.specks} specks (limit {policy.max_specks})")
    if _above(shape.holes, policy.max_holes):
        yield fix("holes", shape.holes, f"{shape.holes} holes (limit {policy.max_holes})")
    if shape.roughness is not None and _above(shape.roughness, policy.max_roughness):
        note = f"outlines of roughness {shape.roughness:.3f} (limit {policy.max_roughness:.3f})"
        yield fix("roughness", shape.roughness, note)
    if single.seconds is not None and _below(single.seconds, policy.min_seconds):
        note = f"drawn in {single.seconds:.0f} s (at least {policy.min_seconds:.0f} s)"
        yield fix("seconds", single.seconds, note)
    if single.untouched and not policy.allow_untouched_prelabel:
        yield fix("untouched", 1, "the model's pre-annotation was handed in without a change")


_PAIR_GATES = {
    "pixel_agreement": "pixel agreement",
    "kappa": "Cohen's kappa",
    "mean_iou": "mean IoU",
    "boundary_f1": "boundary F1",
}
"""Measures of a pair with a gate ``min_<name>`` each, and what to call them."""


def _judge_pair(sample: str, pair: Pair, policy: Policy, space: LabelSpace) -> Iterator[Finding]:
    """Two annotations against each other."""
    between = f"between {pair.first} and {pair.second}"
    for name, title in _PAIR_GATES.items():
        value, limit = getattr(pair.agreement, name), getattr(policy, f"min_{name}")
        if value is not None and _below(value, limit):
            note = f"{title} {value:.3f} {between} (at least {limit:.3f})"
            check = name.replace("_", "-")
            yield Finding(sample, check, value, Severity.ADJUDICATE, note)
    share = _class_shares(pair, space.size)
    for class_id in np.flatnonzero(share >= policy.class_share):
        value = float(pair.agreement.class_iou[class_id])
        if not math.isnan(value) and _below(value, policy.min_class_iou):
            name = space.names[class_id]
            note = f"IoU of {name} {value:.3f} {between} (at least {policy.min_class_iou:.3f})"
            yield Finding(sample, f"class-iou/{name}", value, Severity.ADJUDICATE, note)


def _class_shares(pair: Pair, classes: int) -> Any:
    """The larger of both annotators' shares of the pixels, by class, float64 (K,)."""
    table = np.zeros((classes + 1, classes + 1))
    pair.agreement.joint.add_to(table)
    larger = np.maximum(table.sum(axis=0), table.sum(axis=1))[:classes]
    return larger / max(1.0, table.sum())


def _judge_together(measures: Measures, policy: Policy) -> Iterator[Finding]:
    """All annotations together."""
    alpha = measures.alpha
    if alpha is not None and _below(alpha, policy.min_alpha):
        note = f"Krippendorff's alpha {alpha:.3f} (at least {policy.min_alpha:.3f})"
        yield Finding(measures.sample, "alpha", alpha, Severity.ADJUDICATE, note)


def _note(measures: Measures, duplicate: Duplicate | None, suspicious: bool) -> Iterator[Finding]:
    """What is worth a look and changes no decision."""
    if suspicious:
        note = (
            f"label quality {measures.quality:.3f} against the model, among the lowest of the set"
        )
        yield Finding(measures.sample, "label-quality", measures.quality, Severity.NOTE, note)
    if duplicate is not None:
        kind = "repeats every pixel of" if duplicate.exact else "looks the same as"
        note = f"the photo {kind} {duplicate.original}"
        check = "duplicate" if duplicate.exact else "near-duplicate"
        yield Finding(measures.sample, check, duplicate.likeness, Severity.NOTE, note)


def _above(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit


def _below(value: float, limit: float | None) -> bool:
    return limit is not None and value < limit


def _read(path: Path) -> dict[str, Any]:
    """The entries of a file, each checked.

    Raises:
        UserError: see :func:`load_policy`.
    """
    try:
        raw = read_yaml(path)
    except FileNotFoundError:
        raise UserError(
            "no policy there",
            str(path),
            "Name a file that is there with --policy. Where it is the project's own, have it "
            f"written anew: {begin_command(path.parent)}",
        ) from None
    kinds = {field.name: str(field.type) for field in fields(Policy)}
    for key in raw:
        if key not in kinds:
            raise UserError(f"unknown entry {key!r}", str(path), suggest(str(key), kinds))
    return {key: _check(key, kinds[key], value, path) for key, value in raw.items()}


def _check(key: str, kind: str, value: object, path: Path) -> object:
    """A value, if it is one that the entry may have."""
    if value is None and "None" in kind:
        return None
    if kind == "Consensus" and value in list(Consensus):
        return Consensus(str(value))
    if kind == "bool" and isinstance(value, bool):
        return value
    highest = _LARGEST if key in _WITHOUT_LIMIT or kind.startswith("int") else 1
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= highest:
        if kind.startswith("float"):
            return float(value)
        if kind.startswith("int") and isinstance(value, int):
            return value
    is_endless = isinstance(value, int) and abs(value) > _LARGEST  # Python may not print it
    shown = f"beyond {_LARGEST:.0e}" if is_endless else short_repr(value)
    raise UserError(f"{key} cannot be {shown}", str(path), _describe(key, kind))


def _describe(key: str, kind: str) -> str:
    """What an entry may be, in words."""
    if kind == "Consensus":
        return f"Write {' or '.join(Consensus)}."
    if kind == "bool":
        return "Write true or false."
    number = "a whole number from 0 on" if kind.startswith("int") else "a number from 0 to 1"
    if key in _WITHOUT_LIMIT:
        number = "a number from 0 on"
    return f"Write {number}{', or null to switch the gate off' if 'None' in kind else ''}."
