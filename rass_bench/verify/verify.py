"""The main flow: open, check the files, score, run again, and say whether it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rass_bench.data.dataset import open_dataset
from rass_bench.evaluate.environment import describe_environment
from rass_bench.evaluate.recording import model_facts
from rass_bench.evaluate.rescore import locate_data
from rass_bench.evaluate.resolve import Resolved, RunRequest, resolve
from rass_bench.evaluate.run import Progress
from rass_bench.files import sha256_file
from rass_bench.record import RECORD_NAME, DatasetFacts, ModelFacts, RunRecord
from rass_bench.verify.archive import opened
from rass_bench.verify.differences import find_differences
from rass_bench.verify.integrity import check_integrity
from rass_bench.verify.rerun import (
    Here,
    check_models,
    check_predictions_again,
    draw_samples,
    locate_models,
)
from rass_bench.verify.rescoring import check_rescore, need_predictions
from rass_bench.verify.stored import read_run
from rass_bench.verify.tolerance import tolerance
from rass_bench.verify.verdict import VERDICT_SCHEMA, Check, Level, Verdict, all_hold, not_there


def verify(
    path: Path,
    level: Level,
    *,
    samples: int,
    seed: int,
    here: Here,
    progress: Progress,
) -> Verdict:
    """Check a run as far as a level goes; what a level needs is checked at those before it first.

    Args:
        path: a run's folder, a bundle, or a leaderboard's record.
        level: how far to go.
        samples: images to run again at the level sample.
        seed: what they are drawn with.
        here: where data and models lie on this machine.
        progress: draws progress bars.

    Raises:
        UserError: no run, a hostile one, or data, models or packages that are not there.
    """
    with opened(path) as folder:
        run = read_run(folder)
        record_sha256 = sha256_file(folder / RECORD_NAME)
        checks = check_integrity(run)
        data, models, ids, request = None, None, list[str](), run.request
        if level is not Level.INTEGRITY and all_hold(checks):
            need_predictions(run)
            request = locate_data(request, here.data_root, run.record.dataset)
            dataset = open_dataset(request.dataset, request.data_root, request.split)
            rescoring = check_rescore(run, dataset, progress)
            data, checks = rescoring.data, [*checks, *rescoring.checks]
        now = describe_environment("cpu", request.threads)
        if level in (Level.SAMPLE, Level.FULL) and run.table is not None and all_hold(checks):
            resolved = resolve(locate_models(request, here))
            now = describe_environment(resolved.request.device, request.threads)
            models = _loaded(resolved)
            ids = _choose(run.table.ids, level, samples, seed, record_sha256)
            checks += check_models(run.record, resolved)
            if all_hold(checks):
                allowed = tolerance(run.record.environment, now, _options(request))
                checks += check_predictions_again(run, resolved, ids, allowed, progress)
        checks += _not_reached(level, data, models)
    return Verdict(
        schema_version=VERDICT_SCHEMA,
        holds=all_hold(checks),
        level=level,
        run=describe(run.record),
        record_sha256=record_sha256,
        checks=tuple(checks),
        differences=find_differences(run.record, now, data, models),
        seed=seed if level is Level.SAMPLE else None,
        samples=tuple(ids),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=now,
    )


def describe(record: RunRecord) -> str:
    """What a record is of, in one line: protocol, models, data set."""
    models = [record.restorer, record.model] if record.restorer else [record.model]
    data = f"{record.dataset.name}@{record.dataset.version} ({record.dataset.split})"
    return f"{record.protocol}: {' → '.join(one.key for one in models)} on {data}"


def _choose(
    ids: tuple[str, ...], level: Level, count: int, seed: int, record_sha256: str
) -> list[str]:
    return list(ids) if level is Level.FULL else draw_samples(ids, count, seed, record_sha256)


def _options(request: RunRequest) -> tuple[str, ...]:
    return (*request.options, *request.restorer_options)


def _loaded(resolved: Resolved) -> tuple[ModelFacts, ...]:
    models = [resolved.model, *([resolved.restorer] if resolved.restorer else [])]
    return tuple(model_facts(one) for one in models)


def _not_reached(
    level: Level, data: DatasetFacts | None, models: tuple[ModelFacts, ...] | None
) -> list[Check]:
    """The levels that were asked for and not come to, since one before them does not hold."""
    why = "not come to: a check before it does not hold"
    if level is not Level.INTEGRITY and data is None:
        return [not_there(f"level {level}", why)]
    if level in (Level.SAMPLE, Level.FULL) and models is None:
        return [not_there(f"level {level}", why)]
    return []
