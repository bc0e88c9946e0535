"""Is a degraded data set what its manifest says? Every image is made again and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.manifest import ManifestEntry, load_manifest
from rass_bench.degrade.apply import apply
from rass_bench.degrade.dataset import PIXEL_FOLDERS
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import Recipe, from_json, sample
from rass_bench.degrade.workers import map_in_processes
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.images import read_image


@dataclass(frozen=True)
class Difference:
    """One file that is not what it should be.

    Attributes:
        file: its path in the folder.
        problem: what is wrong, in words.
        largest: the largest difference of a pixel value in grey levels, where pixels differ.
        share: the share of pixels that differ, 0..1, where pixels differ.
    """

    file: str
    problem: str
    largest: int | None = None
    share: float | None = None

    def __str__(self) -> str:
        if self.largest is None or self.share is None:
            return f"{self.file}: {self.problem}"
        return (
            f"{self.file}: {self.problem}; up to {self.largest} grey levels, "
            f"{100 * self.share:.4g} % of the pixels"
        )


@dataclass(frozen=True)
class _Task:
    """One manifest entry to check; travels to a worker process."""

    entry: ManifestEntry
    folder: Path


def verify_degraded(
    folder: Path, *, advance: Callable[[], None] = lambda: None, workers: int = 1
) -> list[Difference]:
    """Rebuild every image from its clean photo and recipe, and compare all files.

    Checks the hashes of degraded photos, clean photos and labels against the manifest, the
    rebuilt pixels against the stored ones, each recipe against what its preset draws, and looks
    for missing and surplus files.

    Args:
        folder: what ``degrade_dataset`` wrote.
        advance: called once after each image, for a progress bar.
        workers: processes.

    Returns:
        The differences by file name; none when the data set is sound.

    Raises:
        UserError: no manifest, or one that is malformed.
    """
    entries = manifest_entries(folder)
    differences = _surplus_files(folder, entries)
    tasks = [_Task(entry, folder) for entry in entries]
    for found in map_in_processes(_check_entry, tasks, workers):
        differences += found
        advance()
    return sorted(differences, key=lambda item: (item.file, item.problem))


def manifest_entries(folder: Path) -> list[ManifestEntry]:
    """What the manifests of a folder list.

    Raises:
        UserError: no manifest, or one that is malformed.
    """
    manifests = sorted(folder.glob("manifest-*.json"))
    if not manifests:
        raise UserError(
            "the folder holds no manifest",
            str(folder),
            "Give the folder that `rass-bench degrade` wrote; finish it first with --resume.",
        )
    return [entry for path in manifests for entry in load_manifest(path).entries]


def _surplus_files(folder: Path, entries: list[ManifestEntry]) -> list[Difference]:
    expected = {
        name for entry in entries for name in (entry.image, entry.label, entry.reference) if name
    }
    present = {
        path.relative_to(folder).as_posix()
        for name in PIXEL_FOLDERS
        for path in (folder / name).rglob("*")
        if path.is_file()
    }
    return [Difference(name, "not in the manifest") for name in sorted(present - expected)]


def _check_entry(task: _Task) -> list[Difference]:
    entry, folder = task.entry, task.folder
    damaged = {
        name: problem
        for name, digest in (
            (entry.image, entry.image_sha256),
            (entry.reference, entry.reference_sha256),
            (entry.label, entry.label_sha256),
        )
        if name is not None and (problem := _compare_hash(folder / name, digest))
    }
    differences = [Difference(*item) for item in damaged.items() if item[0] != entry.image]
    if damaged.get(entry.image) == "missing":
        return [*differences, Difference(entry.image, "missing")]
    try:
        recipe = from_json(entry.recipe, entry.image)
        differences += _check_recipe(entry, recipe)
        if entry.reference is None or entry.reference in damaged:
            reason = damaged.get(entry.image, "cannot be made again without its clean photo")
            return [*differences, Difference(entry.image, reason)]
        rebuilt = apply(recipe, read_image(folder / entry.reference))
        stored = read_image(folder / entry.image)
    except UserError as error:
        return [*differences, Difference(entry.image, str(error))]
    return differences + _compare_pixels(entry.image, stored, rebuilt, damaged.get(entry.image))


def _compare_hash(path: Path, digest: str | None) -> str | None:
    if not path.is_file():
        return "missing"
    return None if sha256_file(path) == digest else "the file's hash is not the manifest's"


def _check_recipe(entry: ManifestEntry, recipe: Recipe) -> list[Difference]:
    """Compare with what the preset draws, as far as this program still has that version."""
    known = PRESETS.get(recipe.preset) if recipe.preset in PRESETS.names() else None
    if known is None or known.version != recipe.preset_version:
        return []
    if recipe == sample(known, recipe.seed, entry.id):
        return []
    origin = f"{known.key} draws for {entry.id} with seed {recipe.seed}"
    return [Difference(entry.image, f"its recipe is not what {origin}")]


def _compare_pixels(
    name: str, stored: NDArray[np.uint8], rebuilt: NDArray[np.uint8], damage: str | None
) -> list[Difference]:
    if stored.shape != rebuilt.shape:
        return [Difference(name, f"its size is {stored.shape[1]} x {stored.shape[0]}")]
    levels = np.abs(stored.astype(np.int16) - rebuilt).max(axis=2)
    if levels.any():
        problem = damage or "clean photo and recipe give other pixels"
        return [Difference(name, problem, int(levels.max()), float((levels > 0).mean()))]
    return [Difference(name, f"{damage}, though its pixels are right")] if damage else []
