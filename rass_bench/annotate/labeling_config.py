"""Label Studio's labelling configuration, written from a label space, and its fingerprint.

A label's alias is its class id as text (``ignore`` for pixels of no class). Results name the
alias, the page shows the name, so that names can be read and ids cannot be mistaken.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rass_bench.errors import UserError
from rass_bench.files import canonical_json, sha256_bytes
from rass_bench.labels import LabelClass, LabelSpace

IMAGE_TAG = "image"
"""Name of the object that is labelled, and its key in a task's data."""

SAMPLE_KEY = "sample"
"""Key of the sample id in a task's data."""

LABELS_TAG = "classes"
"""Name of the control that draws regions."""

IGNORE_ALIAS = "ignore"
"""Alias of the label of pixels that have no class or cannot be recognised."""

IGNORE_COLOUR = "#ff00ff"
"""No class of ADE20K-150 has it, and it is seen on dark photos as on bright ones."""

HOTKEYS = tuple("1234567890qtasdfgzxc")
"""For the first classes of a label space. The page's tools own b, e, h, k, m, o, p, r, u, v, w."""

NO_HOTKEY = "\u200b"
"""A character that is on no keyboard, for all other labels: to one without a hotkey the page gives
the next free letter, those of its tools among them (``e`` would relabel a region, not erase)."""

IGNORE_HOTKEY = "n"
FILTER_HOTKEY = "shift+f"

BLOCK = 30
"""The most classes in one alphabetical group."""

_COLUMN = (
    "flex: 0 0 300px; height: 88vh; overflow-y: auto; padding-right: 10px; position: sticky; top: 0"
)
PHOTO_WIDTH = "88%"
"""Of the space beside the column: the slider of the brush's size would cover a photo's border."""

_MAX_CONFIG = 1_000_000


@dataclass(frozen=True)
class Group:
    """Classes that stand together under a heading."""

    title: str
    classes: tuple[LabelClass, ...]


def labeling_config(space: LabelSpace) -> str:
    """The configuration as XML.

    On the left a column that scrolls by itself: a box that filters the labels, and the classes in
    groups; on the right the photo. Only the brush and its eraser are offered.
    """
    view = ET.Element("View", style="display: flex; align-items: flex-start")
    column = ET.SubElement(view, "View", style=_COLUMN)
    ET.SubElement(
        column,
        "Filter",
        name="filter",
        toName=LABELS_TAG,
        hotkey=FILTER_HOTKEY,
        minlength="1",
        placeholder="Find a class (Shift+F)",
    )
    labels = ET.SubElement(
        column,
        "BrushLabels",
        name=LABELS_TAG,
        toName=IMAGE_TAG,
        choice="single",
        showInline="false",
    )
    _add_group(labels, "No class", [_ignore_label()])
    names = class_titles(space)
    for group in class_groups(space):
        _add_group(labels, group.title, [_label(entry, names[entry.id]) for entry in group.classes])
    photo = ET.SubElement(view, "View", style="flex: 1; min-width: 0")
    ET.SubElement(photo, "Header", value=f"${SAMPLE_KEY}", size="6")
    ET.SubElement(
        photo,
        "Image",
        name=IMAGE_TAG,
        value=f"${IMAGE_TAG}",
        zoom="true",
        zoomControl="true",
        rotateControl="false",
        brightnessControl="true",
        contrastControl="true",
        maxWidth=PHOTO_WIDTH,
    )
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def class_groups(space: LabelSpace) -> tuple[Group, ...]:
    """The classes in groups for people to look through; every class is in exactly one.

    The first classes, those with a hotkey, come first: ADE20K-150 numbers its classes by how
    many pixels they have. The others stand by kind and alphabetically, in blocks of ``BLOCK``.
    """
    first, rest = space.classes[: len(HOTKEYS)], space.classes[len(HOTKEYS) :]
    groups = [Group("Frequent" if rest else "Classes", first)]
    for kind, is_stuff in (("Stuff", True), ("Things", False)):
        chosen = sorted((entry for entry in rest if entry.is_stuff is is_stuff), key=_by_name)
        for start in range(0, len(chosen), BLOCK):
            block = tuple(chosen[start : start + BLOCK])
            title = kind if len(chosen) <= BLOCK else f"{kind} {_initials(block)}"
            groups.append(Group(title, block))
    return tuple(groups)


def class_titles(space: LabelSpace) -> tuple[str, ...]:
    """What the page calls each class, in id order: the first synonym.

    A name that two classes share is followed by the further synonyms, or by the id.

    Raises:
        UserError: a name that the page could not show as it is.
    """
    times = Counter((*space.names, IGNORE_ALIAS))
    titles = []
    for entry in space.classes:
        _check_name(entry.name)
        further = [word for word in entry.synonyms if word != entry.name]
        hint = ", ".join(further) or alias(entry.id)
        titles.append(entry.name if times[entry.name] == 1 else f"{entry.name} ({hint})")
    return tuple(titles)


def alias(class_id: int) -> str:
    """The alias of a class."""
    return str(class_id)


@dataclass(frozen=True)
class ConfigLabel:
    """A label as a configuration states it: what results name, and what people read."""

    alias: str
    title: str


def config_fingerprint(xml: str) -> str:
    """SHA-256 of what a configuration says about results: controls, labels and aliases.

    Colours, hotkeys, headings and the order of labels may change without changing it.

    Raises:
        UserError: no configuration; see :func:`config_labels`.
    """
    root = _parsed(xml)
    controls = sorted(
        [element.tag, element.get("name", ""), element.get("toName", "")]
        for element in root.iter()
        if element.get("toName") is not None and element.tag != "Filter"
    )
    objects = sorted(
        [element.tag, element.get("name", ""), element.get("value", "")]
        for element in root.iter("Image")
    )
    labels = sorted([label.alias, label.title] for label in config_labels(xml))
    return sha256_bytes(canonical_json([controls, objects, labels]))


def config_labels(xml: str) -> tuple[ConfigLabel, ...]:
    """The labels of a configuration, in its order; a label without an alias is its own.

    Raises:
        UserError: no well-formed XML, or two labels that results could not tell apart.
    """
    labels = []
    for element in _parsed(xml).iter("Label"):
        title = element.get("value", "")
        labels.append(ConfigLabel(element.get("alias") or title, title))
    for field in ("alias", "title"):
        times = Counter(getattr(label, field) for label in labels)
        twice = [text for text, count in times.items() if count > 1]
        if twice:
            raise UserError(
                f"two labels have the {field} {twice[0]!r}",
                "labelling configuration",
                "Results could not tell them apart. Remove labeling_config.xml and write it anew "
                "with `rass-bench annotate init`.",
            )
    return tuple(labels)


def config_differences(ours: str, theirs: str) -> Sequence[str]:
    """What sets two configurations apart in the labels that results can name, one line each.

    Raises:
        UserError: see :func:`config_labels`.
    """
    mine = {label.alias: label.title for label in config_labels(ours)}
    other = {label.alias: label.title for label in config_labels(theirs)}
    lines = [f"label {key!r} ({mine[key]}) is gone" for key in mine if key not in other]
    lines += [f"label {key!r} ({other[key]}) is new" for key in other if key not in mine]
    lines += [
        f"label {key!r} is {other[key]!r} instead of {mine[key]!r}"
        for key in mine
        if key in other and mine[key] != other[key]
    ]
    return lines or ["the labels are the same, the controls that draw them are not"]


def _parsed(xml: str) -> ET.Element:
    if len(xml) > _MAX_CONFIG or "<!" in xml.replace("<!--", ""):
        # No configuration declares entities; some lines of them can stand for all memory.
        raise UserError(
            "the configuration is too long, or declares entities",
            "labelling configuration",
            "Remove labeling_config.xml and write it anew with `rass-bench annotate init`.",
        )
    try:
        return ET.fromstring(xml)
    except ET.ParseError as error:
        raise UserError(
            f"no well-formed XML: {error}",
            "labelling configuration",
            "Remove labeling_config.xml and write it anew with `rass-bench annotate init`.",
        ) from None


def _check_name(name: str) -> None:
    """Refuse names that XML cannot hold, and those that Label Studio reads as a key of data."""
    if not name.isprintable() or not name.strip() or name.startswith("$"):
        raise UserError(
            f"the class name {name!r} cannot be shown on a page",
            "label space",
            "Rename the class: visible characters, and no $ in front.",
        )


def _add_group(labels: ET.Element, title: str, entries: Sequence[dict[str, str]]) -> None:
    group = ET.SubElement(labels, "View")
    ET.SubElement(group, "Header", value=title, size="6")
    for attributes in entries:
        ET.SubElement(group, "Label", attributes)


def _label(entry: LabelClass, title: str) -> dict[str, str]:
    red, green, blue = entry.colour
    attributes = {
        "value": title,
        "alias": alias(entry.id),
        "background": f"#{red:02x}{green:02x}{blue:02x}",
        "hotkey": HOTKEYS[entry.id] if entry.id < len(HOTKEYS) else NO_HOTKEY,
    }
    if entry.synonyms:
        attributes["hint"] = ", ".join(dict.fromkeys(entry.synonyms))
    return attributes


def _ignore_label() -> dict[str, str]:
    return {
        "value": "ignore",
        "alias": IGNORE_ALIAS,
        "background": IGNORE_COLOUR,
        "hotkey": IGNORE_HOTKEY,
        "hint": "cannot be recognised, or none of the classes",
    }


def _by_name(entry: LabelClass) -> tuple[str, int]:
    return entry.name.casefold(), entry.id


def _initials(block: Sequence[LabelClass]) -> str:
    first, last = block[0].name[:1], block[-1].name[:1]
    return f"{first}–{last}" if first != last else first
