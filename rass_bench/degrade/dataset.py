"""A clean data set becomes a degraded one: a folder that can be opened, resumed and verified."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rass_bench.data.dataset import CLEAN_FOLDER, Dataset, manifest_name
from rass_bench.data.manifest import Manifest, ManifestEntry, Sample, load_manifest
from rass_bench.data.spec import (
    DEFINITION_FILE,
    DatasetSpec,
    Layout,
    SplitSpec,
    definition_text,
    load_spec,
    spec_names,
)
from rass_bench.degrade.apply import apply
from rass_bench.degrade.preset import PRESETS, Preset
from rass_bench.degrade.recipe import Recipe, to_json
from rass_bench.degrade.recipe import sample as sample_recipe
from rass_bench.degrade.workers import map_in_processes
from rass_bench.errors import UserError
from rass_bench.files import (
    inside,
    parse_json,
    read_json,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
)
from rass_bench.images import read_image, write_image
from rass_bench.structure import build

ORIGIN_FILE = "degradation.json"
"""What the folder is made from: source, split, preset and seed; the first file written."""

JOURNAL_FILE = "progress.jsonl"
"""One line for each finished image; only there until the manifest is."""

_STATED = re.compile(r"(?P<source>.+)-preset(?P<preset>.+)-seed(?P<seed>-?[0-9]{1,4300})")
"""What the version of a degraded data set states; Python reads no number of more digits."""

PIXEL_FOLDERS = ("images", CLEAN_FOLDER, "annotations")


@dataclass(frozen=True)
class SkippedSample:
    """A sample left out under ``on_error="skip"`` and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class DegradedDataset:
    """The folder's manifest and the samples that are not in it."""

    manifest: Manifest
    skipped: tuple[SkippedSample, ...]


@dataclass(frozen=True)
class Origin:
    """How a degraded data set was made.

    Attributes:
        source: name of the clean data set.
        source_version: its version.
        preset: what the recipes were drawn from.
        seed: of the draw.
    """

    source: str
    source_version: str
    preset: Preset
    seed: int

    @property
    def source_key(self) -> str:
        """``name@version`` of the clean data set."""
        return f"{self.source}@{self.source_version}"

    @property
    def shipped(self) -> DatasetSpec | None:
        """The clean data set's definition, where this program has it in that version."""
        spec = load_spec(self.source) if self.source in spec_names() else None
        return spec if spec is not None and spec.key == self.source_key else None

    @property
    def shown_source(self) -> str:
        """What to name the clean data set by on the command line, not quoted.

        It is the folder ``./NAME`` unless the shipped definition is meant, which would win over
        a folder of the same name.
        """
        return self.source if self.shipped is not None else f"./{self.source}"


@dataclass(frozen=True)
class _Task:
    """One sample to degrade; travels to a worker process."""

    sample: Sample
    preset: Preset
    seed: int
    out: Path
    below: str
    on_error: Literal["fail", "skip"]


def degrade_dataset(
    dataset: Dataset,
    preset_name: str,
    seed: int,
    out: Path,
    *,
    workers: int = 1,
    resume: bool = False,
    advance: Callable[[], None] = lambda: None,
    limit: int | None = None,
    on_error: Literal["fail", "skip"] = "fail",
) -> DegradedDataset:
    """Degrade one split of a data set into a folder of its own.

    The folder holds images/<split>/ID.png (degraded), clean/<split>/ID.* and
    annotations/<split>/ID.png (copied byte for byte), ``dataset.yaml``, and the manifest with the
    recipe and the hashes of each image. A data set without labels keeps its ``lq`` layout:
    images/ID.png and clean/ID.*. The bytes depend on source, preset and seed alone.

    Args:
        dataset: the clean photos.
        preset_name: a name in ``PRESETS``.
        seed: any integer; the same seed gives the same files.
        out: the folder to write; new or empty, or an earlier result with ``resume``.
        workers: processes.
        resume: keep what an earlier, interrupted call finished and whose hashes still hold.
        advance: called once after each sample, for a progress bar.
        limit: degrade the first so many samples only.
        on_error: what to do about a photo or label that cannot be read.

    Raises:
        UserError: unknown preset, a ``pairs`` data set, a folder that is in the way or was made
            differently, or, with ``on_error="fail"``, an unreadable file.
    """
    preset = PRESETS.get(preset_name)
    spec = degraded_spec(dataset, preset, seed)
    samples = dataset.samples[:limit]
    finished = _prepare_folder(dataset, preset, seed, out, resume=resume)
    _check_limit(finished, samples, out)
    below = f"{dataset.split.name}/" if spec.layout is Layout.ADE else ""
    tasks = []
    for sample in samples:
        if sample.id in finished:
            advance()
        else:
            tasks.append(_Task(sample, preset, seed, out, below, on_error))
    skipped = []
    with (out / JOURNAL_FILE).open("a", encoding="utf-8") as journal:
        for result in map_in_processes(_degrade_sample, tasks, workers):
            if isinstance(result, SkippedSample):
                skipped.append(result)
            else:
                journal.write(json.dumps(asdict(result)) + "\n")
                journal.flush()
                finished[result.id] = result
            advance()
    manifest = _finish_folder(spec, out, finished)
    return DegradedDataset(manifest, tuple(sorted(skipped, key=lambda item: item.id)))


def degraded_spec(dataset: Dataset, preset: Preset, seed: int) -> DatasetSpec:
    """The definition of the degraded data set; its name@version says how it was made.

    The count of images is that of the whole source split, so that a folder made with a limit, or
    from an incomplete source, counts as incomplete when it is opened.

    Raises:
        UserError: the source is a ``pairs`` data set, whose photos are low-quality already.
    """
    source = dataset.spec
    if source.layout is Layout.PAIRS:
        raise UserError(
            f"{source.key} has pairs of low- and high-resolution photos",
            "--dataset",
            "Its low-quality photos exist; degrade a data set of clean photos instead.",
        )
    origin = Origin(source.name, source.version, preset, seed)
    return replace(
        source,
        name=f"{source.name}-{preset.name}",
        version=f"{source.version}-preset{preset.version}-seed{seed}",
        title=f"{source.title}; degraded: {preset.title}",
        layout=Layout.LQ if source.label_space is None else Layout.ADE,
        splits=(SplitSpec(dataset.split.name, dataset.split.count or len(dataset.samples)),),
        obtain=f"Make it with `{_command(origin, dataset.split.name)}`.",
    )


def redraw_recipes(name: str, version: str, sample_ids: Sequence[str]) -> dict[str, Recipe] | None:
    """The recipes of a degraded data set's photos, drawn again from what its name states.

    Args:
        name: the data set's name, as :func:`degraded_spec` makes it.
        version: its version.
        sample_ids: the photos.

    Returns:
        A recipe a photo, or None where the name is of no known preset in its present version.
    """
    origin = stated_origin(name, version)
    if origin is None:
        return None
    return {one: sample_recipe(origin.preset, origin.seed, one) for one in sample_ids}


def degrade_command(name: str, version: str, split: str) -> str | None:
    """The command that makes a degraded data set of that name; None where none is known to."""
    origin = stated_origin(name, version)
    return None if origin is None else _command(origin, split)


def _command(origin: Origin, split: str) -> str:
    """The command that makes a degraded data set, quoted for a shell."""
    return (
        f"rass-bench degrade --dataset {shlex.quote(origin.shown_source)} "
        f"--split {shlex.quote(split)} --preset {origin.preset.name} --seed {origin.seed}"
    )


def stated_origin(name: str, version: str) -> Origin | None:
    """What name and version state, as :func:`degraded_spec` makes them.

    Returns:
        None where the name is of no known preset in its present version.
    """
    stated = _STATED.fullmatch(version)
    endings = [preset for known, preset in PRESETS if name.endswith(f"-{known}")]
    # A preset's name may end another's: the longest is meant.
    preset = max(endings, key=lambda one: len(one.name), default=None)
    if stated is None or preset is None or stated["preset"] != preset.version:
        return None
    source = name.removesuffix(f"-{preset.name}")
    return Origin(source, stated["source"], preset, int(stated["seed"]))


def _degrade_sample(task: _Task) -> ManifestEntry | SkippedSample:
    """Read, degrade and write one sample."""
    sample = task.sample
    try:
        clean = read_image(sample.image)
        label = _read_label(sample.label) if sample.label else None
    except UserError as error:
        if task.on_error == "fail":
            raise
        return SkippedSample(sample.id, str(error))
    recipe = sample_recipe(task.preset, task.seed, sample.id)
    image_name = f"images/{task.below}{sample.id}.png"
    clean_name = f"{CLEAN_FOLDER}/{task.below}{sample.id}{sample.image.suffix}"
    label_name = f"annotations/{task.below}{sample.id}.png" if label is not None else None
    original = sample.image.read_bytes()
    write_bytes(task.out / clean_name, original)
    if label is not None and label_name is not None:
        write_bytes(task.out / label_name, label)
    content = write_image(task.out / image_name, apply(recipe, clean))
    return ManifestEntry(
        id=sample.id,
        image=image_name,
        image_sha256=sha256_bytes(content),
        width=clean.shape[1],
        height=clean.shape[0],
        label=label_name,
        label_sha256=sha256_bytes(label) if label is not None else None,
        reference=clean_name,
        reference_sha256=sha256_bytes(original),
        recipe=to_json(recipe),
    )


def _read_label(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError("label map not found", str(path), "Check the annotations folder.") from None


def _prepare_folder(
    dataset: Dataset, preset: Preset, seed: int, out: Path, *, resume: bool
) -> dict[str, ManifestEntry]:
    """Make the folder ready to write to.

    Returns:
        The entries of images that are there already, by id; their hashes have been checked.
    """
    origin = {
        "source": dataset.spec.key,
        "split": dataset.split.name,
        "preset": preset.key,
        "seed": seed,
    }
    is_new = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_new and not resume:
        raise UserError(
            "the folder is not empty",
            str(out),
            "Choose a new one, or continue an interrupted run with --resume.",
        )
    if is_new:
        write_json(out / ORIGIN_FILE, origin)
        return {}
    _check_origin(origin, out)
    entries = [entry for entry in _known_entries(out, dataset.split) if _is_intact(entry, out)]
    # The journal's last line may be half written: begin it anew with what holds.
    lines = "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)
    write_bytes(out / JOURNAL_FILE, lines.encode())
    return {entry.id: entry for entry in entries}


def _check_origin(origin: dict[str, Any], out: Path) -> None:
    if not (out / ORIGIN_FILE).is_file():
        raise UserError(
            "the folder is not empty and no degraded data set", str(out), "Choose a new folder."
        )
    found = read_json(out / ORIGIN_FILE)
    if not isinstance(found, dict):
        raise UserError("the file is damaged", str(out / ORIGIN_FILE), "Choose a new folder.")
    differing = [key for key in origin if found.get(key) != origin[key]]
    if differing:
        changes = ", ".join(f"{key} {found.get(key)}, now {origin[key]}" for key in differing)
        raise UserError(
            f"the folder was made with another {' and '.join(differing)} ({changes})",
            str(out),
            "Choose a new folder, or repeat the command as it was first given.",
        )


def _known_entries(out: Path, split: SplitSpec) -> list[ManifestEntry]:
    """What the manifest of a finished folder, or the journal of an unfinished one, lists."""
    if (out / manifest_name(split.name)).is_file():
        return list(load_manifest(out / manifest_name(split.name)).entries)
    if not (out / JOURNAL_FILE).is_file():
        return []
    entries = []
    for line in (out / JOURNAL_FILE).read_text("utf-8", errors="replace").splitlines():
        try:
            entries.append(build(ManifestEntry, parse_json(line)))
        except ValueError:
            continue  # half a line of a killed run: its image is made again
    return entries


def _is_intact(entry: ManifestEntry, out: Path) -> bool:
    """Whether each of the sample's files is there with the content that was written."""
    files = (
        (entry.image, entry.image_sha256),
        (entry.label, entry.label_sha256),
        (entry.reference, entry.reference_sha256),
    )
    for name, digest in files:
        if name is None:
            continue
        path = inside(out, name)
        if not path.is_file() or sha256_file(path) != digest:
            return False
    return True


def _check_limit(
    finished: dict[str, ManifestEntry], samples: tuple[Sample, ...], out: Path
) -> None:
    surplus = finished.keys() - {sample.id for sample in samples}
    if surplus:
        raise UserError(
            f"the folder holds {len(surplus)} images that this command would not make, "
            f"such as {min(surplus)}",
            str(out),
            "Give a --limit as large as the first time, or none, or choose a new folder.",
        )


def _finish_folder(spec: DatasetSpec, out: Path, finished: dict[str, ManifestEntry]) -> Manifest:
    """Write manifest and definition, then remove what only an unfinished folder needs."""
    split = spec.splits[0]
    entries = tuple(finished[key] for key in sorted(finished))
    if not entries:
        raise UserError("no image could be degraded", str(out), "Check the source's files.")
    manifest = Manifest(dataset=spec.key, split=split.name, entries=entries)
    manifest.save(out / manifest_name(split.name))
    write_bytes(out / DEFINITION_FILE, definition_text(spec).encode())
    for folder in PIXEL_FOLDERS:
        for stray in (out / folder).rglob(".*.tmp"):
            stray.unlink(missing_ok=True)
    (out / JOURNAL_FILE).unlink()
    return manifest
