"""Which files a data set consists of, each with its SHA-256."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError
from rass_bench.files import canonical_json, inside, sha256_bytes, write_json
from rass_bench.structure import read_versioned

MANIFEST_SCHEMA = 1


@dataclass(frozen=True)
class Sample:
    """One photo with whatever ground truth exists.

    Attributes:
        id: unique in its split; the image's path below the split folder without suffix.
        image: the photo.
        label: label file, raw encoding, or None.
        reference: the clean or high-resolution photo that restoration is measured against.
    """

    id: str
    image: Path
    label: Path | None = None
    reference: Path | None = None


@dataclass(frozen=True)
class ManifestEntry:
    """One sample's files, relative to the data root with forward slashes, and their SHA-256.

    Attributes:
        recipe: what was done to the image, for a degraded data set (see ``rass_bench.degrade``).
    """

    id: str
    image: str
    image_sha256: str
    width: int
    height: int
    label: str | None = None
    label_sha256: str | None = None
    reference: str | None = None
    reference_sha256: str | None = None
    recipe: dict[str, Any] | None = None


@dataclass(frozen=True)
class Manifest:
    """All samples of one split of one data-set version, sorted by id."""

    dataset: str
    split: str
    entries: tuple[ManifestEntry, ...]

    def sha256(self) -> str:
        """Hash over ids and file hashes: equal exactly when the data are equal.

        Recipes and paths stay out, so that a data set keeps its identity when it is moved.
        """
        facts = [
            [entry.id, entry.image_sha256, entry.label_sha256, entry.reference_sha256]
            for entry in self.entries
        ]
        return sha256_bytes(canonical_json(facts))

    def save(self, path: Path) -> None:
        """Write the manifest as JSON, atomically."""
        document = {
            "schema_version": MANIFEST_SCHEMA,
            "dataset": self.dataset,
            "split": self.split,
            "sha256": self.sha256(),
            "entries": [
                {key: value for key, value in asdict(entry).items() if value is not None}
                for entry in self.entries
            ],
        }
        write_json(path, document)


@dataclass(frozen=True)
class _Stored:
    """A manifest as :meth:`Manifest.save` writes it."""

    schema_version: int
    dataset: str
    split: str
    sha256: str
    entries: tuple[ManifestEntry, ...]


def load_manifest(path: Path) -> Manifest:
    """Read a manifest and check that its paths stay inside the folder and its hash is its own.

    Raises:
        UserError: malformed, of a newer schema, hostile paths, or edited by hand.
    """
    stored = read_versioned(path, _Stored, MANIFEST_SCHEMA, "manifest", "Make it again.")
    manifest = Manifest(stored.dataset, stored.split, stored.entries)
    for entry in manifest.entries:
        for relative in (entry.image, entry.label, entry.reference):
            if relative is not None:
                inside(path.parent, relative)
    if stored.sha256 != manifest.sha256():
        raise UserError(
            "the manifest's hash does not fit its entries",
            str(path),
            "It was edited or damaged; make it again.",
        )
    return manifest
