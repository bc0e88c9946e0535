"""Opening a data set: find its files, pair photos with ground truth, say what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from rass_bench.data.manifest import Manifest, ManifestEntry, Sample, load_manifest
from rass_bench.data.spec import DatasetSpec, Layout, SplitSpec, load_spec, spec_names
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.images import IMAGE_SUFFIXES, oriented_size

ROOT_VARIABLE = "RASS_BENCH_DATA"

CLEAN_FOLDER = "clean"
"""Folder of the ``ade`` layout that holds the clean photos of a degraded data set."""


@dataclass(frozen=True)
class Dataset:
    """One split of a data set as it was found on disk.

    Attributes:
        spec: the definition.
        split: the split.
        root: the data root.
        samples: the samples found, sorted by id.
        recipes: what was done to each photo, by sample id; empty unless the folder's manifest
            says so (see ``rass_bench.degrade``).
    """

    spec: DatasetSpec
    split: SplitSpec
    root: Path
    samples: tuple[Sample, ...]
    recipes: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """How many images fewer were found than the definition counts; 0 when it states none."""
        return max(0, (self.split.count or 0) - len(self.samples))


def open_dataset(
    name: str, data_root: str | Path | None = None, split: str | None = None
) -> Dataset:
    """Find the samples of one split.

    Args:
        name: a shipped definition, or a folder with a ``dataset.yaml`` (then its own data root).
        data_root: where the files lie. Without it: the folder given as ``name``, the environment
            variable ``RASS_BENCH_DATA`` followed by the data set's name, or the cache for scenes.
        split: a split of the definition; None takes its first.

    A photo without its label or partner stays in the list with the path where that file should
    be: reading it raises, and ``--on-error`` decides.

    Raises:
        UserError: unknown name or split, no data root, an empty folder, two files with one id.
    """
    spec = load_spec(name)
    chosen = spec.split(split)
    root = _resolve_root(spec, name, data_root, chosen)
    find = {
        Layout.ADE: _find_ade,
        Layout.SCENES: _find_ade,
        Layout.PAIRS: _find_pairs,
        Layout.LQ: _find_lq,
    }[spec.layout]
    samples = tuple(sorted(find(root, chosen.name), key=lambda sample: sample.id))
    recipes = {}
    manifest_path = root / manifest_name(chosen.name)
    if manifest_path.is_file():
        entries = load_manifest(manifest_path).entries
        recipes = {entry.id: entry.recipe for entry in entries if entry.recipe is not None}
    return Dataset(spec=spec, split=chosen, root=root, samples=samples, recipes=recipes)


def manifest_name(split: str) -> str:
    """File name of a split's manifest in its data root."""
    return f"manifest-{split}.json"


def build_manifest(
    dataset: Dataset,
    samples: Iterable[Sample] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Manifest:
    """Hash and measure the files of some or all samples.

    Args:
        dataset: the data set.
        samples: which samples; None takes all.
        advance: called once after each sample, for a progress bar.

    Raises:
        UserError: an image is missing or unreadable.
    """

    def entry(sample: Sample) -> ManifestEntry:
        width, height = oriented_size(sample.image)
        made = ManifestEntry(
            id=sample.id,
            image=_relative(sample.image, dataset.root),
            image_sha256=sha256_file(sample.image),
            width=width,
            height=height,
            label=_relative(sample.label, dataset.root) if sample.label else None,
            label_sha256=sha256_file(sample.label) if sample.label else None,
            reference=_relative(sample.reference, dataset.root) if sample.reference else None,
            reference_sha256=sha256_file(sample.reference) if sample.reference else None,
            recipe=dataset.recipes.get(sample.id),
        )
        advance()
        return made

    chosen = dataset.samples if samples is None else samples
    with ThreadPoolExecutor(max_workers=4) as pool:
        entries = tuple(pool.map(entry, chosen))
    return Manifest(dataset=dataset.spec.key, split=dataset.split.name, entries=entries)


def _resolve_root(
    spec: DatasetSpec, name: str, data_root: str | Path | None, split: SplitSpec
) -> Path:
    if data_root is not None:
        root = Path(data_root)
    elif name not in spec_names() and Path(name, "dataset.yaml").is_file():
        root = Path(name)
    elif spec.layout is Layout.SCENES:
        from rass_bench.data.scenes import render_split

        return render_split(spec, split)
    elif os.environ.get(ROOT_VARIABLE):
        root = Path(os.environ[ROOT_VARIABLE]) / spec.name
    else:
        raise UserError(
            f"where does {spec.name} lie?",
            "--data-root",
            f"Give --data-root, or set {ROOT_VARIABLE} to the folder that holds {spec.name}/. "
            f"{spec.obtain}" + (f" (./{name} is the folder here.)" if Path(name).is_dir() else ""),
        )
    if not root.is_dir():
        raise UserError("the data root is no folder", str(root), spec.obtain)
    return root


def _find_ade(root: Path, split: str) -> list[Sample]:
    folder = root / "images" / split
    photos = _images_by_id(folder)
    if not photos:
        raise UserError(
            "no photos found",
            str(folder),
            "The layout is images/<split>/ and annotations/<split>/.",
        )
    label_folder, clean_folder = root / "annotations" / split, root / CLEAN_FOLDER / split
    labels, clean = _images_by_id(label_folder), _images_by_id(clean_folder)
    if not labels:
        raise UserError(
            "no label maps found", str(label_folder), "Add them, or check the name of the split."
        )
    return [
        Sample(
            id=key,
            image=path,
            label=_partner(labels, key, label_folder),
            reference=_partner(clean, key, clean_folder) if clean else None,
        )
        for key, path in photos.items()
    ]


def _find_pairs(root: Path, split: str) -> list[Sample]:
    del split  # the layout has one split
    low, high = root / "test_LR", root / "test_HR"
    photos, references = _images_by_id(low), _images_by_id(high)
    if not photos:
        raise UserError("no photos found", str(low), "The layout is test_LR/ and test_HR/.")
    if not references:
        raise UserError("no high-resolution photos found", str(high), "Add them to test_HR/.")
    return [
        Sample(id=key, image=path, reference=_partner(references, key, high))
        for key, path in photos.items()
    ]


def _find_lq(root: Path, split: str) -> list[Sample]:
    del split  # the layout has one split
    folder = root / "images" if (root / "images").is_dir() else root
    photos = _images_by_id(folder)
    if not photos:
        raise UserError("no photos found", str(folder), "The layout is a folder of photos.")
    clean_folder = root / CLEAN_FOLDER
    clean = _images_by_id(clean_folder) if folder != root else {}
    return [
        Sample(
            id=key,
            image=path,
            reference=_partner(clean, key, clean_folder) if clean else None,
        )
        for key, path in photos.items()
    ]


def _images_by_id(folder: Path) -> dict[str, Path]:
    """Image files below ``folder`` by their relative path without suffix."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith(".") or path.is_dir():
            continue
        key = path.relative_to(folder).with_suffix("").as_posix()
        try:
            key.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"the file name {path.name!a} is no valid UTF-8", str(folder), "Rename it."
            ) from None
        if any(category(letter) == "Cc" for letter in key):
            # It would reach terminals, where such characters are commands.
            raise UserError(
                f"the file name {path.name!a} holds control characters", str(folder), "Rename it."
            )
        if key in found:
            raise UserError(
                f"two files for one id: {found[key].name} and {path.name}",
                str(folder),
                "Keep one of them.",
            )
        found[key] = path
    return found


def _partner(partners: dict[str, Path], key: str, folder: Path) -> Path:
    """The partner's file, or where it should be: a run names it when it comes to that sample."""
    return partners.get(key, folder / f"{key}.png")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
