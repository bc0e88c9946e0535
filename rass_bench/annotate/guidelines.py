"""Guidelines for annotators of low-quality photos, with pictures that the package draws itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.labeling_config import class_groups, class_titles
from rass_bench.data.scenes import Scene, render_scene
from rass_bench.degrade.apply import apply
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.recipe import sample
from rass_bench.files import write_bytes
from rass_bench.images import write_image
from rass_bench.labels import IGNORE, LabelSpace, load_label_space
from rass_bench.pictures import PictureRow, draw_grid, label_panel, photo_panel

GUIDELINES_FILE = "guidelines.md"

PICTURES = "guidelines"
"""Folder of the pictures, beside the text."""

SPLIT = "guidelines"
"""The split that the shown scenes belong to: none that anything is trained or tested on."""

SCENES_LABELS = "ade20k-150"

TOO_SMALL = 24
"""Pixels below which the guidelines leave a thing out: about five by five."""

STREET, LAKE, COUNTRY = 0, 1, 2
"""Scenes that are shown, by their number."""

_TEXT = """\
# How to label these photos

The photos are blurred, noisy, compressed or small, as photos from real life are. Your label maps
decide how well a program sees in them, so label **what is there**, as far as you can tell, not
what the photo's faults look like. Two people label each photo without seeing each other's work;
where they differ much, a third decides.

The pictures below are drawn by a program, from scenes whose true labels are known.

## The rules in short

1. Every pixel gets one class. Fill large areas first, then what stands in front of them: a later
   region lies on top of an earlier one.
2. Decide by the whole photo. A grey patch between a road and a house is a sidewalk because of
   where it is.
3. Put boundaries in the middle of a blurred edge.
4. Name what you can recognise, even where you cannot see its details.
5. Use **ignore** where you cannot tell which of two classes it is even after zooming out, and for
   things of no class in the list. Never guess, and never leave a hole instead.
6. Leave out things below about {too_small} pixels (5 x 5), unless they are all there is to see.

## What counts as a class in a bad photo

Blur, noise and compression change texture, not identity. A tree without leaves to be seen is
still a tree; a car that is eight pixels long and stands on a road is still a car.

![Three scenes: clean, degraded, and the labels that both have]({pictures}/degraded.png)

- **Blur**: the class of a smeared area is the class of the thing, up to the middle of the smear.
- **Noise**: coloured grains in a wall are wall. Do not paint single pixels.
- **Compression**: square blocks and ripples around edges belong to the thing that they surround.
- **Darkness**: raise brightness and contrast with the sliders before you give up.

## Boundaries

Zoom in until you see pixels, then find where the colour is half of one side and half of the
other: there runs the boundary. Do not leave an unlabelled or ignored rim between two classes;
rims are most of what two annotators disagree on.

![A part of a scene enlarged: sharp, blurred, and its labels]({pictures}/boundaries.png)

Paint the thing behind first and a little too far, then the thing in front with a sharp edge.
Thin parts (poles, branches, railings) are labelled when they are at least two pixels wide.
What is seen through a fence or between leaves belongs to the fence or the tree, unless the gap is
larger than a tool tip.

## Small things

Label a small thing when the whole photo tells what it is. A group of things that run together
(people in a crowd, books on a shelf) is one region of their class.

![Small things: the scene, degraded, and which of them are labelled]({pictures}/small.png)

In the right picture, things below {too_small} pixels are hatched: leave them to the class around
them.

## When to use ignore

- The photo does not tell, and you would have to guess: deep shadow, glare, a smear at the border.
- The thing has no class in the list, and no class is close to it.
- Frames, watermarks, dates and text that were laid over the photo.

Ignore is a region like any other: paint it. Pixels that nobody painted are reported as missing
work. More than a tenth of a photo under ignore is worth a note; a photo of which you cannot tell
even the large areas should be **skipped** instead.

![A scene too damaged in places: degraded, and its labels with ignore]({pictures}/ignore.png)

## Reflections, glass, pictures in pictures

- A mirror image on water is water; one on a wet road is road; one in a window is the window.
- What is behind clear glass is labelled as what is behind it when it fills the pane and can be
  recognised; else as the window or the glass.
- A photo, a painting or a screen is one thing; what it shows is not labelled.
- Shadows belong to what they fall on.
- A poster of a car is a poster (painting, signboard), a toy car is a toy.

![Water that mirrors its shore: the scene, degraded, and its labels]({pictures}/reflections.png)

## Working on the page

- **B** is the brush, **E** the eraser, **[** and **]** change its size, **Ctrl+Z** undoes.
- **Shift+F** goes to the box that finds a class by name, **Enter** takes the first one it shows;
  the keys shown beside frequent classes choose them. Click on the photo before the next key.
- Select a region before you paint on: else you begin a new one. One region may have many parts.
- While a region is selected, choosing a class renames it: press **U** first to begin a new one.
- Where a prediction is shown, it is a draft by a program: look at every region of it, remove what
  is wrong, and do not trust its boundaries.
- **Submit** when the whole photo is covered. **Skip** only what nobody could label, and say why.

## The classes

{classes}
"""


def write_guidelines(folder: Path, space: LabelSpace) -> Path:
    """Write ``guidelines.md`` and its pictures.

    Args:
        folder: where to; the pictures come into ``guidelines/`` in it.
        space: the classes that annotators choose from. The pictures show embedded scenes, whose
            classes are those of ADE20K-150, whatever the space is.

    Returns:
        The path of the text.

    Raises:
        OSError: a write failed.
    """
    for name, picture in guideline_pictures().items():
        write_image(folder / PICTURES / f"{name}.png", picture)
    path = folder / GUIDELINES_FILE
    write_bytes(path, guidelines_text(space).encode())
    return path


def guidelines_text(space: LabelSpace) -> str:
    """The guidelines as Markdown."""
    return _TEXT.format(pictures=PICTURES, too_small=TOO_SMALL, classes=_class_list(space))


def guideline_pictures() -> dict[str, NDArray[np.uint8]]:
    """The pictures by name, RGB uint8 (H, W, 3)."""
    space = load_label_space(SCENES_LABELS)
    street, lake, country = (render_scene(SPLIT, number) for number in (STREET, LAKE, COUNTRY))
    corner = _crop(street, 96, 160, 64)
    small = without_small_things(street.labels, TOO_SMALL)
    dark = _degraded(_darkened(country), "noise-5")
    rows = {
        "degraded": [
            _row("clean", street, _degraded(street.image, "blur-5"), street.labels, space),
            _row("clean", lake, _degraded(lake.image, "noise-5"), lake.labels, space),
            _row("clean", country, _degraded(country.image, "resize-5"), country.labels, space),
        ],
        "boundaries": [
            _row("sharp", corner, _crop_of_blurred(street, 96, 160, 64), corner.labels, space)
        ],
        "small": [_row("clean", street, _degraded(street.image, "resize-4"), small, space)],
        "ignore": [_row("clean", country, dark, _too_dark(dark, country.labels), space)],
        "reflections": [_row("clean", lake, _degraded(lake.image, "jpeg-5"), lake.labels, space)],
    }
    return {name: draw_grid(chosen, space) for name, chosen in rows.items()}


def without_small_things(labels: NDArray[np.uint8], fewest: int) -> NDArray[np.uint8]:
    """A label map whose connected parts below a number of pixels are ignored.

    Args:
        labels: uint8 (H, W).
        fewest: parts of one class, connected by sides, with fewer pixels become 255.

    Returns:
        uint8 (H, W).
    """
    import cv2

    made = labels.copy()
    for class_id in np.unique(labels):
        mask = (labels == class_id).astype(np.uint8)
        _, parts, figures, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        small = np.flatnonzero(figures[:, cv2.CC_STAT_AREA] < fewest)
        made[np.isin(parts, small[small > 0])] = IGNORE
    return made


def _row(
    first: str,
    scene: Scene,
    degraded: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    space: LabelSpace,
) -> PictureRow:
    return PictureRow(
        (
            photo_panel(first, scene.image),
            photo_panel("as it comes", degraded),
            label_panel("labels", labels, space),
        )
    )


def _degraded(image: NDArray[np.uint8], preset: str) -> NDArray[np.uint8]:
    """Degrade a photo by a preset, the same way each time."""
    return apply(sample(PRESETS.get(preset), 0, SPLIT), image)


def _crop(scene: Scene, top: int, left: int, side: int) -> Scene:
    window = np.s_[top : top + side, left : left + side]
    return Scene(scene.image[window], scene.labels[window])


def _crop_of_blurred(scene: Scene, top: int, left: int, side: int) -> NDArray[np.uint8]:
    """A part of a blurred photo; blurring the part alone would invent what lies beyond it."""
    return _degraded(scene.image, "blur-4")[top : top + side, left : left + side]


def _darkened(scene: Scene) -> NDArray[np.uint8]:
    """A photo that gets dark towards its right border."""
    width = scene.image.shape[1]
    light = np.clip(np.linspace(1.3, -0.25, width), 0.0, 1.0)[None, :, None]
    return np.rint(scene.image * light).astype(np.uint8)


def _too_dark(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A label map that is ignored from the first column on that shows nothing any more."""
    nothing = image.astype(np.float64).mean(axis=(0, 2)) < 24
    made = labels.copy()
    made[:, int(np.argmax(nothing)) :] = IGNORE
    return made


def _class_list(space: LabelSpace) -> str:
    """The classes in the groups and the order of the page, with their further names."""
    titles = class_titles(space)
    lines = []
    for group in class_groups(space):
        lines += [f"### {group.title}", ""]
        for entry in group.classes:
            further = ", ".join(dict.fromkeys(entry.synonyms))
            lines.append(
                f"- {_plain(titles[entry.id])}" + (f": {_plain(further)}" if further else "")
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: its signs, and those of HTML, are escaped."""
    return "".join(
        f"\\{letter}" if letter in "\\`*_{}[]<>()#+-.!|&~" else letter for letter in text
    )
