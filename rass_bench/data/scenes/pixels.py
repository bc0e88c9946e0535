"""The identity of the data set: a hash over the pixels and labels of every scene.

PNG bytes depend on the encoder's version, pixels do not; so the published hashes are over pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.scenes.render import scene_id
from rass_bench.data.spec import DatasetSpec, definitions_dir
from rass_bench.errors import UserError
from rass_bench.files import read_json, sha256_bytes
from rass_bench.images import read_image
from rass_bench.labels import LabelEncoding, load_label_space, read_label_map


@dataclass(frozen=True)
class PixelReport:
    """Which scenes of a split are the published ones.

    Attributes:
        checked: ids looked at.
        different: ids whose pixels or labels differ from the published ones.
    """

    checked: tuple[str, ...]
    different: tuple[str, ...]


def pixel_sha256(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """SHA-256 of a scene: its RGB bytes row by row, then its contiguous label ids."""
    return sha256_bytes(
        np.ascontiguousarray(image).tobytes() + np.ascontiguousarray(labels).tobytes()
    )


def published_pixels(spec: DatasetSpec, split: str) -> dict[str, str]:
    """The published hashes by scene id.

    Raises:
        UserError: none are published for this version of the data set.
    """
    path = definitions_dir() / spec.name / f"pixels-{split}.json"
    document = read_json(path)
    if document["dataset"] != spec.key:
        raise UserError(
            f"the published hashes are those of {document['dataset']}, not of {spec.key}",
            str(path),
            "Use the definition and the hashes of one version.",
        )
    scenes: dict[str, str] = document["scenes"]
    return scenes


def check_pixels(
    spec: DatasetSpec,
    split: str,
    root: Path,
    indices: Iterable[int] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> PixelReport:
    """Compare rendered scenes with the published ones.

    Args:
        spec: the definition of ``scenes``.
        split: name of the split.
        root: the data root, as :func:`rass_bench.data.scenes.render_split` returns it.
        indices: which scenes; None takes every published one.
        advance: called once after each scene, for a progress bar.

    Raises:
        UserError: a file is missing or unreadable, or nothing is published for this version.
    """
    published = published_pixels(spec, split)
    space = load_label_space("ade20k-150")
    ids = list(published) if indices is None else [scene_id(index) for index in indices]
    different = []
    for name in ids:
        image = read_image(root / "images" / split / f"{name}.png")
        label_path = root / "annotations" / split / f"{name}.png"
        labels = read_label_map(label_path, space, LabelEncoding.ZERO_IS_IGNORE)
        if pixel_sha256(image, labels) != published.get(name):
            different.append(name)
        advance()
    return PixelReport(checked=tuple(ids), different=tuple(different))
