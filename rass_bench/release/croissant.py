"""The Croissant description of a release (MLCommons Croissant 1.0, JSON-LD)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rass_bench.errors import UserError
from rass_bench.release.contents import Release
from rass_bench.release.rows import features

if TYPE_CHECKING:
    import mlcroissant

CROISSANT_FILE = "croissant.json"

PARQUET = "application/x-parquet"


def croissant_text(release: Release) -> str:
    """The whole croissant.json: a record set a split, and each shard with its SHA-256.

    No date of publication is stated, so that the same data give the same bytes; the format
    recommends one and does not need it.

    Raises:
        UserError: the definition holds something that the format refuses, such as a name.
    """
    import mlcroissant as mlc

    spec = release.spec
    splits = [manifest.split for manifest in release.manifests]
    try:
        metadata = mlc.Metadata(
            name=spec.name,
            description=spec.title,
            license=[_licence(release)],
            url=spec.homepage,
            version=spec.version,
            cite_as=spec.citation,
            distribution=[*(_shard_set(release, split) for split in splits), *_files(release)],
            record_sets=[_record_set(release, split) for split in splits],
        )
        document: dict[str, Any] = metadata.to_json()
    except (mlc.ValidationError, ValueError) as error:
        raise UserError(
            f"the definition cannot be put into Croissant: {error}",
            f"dataset.yaml of {spec.key}",
            "Correct what the message names.",
        ) from None
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def shard_set(split: str) -> str:
    """The identifier of a split's shards."""
    return f"{split}-shards"


def _shard_set(release: Release, split: str) -> mlcroissant.FileSet:
    import mlcroissant as mlc

    return mlc.FileSet(
        id=shard_set(split),
        name=shard_set(split),
        description=f"The parquet files of the split {split}.",
        encoding_formats=[PARQUET],
        includes=[f"data/{split}-*.parquet"],
    )


def _files(release: Release) -> list[mlcroissant.FileObject]:
    import mlcroissant as mlc

    return [
        mlc.FileObject(
            id=shard.name,
            name=shard.name,
            content_url=shard.name,
            content_size=f"{shard.size} B",
            encoding_formats=[PARQUET],
            sha256=shard.sha256,
        )
        for shard in release.shards
    ]


def _record_set(release: Release, split: str) -> mlcroissant.RecordSet:
    import datasets
    import mlcroissant as mlc

    fields = []
    for name, kind in features(release.columns).items():
        is_image = isinstance(kind, datasets.Image)
        data_type = mlc.DataType.IMAGE_OBJECT if is_image else mlc.DataType.TEXT
        if name in ("width", "height"):
            data_type = mlc.DataType.INTEGER
        source = mlc.Source(
            file_set=shard_set(split),
            extract=mlc.Extract(column=name),
            # An image is a structure of bytes and path.
            transforms=[mlc.Transform(json_path="bytes")] if is_image else [],
        )
        fields.append(
            mlc.Field(id=f"{split}/{name}", name=name, data_types=data_type, source=source)
        )
    return mlc.RecordSet(id=split, name=split, fields=fields)


@dataclass(frozen=True)
class Described:
    """What a Croissant document says of a release.

    Attributes:
        name: of the data set.
        version: of the data set.
        licences: as texts or addresses.
        files: SHA-256 of each file, by path.
        record_sets: the identifiers.
    """

    name: str
    version: str
    licences: tuple[str, ...]
    files: dict[str, str]
    record_sets: tuple[str, ...]


def expected_description(release: Release) -> Described:
    """What the document of a release says."""
    return Described(
        name=release.spec.name,
        version=release.spec.version,
        licences=(_licence(release),),
        files={shard.name: shard.sha256 for shard in release.shards},
        record_sets=tuple(manifest.split for manifest in release.manifests),
    )


def read_description(document: Any) -> Described:
    """Validate a Croissant document and say what it describes.

    Raises:
        ValueError: the document is no valid Croissant.
    """
    import mlcroissant as mlc

    try:
        _refuse_addresses(document)
        with _recommendations_unsaid():
            metadata = mlc.Dataset(jsonld=document).metadata
    except mlc.ValidationError as error:
        raise ValueError(str(error)) from None
    # JSON of another kind altogether fails in the package in as many ways as there are types.
    except (LookupError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise ValueError(f"no Croissant: {type(error).__name__}: {error}") from None
    files = [one for one in metadata.distribution if isinstance(one, mlc.FileObject)]
    return Described(
        name=str(metadata.name),
        version=str(metadata.version),
        licences=tuple(str(one) for one in metadata.license or ()),
        files={str(one.content_url): str(one.sha256) for one in files},
        record_sets=tuple(str(one.id) for one in metadata.record_sets),
    )


def _refuse_addresses(document: Any) -> None:
    """Refuse a document that makes the package fetch another one.

    A text is taken for a path or an address, and a context that is imported into another, or of a
    part, may be named by its address (W3C JSON-LD 1.1, imported and scoped contexts).

    Raises:
        ValueError: it is one.
    """
    if not isinstance(document, dict) or not isinstance(document.get("@context"), dict):
        raise ValueError("no mapping with a mapping under '@context'")
    keys = list(_keys(document))
    if "@import" in keys or keys.count("@context") > 1:
        raise ValueError("it names a context elsewhere")


def _keys(value: Any) -> Iterator[str]:
    """All keys of mappings in a JSON document."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _keys(inner)


def _licence(release: Release) -> str:
    return release.licence.url if release.licence else release.spec.licence


@contextmanager
def _recommendations_unsaid() -> Iterator[None]:
    """Keep the package from logging what it recommends, such as a date of publication."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
