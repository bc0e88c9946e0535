"""What a card says of degraded photos: made from what, how, and how to make them again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rass_bench.data.spec import Layout
from rass_bench.degrade.dataset import Origin, degrade_command, stated_origin
from rass_bench.degrade.preset import PRESETS, Preset
from rass_bench.degrade.preset_words import describe_preset
from rass_bench.degrade.recipe import from_json
from rass_bench.leaderboard.safe_text import markdown_code, markdown_text, one_line
from rass_bench.release.contents import Release


@dataclass(frozen=True, order=True)
class _Draw:
    """What recipes were drawn from."""

    preset: str
    version: str
    seed: int

    @property
    def known(self) -> Preset | None:
        """The preset, as far as this program has it in that version."""
        preset = PRESETS.get(self.preset) if self.preset in PRESETS.names() else None
        return preset if preset is not None and preset.version == self.version else None


def degradation_section(release: Release) -> str:
    """The card's section on the degradation, in Markdown; empty where no photo has a recipe.

    It follows the recipes, and the data set's name as far as that states the same.

    Raises:
        UserError: a recipe is malformed.
    """
    photos = Counter(
        _Draw(recipe.preset, recipe.preset_version, recipe.seed)
        for manifest in release.manifests
        for entry in manifest.entries
        if entry.recipe is not None
        for recipe in [from_json(entry.recipe, f"{manifest.split}/{entry.id}")]
    )
    if not photos:
        return ""
    paragraphs = ["## Degradation"]
    for draw, count in sorted(photos.items()):
        paragraphs += _account(release, draw, count)
    if not any(_origin(release, draw) for draw in photos):
        paragraphs.append(markdown_text(release.spec.obtain))
    return "\n\n".join(paragraphs)


def _account(release: Release, draw: _Draw, count: int) -> list[str]:
    """The paragraphs on the photos of one draw."""
    preset, origin = draw.known, _origin(release, draw)
    key = markdown_code(f"{draw.preset}@{draw.version}")
    source = f" of {markdown_code(origin.source_key)}" if origin else ""
    title = f" ({preset.title})" if preset else ""
    is_all = count == release.samples
    photos = "All" if is_all else f"{count:,} of the"
    paragraphs = [
        f"{photos} {release.samples:,} photos are clean photos{source} that were degraded "
        f"with the preset {key}{title} and seed {draw.seed}. The column `recipe` holds what was "
        "drawn for each of them, step by step; with the clean photo it determines every pixel."
    ]
    paragraphs += _ranges(preset) if preset else ["This version of rass-bench lacks that preset."]
    if origin is not None:
        paragraphs += _again(release, origin, is_all=is_all)
    if preset is not None and preset.citation is not None:
        paragraphs.append(f"Please cite for the degradation: {markdown_text(preset.citation)}.")
    return paragraphs


def _ranges(preset: Preset) -> list[str]:
    """What the preset draws from: a numbered list for each order."""
    paragraphs = [
        "Every photo has a draw of its own: percentages are probabilities, a range is drawn from "
        "evenly, and alternatives have the same chance."
    ]
    orders, number = describe_preset(preset), 0
    for index, sentences in enumerate(orders, start=1):
        if len(orders) > 1:
            paragraphs.append(f"Order {index} of {len(orders)}:")
        paragraphs.append("\n".join(f"{number + i}. {one}" for i, one in enumerate(sentences, 1)))
        number += len(sentences)
    return paragraphs


def _origin(release: Release, draw: _Draw) -> Origin | None:
    """What the data set's name states, where it states this draw."""
    origin = stated_origin(release.spec.name, release.spec.version)
    if origin is None:
        return None
    stated = _Draw(origin.preset.name, origin.preset.version, origin.seed)
    return origin if stated == draw else None


def _again(release: Release, origin: Origin, *, is_all: bool) -> list[str]:
    """The commands that make the photos again, and compare them where they are the release's."""
    shipped = origin.shipped
    needs_files = shipped is not None and shipped.layout is not Layout.SCENES
    root = " --data-root CLEAN_FILES" if needs_files else ""
    spec, splits = release.spec, [manifest.split for manifest in release.manifests]
    commands = [
        f"{degrade_command(spec.name, spec.version, split)}{root} --out DEGRADED/{split}"
        for split in splits
    ]
    compare = ""
    if is_all and len(splits) == 1:
        compare = ", and compare them with this release"
        commands.append(f"rass-bench release check FOLDER --data-root DEGRADED/{splits[0]}")
    name = markdown_code(origin.shown_source)
    folder = "" if shipped else f" ({name} stands for the folder that holds its clean photos)"
    return [
        f"To make them again{folder}{compare}:",
        "\n".join(["```sh", *map(one_line, commands), "```"]),
    ]
