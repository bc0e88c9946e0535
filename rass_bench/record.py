"""The record of one run: everything needed to trust its numbers, or to repeat them.

A missing value is null, never 0 and never NaN. ``record.json`` states its schema version; older
versions are migrated when read and load for ever, newer ones are refused with the remedy.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError
from rass_bench.files import write_json
from rass_bench.structure import read_versioned

RECORD_SCHEMA = 1
RECORD_NAME = "record.json"

MAX_VALUE = 1e9
"""No metric, time or speed of a run is larger; whoever edits a record may write anything."""

MAX_COUNT = 10**15
"""No network has more parameters, and no run more images."""


@dataclass(frozen=True)
class MetricValue:
    """One number.

    Attributes:
        value: full precision; None where the metric is undefined.
        n: images that it was computed over.
        ci95: 95 % percentile-bootstrap interval over images; None below two images.
        version: the metric's version.
        higher_is_better: direction.
        provenance: weights' SHA-256 and library versions of a learned metric.
    """

    value: float | None
    n: int
    ci95: tuple[float, float] | None
    version: str
    higher_is_better: bool
    provenance: dict[str, str]

    def __post_init__(self) -> None:
        for value in (self.value, *(self.ci95 or ())):
            _check_range("a metric's value", value, -MAX_VALUE, MAX_VALUE)
        _check_range("n", self.n, 0, MAX_COUNT)


@dataclass(frozen=True)
class DatasetFacts:
    """The data that were scored.

    Attributes:
        name: name of the definition.
        version: version of the definition.
        split: the split.
        defined_images: how many images the definition counts, or None when it states none.
        found_images: how many lie in the data root.
        manifest_sha256: hash over ids and file hashes of the images that were scored.
        label_space: name of the label space, or None without labels.
        licence: in words.
    """

    name: str
    version: str
    split: str
    defined_images: int | None
    found_images: int
    manifest_sha256: str
    label_space: str | None
    licence: str


@dataclass(frozen=True)
class ModelFacts:
    """A model that took part.

    Attributes:
        name: the name in tables.
        revision: changes whenever the numbers could.
        title: one line for people.
        licence: of the weights.
        size_rule: how photos were brought to its size, as field: value.
        scale: output side over input side of a restorer.
        weights_url: where the weights come from.
        weights_sha256: hash of the weights file.
        paper: the paper to cite.
        parameters: parameters of the network, all of them.
        trainable_parameters: those that training would change.
    """

    name: str
    revision: str
    title: str
    licence: str
    size_rule: dict[str, Any]
    scale: int
    weights_url: str | None
    weights_sha256: str | None
    paper: str | None
    parameters: int | None
    trainable_parameters: int | None

    def __post_init__(self) -> None:
        _check_range("parameters", self.parameters, 0, MAX_COUNT)
        _check_range("trainable_parameters", self.trainable_parameters, 0, MAX_COUNT)

    @property
    def key(self) -> str:
        """``name@revision``."""
        return f"{self.name}@{self.revision}"


@dataclass(frozen=True)
class NotScored:
    """An image that was left out under ``--on-error skip``, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Timing:
    """How long it took.

    Attributes:
        wall_seconds: time from start to record of the process that finished the run; a resumed run
            does not count what earlier processes spent.
        fps: images a second through all networks of the protocol, resizing included: the inverse
            of the median over images, each process's first image (the warm-up) left out. Restored
            images that came from the cache are left out too. None when no image is left.
        timed_images: images behind ``fps``.
    """

    wall_seconds: float
    fps: float | None
    timed_images: int

    def __post_init__(self) -> None:
        _check_range("wall_seconds", self.wall_seconds, 0, MAX_VALUE)
        _check_range("fps", self.fps, 1 / MAX_VALUE, MAX_VALUE)
        _check_range("timed_images", self.timed_images, 0, MAX_COUNT)


@dataclass(frozen=True)
class Environment:
    """Where the run took place.

    Attributes:
        rass_bench: version of this package.
        python: version of Python.
        platform: operating system and processor architecture.
        packages: versions of the packages that numbers depend on.
        device: ``cpu (name)`` or the GPU's name.
        threads: threads that the networks used.
        git_commit: commit of the checkout this package runs from, or None when installed.
        git_dirty: whether the package in that checkout had uncommitted changes.
    """

    rass_bench: str
    python: str
    platform: str
    packages: dict[str, str]
    device: str
    threads: int
    git_commit: str | None
    git_dirty: bool | None


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        schema_version: version of this layout.
        status: ``complete``, or ``partial`` when not every image of the definition was scored.
        partial_because: the reasons, in words; empty when complete.
        started: UTC, ISO 8601.
        finished: UTC, ISO 8601.
        protocol: ``dt``, ``r2s``, ``ft`` or ``restore``.
        arguments_given: what the user typed.
        arguments_resolved: what it came to, every default filled in.
        dataset: the data.
        model: the model measured.
        restorer: the restorer in front of it under R2S.
        metrics: values by metric id.
        per_class: by metric id, one value a class in id order, None where undefined.
        scored: images scored.
        not_scored: images left out, each with its reason.
        timing: how long it took.
        environment: where it took place.
        files: SHA-256 of the files that hold the details, by name.
    """

    schema_version: int
    status: str
    partial_because: tuple[str, ...]
    started: str
    finished: str
    protocol: str
    arguments_given: dict[str, Any]
    arguments_resolved: dict[str, Any]
    dataset: DatasetFacts
    model: ModelFacts
    restorer: ModelFacts | None
    metrics: dict[str, MetricValue]
    per_class: dict[str, tuple[float | None, ...]]
    scored: int
    not_scored: tuple[NotScored, ...]
    timing: Timing
    environment: Environment
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-ready dictionaries and lists."""
        return dataclasses.asdict(self)

    def save(self, folder: Path) -> None:
        """Write ``record.json`` into the run's folder, atomically."""
        write_json(folder / RECORD_NAME, self.to_json())


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Refuse what no run writes.

    Raises:
        ValueError: the value lies outside.
    """
    if value is not None and not low <= value <= high:
        raise ValueError(f"{name} {value} is outside {low}..{high}")


def load_record(folder: Path) -> RunRecord:
    """Read ``record.json`` of a run's folder.

    Raises:
        UserError: missing, malformed, or written by a newer version of this package.
    """
    path = folder / RECORD_NAME
    if not folder.exists():
        raise UserError("no such folder", str(folder), "Name the folder of a run.")
    if not path.is_file():
        raise UserError(
            "no record.json: the run was never finished, or this is no run folder",
            str(folder),
            "Finish it with the same `rass-bench run` command and --resume.",
        )
    return read_versioned(path, RunRecord, RECORD_SCHEMA, "record", "Restore the file.")
