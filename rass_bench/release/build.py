"""A data set becomes a release: a folder to put on the Hub, whole or absent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from rass_bench.errors import UserError, from_os_error, require_package
from rass_bench.files import write_bytes
from rass_bench.release.card import card_text
from rass_bench.release.contents import Release, write_contents
from rass_bench.release.croissant import CROISSANT_FILE, croissant_text
from rass_bench.release.rows import choose_columns
from rass_bench.release.shards import SHARD_BYTES, describe_shards, write_split
from rass_bench.release.source import CARD_FILE, Source
from rass_bench.release.sums import write_release_sums

PACKAGES = ("datasets", "huggingface-hub", "mlcroissant")
"""What the extra `hub` brings."""


def build_release(
    source: Source,
    out: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    advance: Callable[[], None] = lambda: None,
) -> Release:
    """Write a data set as parquet files with card, Croissant description, manifests and hashes.

    Photos keep their files' bytes. Where the licence is not known to allow passing them on, rows
    hold hashes and histories alone, and the card says how to get the files. The same data give
    the same bytes with the same versions of the packages.

    Args:
        source: the data set.
        out: the folder to make.
        shard_bytes: about the size of a parquet file.
        advance: called once after each sample.

    Raises:
        UserError: the folder exists or cannot be loaded by its name, a sample's files cannot be
            released (see :func:`~rass_bench.release.rows.read_row`), the disk is full, or the
            extra `hub` is not installed.
    """
    for package in PACKAGES:
        require_package(package, "hub")
    _check_out(out)
    columns = choose_columns(source)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
            made = Path(temporary) / "release"
            made.mkdir()
            manifests = tuple(
                write_split(
                    source, dataset, columns, made, shard_bytes=shard_bytes, advance=advance
                )
                for dataset in source.splits
            )
            spec = write_contents(made, source, manifests)
            shards = describe_shards(made, [manifest.split for manifest in manifests])
            release = Release(spec, columns, source.masks, manifests, shards)
            write_bytes(made / CROISSANT_FILE, croissant_text(release).encode())
            write_bytes(made / CARD_FILE, card_text(release, source.card).encode())
            write_release_sums(made)
            made.rename(out)
    except OSError as error:
        raise from_os_error(error, str(out)) from None
    return release


def _check_out(out: Path) -> None:
    if out.exists():
        raise UserError("the folder exists", str(out), "Name a new one: --out DIR.")
    if set("[]*?") & set(str(out.resolve())):
        raise UserError(
            "the package `datasets` takes [ ] * ? in a path for a pattern and finds no files there",
            str(out.resolve()),
            "Choose a folder without them.",
        )
