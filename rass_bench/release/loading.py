"""A release read back as its users read it, through the package `datasets`, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rass_bench.errors import UserError
from rass_bench.release.rows import Row

if TYPE_CHECKING:
    import datasets


def offline_environment(cache: Path) -> dict[str, str]:
    """Environment variables that keep the Hub's packages off the network and to one folder.

    The packages read them when they are imported: set them before.
    """
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(cache),
        "HF_DATASETS_CACHE": str(cache / "datasets"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }


def load_splits(folder: Path, cache: Path) -> datasets.DatasetDict:
    """Load all splits, which compares their features and sizes with those that the card states.

    Args:
        folder: the release's folder.
        cache: an empty folder; it takes as many bytes as the release has.

    Raises:
        UserError: the package cannot load it.
    """
    import datasets
    import pyarrow as pa

    try:
        loaded = datasets.load_dataset(
            str(folder.resolve()),
            cache_dir=str(cache),
            download_config=datasets.DownloadConfig(cache_dir=str(cache), local_files_only=True),
        )
    except (
        *(datasets.exceptions.DatasetsError, pa.ArrowException, OSError, ValueError),
        # A card of another kind fails in the package in as many ways as there are types.
        *(LookupError, TypeError, AttributeError),
    ) as error:
        raise UserError(
            f"`datasets` cannot load it: {type(error).__name__}: {error}",
            str(folder),
            "Build the release again.",
        ) from None
    return loaded


def undecoded(rows: datasets.Dataset) -> Iterator[Row]:
    """The rows with images as bytes and path.

    Raises:
        UserError: a row cannot be read, such as one with text that is no UTF-8.
    """
    import datasets
    import pyarrow as pa

    for name, kind in rows.features.items():
        if isinstance(kind, datasets.Image):
            rows = rows.cast_column(name, datasets.Image(decode=False))
    try:
        yield from rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"a row cannot be read: {type(error).__name__}: {error}",
            str(rows.split),
            "Build the release again.",
        ) from None
