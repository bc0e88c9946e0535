"""What is now as it was when a record was written, and what is not."""

from __future__ import annotations

from rass_bench.record import DatasetFacts, Environment, ModelFacts, RunRecord
from rass_bench.verify.verdict import Difference, Part


def find_differences(
    record: RunRecord,
    now: Environment,
    data: DatasetFacts | None,
    models: tuple[ModelFacts, ...] | None,
) -> tuple[Difference, ...]:
    """Compare code, data, weights and environment with those of a record.

    Args:
        record: the record.
        now: this environment.
        data: the data as they lie here; None where nobody looked.
        models: model and restorer as they were loaded here; None where nobody looked.
    """
    return (
        _code(record.environment, now),
        _data(record.dataset, data),
        _weights(tuple(one for one in (record.model, record.restorer) if one), models),
        _environment(record.environment, now),
    )


def _code(then: Environment, now: Environment) -> Difference:
    commits = then.git_commit, now.git_commit
    changed = then.git_dirty or now.git_dirty
    known = None not in commits
    differs = then.rass_bench != now.rass_bench or (
        known and (commits[0] != commits[1] or bool(changed))
    )
    return Difference(Part.CODE, differs, f"{_describe(then)} then, {_describe(now)} now")


def _describe(environment: Environment) -> str:
    words = f"rass-bench {environment.rass_bench}"
    if environment.git_commit is None:
        return f"{words} of no known commit"
    changes = " with uncommitted changes" if environment.git_dirty else ""
    return f"{words} at {environment.git_commit[:12]}{changes}"


def _data(then: DatasetFacts, now: DatasetFacts | None) -> Difference:
    if now is None:
        return Difference(Part.DATA, None, "not looked at: levels from rescore on do")
    pairs = [
        (f"{one.name}@{one.version} ({one.split}), SHA-256 {one.manifest_sha256[:12]}")
        for one in (then, now)
    ]
    return _then_and_now(Part.DATA, *pairs)


def _weights(then: tuple[ModelFacts, ...], now: tuple[ModelFacts, ...] | None) -> Difference:
    if now is None:
        return Difference(Part.WEIGHTS, None, "not looked at: levels from sample on do")
    return _then_and_now(Part.WEIGHTS, *(", ".join(map(_model, models)) for models in (then, now)))


def _model(model: ModelFacts) -> str:
    digest = model.weights_sha256
    return f"{model.key} {f'SHA-256 {digest[:12]}' if digest else 'without weights'}"


def _then_and_now(part: Part, then: str, now: str) -> Difference:
    if then == now:
        return Difference(part, False, now)
    return Difference(part, True, f"{then} then, {now} now")


def _environment(then: Environment, now: Environment) -> Difference:
    pairs = {
        "Python": (then.python, now.python),
        "platform": (then.platform, now.platform),
        "device": (then.device, now.device),
        "threads": (str(then.threads), str(now.threads)),
    }
    for name in sorted(then.packages.keys() | now.packages.keys()):
        pairs[name] = (
            then.packages.get(name, "not installed"),
            now.packages.get(name, "not installed"),
        )
    changed = [
        f"{name} {one} then, {other} now" for name, (one, other) in pairs.items() if one != other
    ]
    words = "; ".join(changed) or f"Python {now.python}, {now.device}, the same packages"
    return Difference(Part.ENVIRONMENT, bool(changed), words)
