"""The README.md of a release: metadata that loaders check and a text for people."""

from __future__ import annotations

import re
from typing import Any

from rass_bench.labels import LabelEncoding
from rass_bench.release.contents import Release
from rass_bench.release.degradation import degradation_section
from rass_bench.release.rows import Columns, features
from rass_bench.release.shards import DATA_FOLDER

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""Size categories of the Hub, by the number of samples that is too many for each."""

_MEANINGS = {
    "id": "the sample's name, unique in its split",
    "image": "the photo, in its own file's bytes",
    "label": "the label map, a lossless PNG; see below for its values",
    "reference": "the clean or high-resolution photo that restoration is measured against",
    "image_sha256": "SHA-256 of the photo's file",
    "label_sha256": "SHA-256 of the label map's file",
    "reference_sha256": "SHA-256 of the reference's file",
    "width": "pixels, after EXIF orientation",
    "height": "pixels, after EXIF orientation",
    "recipe": "JSON: what was done to the clean photo, to the last random number",
    "provenance": "JSON: who drew the mask, from what, and how opinions became one",
}
"""What each column holds."""


def card_text(release: Release, own: str) -> str:
    """The whole README.md.

    Args:
        release: what the folder holds.
        own: the data set's own card, in Markdown; may be empty.
    """
    sections = [
        f"# {_line(release.spec.title)}",
        _own_card(own),
        _loading(release),
        _columns(release.columns),
        _labels(release),
        degradation_section(release),
        _rebuilding(release),
        _origin(release),
    ]
    body = "\n\n".join(section for section in sections if section)
    return f"---\n{_metadata(release)}\n---\n\n{body}\n"


def _metadata(release: Release) -> str:
    """The YAML that the Hub and `datasets` read, dataset_info with features and sizes in it."""
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    splits = SplitDict()
    for manifest in release.manifests:
        parts = [shard for shard in release.shards if shard.split == manifest.split]
        content = sum(part.content_bytes for part in parts)
        splits.add(SplitInfo(manifest.split, num_bytes=content, num_examples=len(manifest.entries)))
    info = DatasetInfo(
        features=features(release.columns),
        splits=splits,
        download_size=sum(shard.size for shard in release.shards),
        dataset_size=sum(shard.content_bytes for shard in release.shards),
    )
    card = DatasetCardData(
        pretty_name=_line(release.spec.title),
        task_categories=_tasks(release.columns),
        size_categories=[next((word for most, word in _SIZES if release.samples < most), "n>1M")],
        tags=["croissant", "rass-bench", "low-quality-images"],
        configs=configurations(release),
        **licence_metadata(release),
    )
    DatasetInfosDict({"default": info}).to_dataset_card_data(card)
    return str(card.to_yaml())


def configurations(release: Release) -> list[dict[str, Any]]:
    """Which parquet files hold which split, as the card's metadata say it."""
    names = [manifest.split for manifest in release.manifests]
    files = [{"split": name, "path": f"{DATA_FOLDER}/{name}-*.parquet"} for name in names]
    return [{"config_name": "default", "data_files": files}]


def licence_metadata(release: Release) -> dict[str, str]:
    """The licence as the card's metadata name it."""
    if release.licence is not None:
        return {"license": release.licence.hub}
    return {
        "license": "other",
        "license_name": "see-text",
        "license_link": _line(release.spec.homepage),
    }


def _tasks(columns: Columns) -> list[str]:
    labelled = ["image-segmentation"] if columns.label else []
    return labelled + (["image-to-image"] if columns.reference else [])


def _own_card(own: str) -> str:
    """The data set's card without its title and the pictures that are not in the release."""
    lines = own.strip().splitlines()
    if lines and lines[0].startswith("# "):
        lines = lines[1:]
    kept = [line for line in lines if not re.fullmatch(r"!\[[^\]]*\]\((?!https://)[^)]*\)", line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _loading(release: Release) -> str:
    split = release.manifests[0].split
    lines = [
        "## Loading",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'rows = load_dataset("FOLDER_OR_REPOSITORY", split="{split}")',
        "```",
        "",
        "| split | samples |",
        "|---|---:|",
    ]
    lines += [f"| {one.split} | {len(one.entries)} |" for one in release.manifests]
    return "\n".join(lines)


def _columns(columns: Columns) -> str:
    rows = [f"| `{name}` | {_MEANINGS[name]} |" for name in features(columns)]
    return "\n".join(["## Columns", "", "| column | content |", "|---|---|", *rows])


def _labels(release: Release) -> str:
    space, encoding = release.spec.labels, release.spec.label_encoding
    if space is None:
        return ""
    if encoding is LabelEncoding.ZERO_IS_IGNORE:
        first, values = 1, "0 is to be ignored, the first class is 1"
    else:
        first, values = 0, "the first class is 0, 255 is to be ignored"
    names = ", ".join(f"{first + one.id} {one.name}" for one in space.classes)
    return f"## Labels\n\nLabel space {space.name}; {values}:\n\n{names}."


def _rebuilding(release: Release) -> str:
    """How to get the files where the licence keeps them out."""
    if release.licence is not None:
        return ""
    return "\n".join(
        [
            "## Getting the files",
            "",
            f'The licence ("{_line(release.spec.licence)}") is not known to allow passing the '
            "files on, so this release holds their hashes and histories, no pixels. "
            f"{_line(release.spec.obtain)}",
            "",
            "To see whether your files are the ones described here:",
            "",
            "```sh",
            "rass-bench release check FOLDER --data-root YOUR_FILES",
            "```",
        ]
    )


def _origin(release: Release) -> str:
    spec = release.spec
    lines = [
        "## Origin and licence",
        "",
        f"- Data set: `{_line(spec.key)}`",
        f"- Homepage: {_line(spec.homepage)}",
        f"- Licence: {_line(spec.licence)}"
        + (f" ({release.licence.url})" if release.licence else ""),
    ]
    if spec.citation:
        lines.append(f"- Please cite: {_line(spec.citation)}")
    lines += [
        "",
        "`manifest-*.json` lists every file with its SHA-256, `croissant.json` describes the data "
        "for programs, `SHA256SUMS` covers this folder: check it with `sha256sum -c SHA256SUMS` "
        "or, pixel by pixel, with `rass-bench release check FOLDER`.",
    ]
    return "\n".join(lines)


def _line(text: str) -> str:
    """Text of a definition as one line that Markdown and HTML show as it is."""
    return " ".join(text.split()).replace("<", "&lt;").replace("`", "'")
