"""Looking at every file of a data set before anything is measured on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from rass_bench.data.dataset import Dataset, build_manifest, manifest_name
from rass_bench.data.manifest import Manifest, ManifestEntry, Sample, load_manifest
from rass_bench.data.reading import read_reference, read_truth
from rass_bench.data.spec import definitions_dir
from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.labels import IGNORE


@dataclass(frozen=True)
class Problem:
    """One sample that a run would stumble over."""

    id: str
    what: str
    where: str


@dataclass(frozen=True)
class DataReport:
    """What was found in one split.

    Attributes:
        found: samples found.
        defined: samples that the definition counts, or None.
        problems: samples that cannot be used, each with the reason.
        sizes: smallest and largest photo as (width, height), by area; None without a good photo.
        class_images: images that each class occurs in, by class id; empty without labels.
        ignored_share: share of label pixels that are ignored, 0..1; None without labels.
        manifest_sha256: the data's identity, or None when there are problems.
        unpublished: ids whose files are not those of the manifest that this package publishes;
            None when it publishes none for the data set, or when there are problems.
    """

    found: int
    defined: int | None
    problems: tuple[Problem, ...]
    sizes: tuple[tuple[int, int], tuple[int, int]] | None
    class_images: tuple[int, ...]
    ignored_share: float | None
    manifest_sha256: str | None
    unpublished: tuple[str, ...] | None


@dataclass(frozen=True)
class _Seen:
    """What one sample shows: its problem, or its size and label histogram (256 bins)."""

    problem: Problem | None
    size: tuple[int, int]
    histogram: np.ndarray[tuple[int], np.dtype[np.int64]]


def check_dataset(dataset: Dataset, advance: Callable[[], None]) -> DataReport:
    """Decode every file of a split and check that the files of each sample belong together.

    Args:
        dataset: the split.
        advance: called once after each sample.
    """

    def look(sample: Sample) -> _Seen:
        try:
            return _look(dataset, sample)
        except UserError as error:
            problem = Problem(sample.id, f"{error.what}. {error.do}", error.where)
            return _Seen(problem, (0, 0), np.zeros(256, np.int64))
        finally:
            advance()

    with ThreadPoolExecutor(max_workers=2) as pool:
        seen = list(pool.map(look, dataset.samples))
    good = [one for one in seen if one.problem is None]
    problems = tuple(one.problem for one in seen if one.problem is not None)
    sizes = sorted((one.size for one in good), key=lambda size: size[0] * size[1])
    space = dataset.spec.labels
    histograms = np.stack([one.histogram for one in good]) if good else np.zeros((0, 256), np.int64)
    pixels = int(histograms.sum())
    manifest = None if problems else build_manifest(dataset)
    return DataReport(
        found=len(dataset.samples),
        defined=dataset.split.count,
        problems=problems,
        sizes=(sizes[0], sizes[-1]) if sizes else None,
        class_images=tuple(int(n) for n in (histograms > 0).sum(axis=0)[: space.size])
        if space
        else (),
        ignored_share=float(histograms[:, IGNORE].sum() / pixels) if space and pixels else None,
        manifest_sha256=manifest.sha256() if manifest else None,
        unpublished=_unpublished(dataset, manifest) if manifest else None,
    )


def _unpublished(dataset: Dataset, manifest: Manifest) -> tuple[str, ...] | None:
    path = definitions_dir() / dataset.spec.name / manifest_name(dataset.split.name)
    if not path.is_file():
        return None
    published = load_manifest(path)
    if published.dataset != dataset.spec.key:
        return None
    known = {entry.id: _hashes(entry) for entry in published.entries}
    return tuple(entry.id for entry in manifest.entries if known.get(entry.id) != _hashes(entry))


def _hashes(entry: ManifestEntry) -> tuple[str | None, ...]:
    return entry.image_sha256, entry.label_sha256, entry.reference_sha256


def _look(dataset: Dataset, sample: Sample) -> _Seen:
    photo = read_image(sample.image)
    read_reference(sample, dataset.spec.scale)
    histogram = np.zeros(256, dtype=np.int64)
    if dataset.spec.labels is not None:
        histogram = np.bincount(read_truth(dataset, sample).ravel(), minlength=256)
    return _Seen(None, (photo.shape[1], photo.shape[0]), histogram)
