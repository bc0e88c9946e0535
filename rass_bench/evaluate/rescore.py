"""Scoring a finished run again from its stored predictions: no weights, no torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

from rass_bench.data.dataset import build_manifest, open_dataset
from rass_bench.data.spec import DEFINITION_FILE, spec_names
from rass_bench.degrade.dataset import degrade_command
from rass_bench.errors import UserError
from rass_bench.evaluate.folder import PER_IMAGE, RunFolder
from rass_bench.evaluate.protocol import find_protocol
from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import Progress
from rass_bench.evaluate.score import Scores, save_per_image, score_predictions
from rass_bench.files import sha256_file
from rass_bench.metrics.catalog import get_metric
from rass_bench.record import DatasetFacts, MetricValue, RunRecord, load_record
from rass_bench.structure import build

TOLERANCE = 1e-9
"""Relative: the formulas are the same, so only the last bits may differ between processors."""


@dataclass(frozen=True)
class Rescored:
    """One metric, recorded and computed again.

    Attributes:
        metric: the metric's id.
        recorded: the record's value; None where it was undefined, or the metric is new.
        value: the value computed now.
        is_new: whether the record lacked the metric.
    """

    metric: str
    recorded: float | None
    value: MetricValue
    is_new: bool

    @property
    def holds(self) -> bool:
        """Whether both agree, within the last bits; a new metric has nothing to disagree with."""
        if self.is_new:
            return True
        if self.recorded is None or self.value.value is None:
            return self.recorded is self.value.value
        return math.isclose(self.recorded, self.value.value, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def rescore(
    folder: Path,
    *,
    data_root: str | None,
    extra_metrics: tuple[str, ...],
    progress: Progress,
) -> tuple[RunRecord, tuple[Rescored, ...]]:
    """Compute every recorded metric, and further ones, from the stored predictions.

    The record keeps its values; only metrics that it lacked are added to it, and only when all
    recorded ones hold.

    Args:
        folder: the run's folder.
        data_root: where the data lie; None looks where the run looked.
        extra_metrics: metric ids to compute beside the recorded ones.
        progress: draws progress bars.

    Returns:
        The record (with new metrics, if any) and one comparison a metric.

    Raises:
        UserError: predictions or data were changed since the run; a metric's version changed.
    """
    record = load_record(folder)
    _check_versions(record, folder)
    request = locate_data(recorded_request(record, folder), data_root, record.dataset)
    dataset = open_dataset(request.dataset, request.data_root, request.split)
    run_folder = RunFolder(folder)
    left_out = {entry.id for entry in record.not_scored}
    ids = run_folder.load_index().keys() - left_out
    samples = [sample for sample in dataset.samples if sample.id in ids]
    if len(samples) != record.scored or not samples:
        raise UserError(
            f"the record counts {record.scored} scored images, {len(samples)} are there",
            str(dataset.root),
            "Give the data root that the run used with --data-root.",
        )
    protocol = find_protocol(record.protocol, record.restorer.name if record.restorer else None)
    protocol.check_metrics(extra_metrics, has_reference=samples[0].reference is not None)
    if build_manifest(dataset, samples).sha256() != record.dataset.manifest_sha256:
        raise UserError(
            "the data differ from those of the run",
            str(dataset.root),
            "Give the data root that the run used with --data-root.",
        )
    wanted = (*record.metrics, *(name for name in extra_metrics if name not in record.metrics))
    with progress("score", len(samples)) as advance:
        scores = score_predictions(
            run_folder,
            dataset,
            samples,
            wanted,
            scale=dataset.spec.scale,
            seed=request.seed,
            skip_errors=False,
            advance=advance,
        )
    compared = tuple(
        Rescored(
            metric=name,
            recorded=record.metrics[name].value if name in record.metrics else None,
            value=value,
            is_new=name not in record.metrics,
        )
        for name, value in scores.metrics.items()
    )
    if all(entry.holds for entry in compared) and any(entry.is_new for entry in compared):
        record = _add_metrics(record, folder, scores)
    return record, compared


def recorded_request(record: RunRecord, folder: Path) -> RunRequest:
    """What a run was asked for, with the split that it took.

    Args:
        record: the run's record.
        folder: where it lies, for messages.

    Raises:
        UserError: the record holds no request.
    """
    known = {field.name for field in dataclasses.fields(RunRequest)}
    arguments = {key: value for key, value in record.arguments_resolved.items() if key in known}
    try:
        request = build(RunRequest, arguments, "arguments_resolved")
    except ValueError as error:
        raise UserError(f"malformed record: {error}", str(folder), "Restore the file.") from None
    return dataclasses.replace(request, split=record.dataset.split)


def locate_data(request: RunRequest, data_root: str | None, facts: DatasetFacts) -> RunRequest:
    """The request of a run, for its data where they lie now.

    Args:
        request: what the run was asked for.
        data_root: where the data lie now; None looks where the run looked. A data set that was
            named by its folder moves with its definition.
        facts: what the record says of the data.

    Raises:
        UserError: they are not where the run found them, and no other place was named.
    """
    if request.dataset not in spec_names():
        if data_root is not None and Path(data_root, DEFINITION_FILE).is_file():
            return dataclasses.replace(request, dataset=data_root, data_root=data_root)
        if not Path(request.dataset).is_dir():
            command = degrade_command(facts.name, facts.version, facts.split)
            make = f"Make it with `{command} --out DIR`, and name" if command else "Name"
            raise UserError(
                "the data set of the run is not there",
                request.dataset,
                f"{make} the folder that holds it with --data-root.",
            )
    return dataclasses.replace(request, data_root=data_root or request.data_root)


def _add_metrics(record: RunRecord, folder: Path, scores: Scores) -> RunRecord:
    import pandas as pd

    table = pd.read_parquet(folder / PER_IMAGE, columns=["id", "seconds"])
    seconds = dict(zip(table["id"], table["seconds"], strict=True))
    save_per_image(folder / PER_IMAGE, scores, seconds)
    extended = dataclasses.replace(
        record,
        metrics=scores.metrics,
        files={**record.files, PER_IMAGE: sha256_file(folder / PER_IMAGE)},
    )
    extended.save(folder)
    return extended


def _check_versions(record: RunRecord, folder: Path) -> None:
    for name, value in record.metrics.items():
        current = get_metric(name).info.version
        if current != value.version:
            raise UserError(
                f"{name} was version {value.version} then and is {current} now",
                str(folder),
                "Repeat the run, or score it with the version of rass-bench that it names: "
                f"{record.environment.rass_bench}.",
            )
