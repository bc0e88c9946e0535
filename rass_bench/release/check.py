"""Is a release whole, loadable, and the data set it was made from?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rass_bench.errors import UserError, require_package
from rass_bench.files import parse_yaml, read_json
from rass_bench.release.build import PACKAGES
from rass_bench.release.card import configurations, licence_metadata
from rass_bench.release.compare import compare_split
from rass_bench.release.contents import Release, read_release
from rass_bench.release.croissant import CROISSANT_FILE, expected_description, read_description
from rass_bench.release.loading import load_splits
from rass_bench.release.source import CARD_FILE, Source
from rass_bench.release.sums import Difference, check_release_sums


def check_release(
    folder: Path, source: Source | None = None, *, advance: Callable[[], None] = lambda: None
) -> list[Difference]:
    """Check hashes, card and Croissant file, load the release and look at every row.

    Rows are compared with the release's manifests and, where a source is given, its files with
    the source's, pixel by pixel.

    Args:
        folder: the release's folder.
        source: the data set that it was made from; None where it is not at hand.
        advance: called once for each sample.

    Returns:
        What is not as it should be; nothing where the release holds.

    Raises:
        UserError: the folder is no release at all, or the extra `hub` is not installed.
    """
    for package in PACKAGES:
        require_package(package, "hub")
    differences = check_release_sums(folder)
    try:
        release = read_release(folder)
        differences += _check_shards(release)
        differences += _check_croissant(folder, release)
        differences += _check_source(release, source)
        in_card = _check_card(folder, release)
        differences += in_card
        # The card says which files are loaded, and from where: none by a card that is not ours.
        if not in_card:
            differences += _check_rows(folder, release, source, advance)
    except UserError as error:
        differences.append(Difference(error.where, error.what))
    return differences


def _check_rows(
    folder: Path, release: Release, source: Source | None, advance: Callable[[], None]
) -> list[Difference]:
    """Load the release, and compare each of its rows."""
    differences = []
    with tempfile.TemporaryDirectory() as cache:
        loaded = load_splits(folder, Path(cache))
        for manifest in release.manifests:
            rows = loaded[manifest.split]
            differences += compare_split(release, manifest, rows, source, advance)
    return differences


def _check_shards(release: Release) -> list[Difference]:
    """Whether there are as many rows as the manifests list."""
    differences = []
    for manifest in release.manifests:
        rows = sum(shard.rows for shard in release.shards if shard.split == manifest.split)
        if rows != len(manifest.entries):
            problem = f"its shards hold {rows} rows, the manifest lists {len(manifest.entries)}"
            differences.append(Difference(manifest.split, problem))
    return differences


def _check_card(folder: Path, release: Release) -> list[Difference]:
    """Whether the card's metadata say what the folder holds."""
    try:
        _, front, _ = (folder / CARD_FILE).read_text("utf-8").split("---\n", 2)
        metadata = parse_yaml(front)
        splits = {one["name"]: one["num_examples"] for one in metadata["dataset_info"]["splits"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        return [Difference(CARD_FILE, f"no card with metadata: {type(error).__name__}: {error}")]
    problems = []
    counted = {one.split: len(one.entries) for one in release.manifests}
    if splits != counted:
        problems.append(f"it states {splits} samples, the manifests {counted}")
    if metadata.get("configs") != configurations(release):
        problems.append("its configs are not the release's parquet files alone")
    for key, value in licence_metadata(release).items():
        if metadata.get(key) != value:
            problems.append(f"its {key} is {metadata.get(key)!r}, not {value!r}")
    return [Difference(CARD_FILE, problem) for problem in problems]


def _check_croissant(folder: Path, release: Release) -> list[Difference]:
    """Whether the Croissant file is valid and describes what the folder holds."""
    try:
        stated = asdict(read_description(read_json(folder / CROISSANT_FILE)))
    except UserError as error:
        return [Difference(CROISSANT_FILE, error.what)]
    except ValueError as error:
        return [Difference(CROISSANT_FILE, f"not valid: {error}")]
    expected = asdict(expected_description(release))
    return [
        Difference(CROISSANT_FILE, f"its {key}: {stated[key]!r}, not {expected[key]!r}")
        for key in expected
        if stated[key] != expected[key]
    ]


def _check_source(release: Release, source: Source | None) -> list[Difference]:
    """Whether the source is the data set that the release says it is."""
    if source is None:
        return []
    differences = []
    if source.spec.key != release.spec.key:
        problem = f"it is {release.spec.key}, the source {source.spec.key}"
        differences.append(Difference("the data set", problem))
    opened = {dataset.split.name for dataset in source.splits}
    missing = [one.split for one in release.manifests if one.split not in opened]
    return differences + [Difference(name, "the source has no such split") for name in missing]
