"""Pictures of results: a grid with one photo a row and one view of it a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rass_bench.labels import IGNORE, LabelSpace

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PAPER = (255, 255, 255)
_INK = (32, 33, 36)
_FAINT = (110, 112, 116)

_HEAT = np.array(
    [(22, 20, 60), (98, 32, 122), (202, 62, 96), (249, 152, 62), (255, 243, 176)], dtype=np.float64
)
"""RGB from the lowest value to the highest, evenly spaced; brightness rises all the way."""

_HOT = _HEAT[3]

_NARROWEST = 150
"""The narrowest column, and the shortest scale of a heat map, for panels of 256 pixels."""

_LEGEND_CLASSES = 20
"""How many classes the legend names; it tells the number of further ones."""


@dataclass(frozen=True)
class Panel:
    """One view of a photo.

    Attributes:
        title: one or two words, written above the column.
        image: RGB uint8 (H, W, 3).
        labels: the label map that the image shows, uint8 (H, W), for the legend; or None.
        extent: lowest and highest value of a heat map, for the scale below it; or None.
    """

    title: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    extent: tuple[float, float] | None = None


@dataclass(frozen=True)
class PictureRow:
    """The views of one photo, from left to right."""

    panels: tuple[Panel, ...]


def photo_panel(title: str, photo: NDArray[np.uint8]) -> Panel:
    """A photo as it is, RGB uint8 (H, W, 3)."""
    return Panel(title, photo)


def label_panel(title: str, labels: NDArray[np.uint8], space: LabelSpace) -> Panel:
    """A label map, uint8 (H, W), in the colours of its space; ignored pixels are hatched black.

    Raises:
        ValueError: an id that the space lacks.
    """
    outside = labels[(labels >= space.size) & (labels != IGNORE)]
    if outside.size:
        raise ValueError(f"id {outside[0]} is outside {space.name}")
    image = space.palette()[labels]
    image[(labels == IGNORE) & _hatch(*labels.shape)] = _FAINT
    return Panel(title, image, labels=labels)


def heat_panel(title: str, photo: NDArray[np.uint8], values: NDArray[np.floating]) -> Panel:
    """Values over a photo's field of view as colours over the darkened, grey photo.

    Args:
        title: the panel's title.
        photo: RGB uint8 (H, W, 3).
        values: (h, w) of any size; enlarged bilinearly (align_corners=False), the lowest value
            dark violet and the highest bright yellow.

    Raises:
        ValueError: a value that is not finite.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(high - low):
        raise ValueError(f"the values of {title!r} are not finite")
    share = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    height, width = photo.shape[:2]
    enlarged = Image.fromarray(share.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    image = 0.35 * _grey(photo) + 0.65 * _heat(np.asarray(enlarged))
    return Panel(title, _to_uint8(image), extent=(low, high))


def mask_panel(title: str, photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Panel:
    """A mask, bool (H, W), as the hot colour of :func:`heat_panel` over the grey photo."""
    colour = np.where(mask[:, :, None], _HOT, _HEAT[0])
    return Panel(title, _to_uint8(0.35 * _grey(photo) + 0.65 * colour))


def segmentation_row(
    low_quality: NDArray[np.uint8],
    restored: NDArray[np.uint8] | None,
    prediction: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    space: LabelSpace,
) -> PictureRow:
    """Low quality, restored (where there is such a photo), prediction and truth.

    Photos are RGB uint8 (H, W, 3), label maps uint8 (H, W).
    """
    panels = [photo_panel("low quality", low_quality)]
    if restored is not None:
        panels.append(photo_panel("restored", restored))
    panels += [
        label_panel("prediction", prediction, space),
        label_panel("truth", truth, space),
    ]
    return PictureRow(tuple(panels))


def attention_panels(
    photo: NDArray[np.uint8],
    attention: NDArray[np.floating],
    truth: NDArray[np.uint8],
    class_id: int,
    space: LabelSpace,
) -> tuple[Panel, Panel]:
    """Where a network attends to a class, (h, w) of any size, beside where the class is."""
    name = space.classes[class_id].name
    return (
        heat_panel(f"attention of {name}", photo, attention),
        mask_panel(f"mask of {name}", photo, truth == class_id),
    )


def draw_grid(
    rows: Sequence[PictureRow], space: LabelSpace, title: str = "", side: int = 256
) -> NDArray[np.uint8]:
    """Draw rows of panels on white paper, with a legend of the classes in their label maps.

    A panel's title is written where it differs from the one above it, so that a grid of equal
    rows has one line of titles.

    Args:
        rows: the rows; their panels may differ in number and size.
        space: the label space of the label maps.
        title: a line above the grid, or none.
        side: the long side in pixels that panels are shown with: larger ones are shrunk, smaller
            ones enlarged by a whole factor. Text and gaps grow with it; at least 64.

    Returns:
        RGB uint8, of the size that is needed.

    Raises:
        ValueError: no panel at all, or too small a side for text.
    """
    panels = [panel for row in rows for panel in row.panels]
    if not panels:
        raise ValueError("a grid needs a panel")
    if side < 64:
        raise ValueError(f"panels of {side} pixels leave no room for text")
    sheet = _Sheet(
        side,
        widest=max(_fit(panel.image, side).width for panel in panels),
        columns=max(len(row.panels) for row in rows),
    )
    strips = [_title_strip(title, sheet)] if title else []
    above: tuple[str, ...] = ()
    for row in rows:
        strips.append(_row_strip(row, above, sheet))
        above = tuple(panel.title for panel in row.panels)
    maps = [panel.labels for panel in panels if panel.labels is not None]
    if maps:
        strips.append(_legend_strip(maps, space, sheet))
    return _stack(strips, sheet)


@dataclass(frozen=True)
class _Sheet:
    """The measures of a grid: lengths are given for panels of 256 pixels and grow with them."""

    side: int
    widest: int
    columns: int

    @property
    def column(self) -> int:
        """Width of a column: that of the widest panel, and enough for a title."""
        return max(self.widest, self.scaled(_NARROWEST))

    @property
    def gap(self) -> int:
        return self.scaled(10)

    @property
    def width(self) -> int:
        return self.columns * self.column + (self.columns - 1) * self.gap

    def left(self, number: int) -> int:
        """The left edge of a column."""
        return number * (self.column + self.gap)

    def scaled(self, length: int) -> int:
        return max(1, round(length * self.side / 256))

    def font(self, text: str, size: int, width: int) -> _Font:
        """The font of that size, or as much smaller as the text needs to stay in the width."""
        points = float(self.scaled(size))
        # Widths grow in steps, since letters stand on whole pixels: try rather than divide.
        while points > 2 and _font(points).getlength(text) > width:
            points *= 0.95
        return _font(points)


def _title_strip(title: str, sheet: _Sheet) -> Image.Image:
    strip = Image.new("RGB", (sheet.width, sheet.scaled(26)), _PAPER)
    font = sheet.font(title, 18, sheet.width)
    ImageDraw.Draw(strip).text((0, sheet.scaled(17)), title, font=font, fill=_INK, anchor="ls")
    return strip


def _row_strip(row: PictureRow, above: Sequence[str], sheet: _Sheet) -> Image.Image:
    """Titles that are new, the panels, and scales below heat maps."""
    titles = [panel.title for panel in row.panels]
    fresh = [index for index, name in enumerate(titles) if list(above[index : index + 1]) != [name]]
    photos = [_fit(panel.image, sheet.side) for panel in row.panels]
    top = sheet.scaled(20) if fresh else 0
    bottom = top + max((photo.height for photo in photos), default=0)
    scales = any(panel.extent for panel in row.panels)
    height = bottom + (sheet.scaled(20) if scales else 0)
    strip = Image.new("RGB", (sheet.width, height), _PAPER)
    draw = ImageDraw.Draw(strip)
    for index, (panel, photo) in enumerate(zip(row.panels, photos, strict=True)):
        left = sheet.left(index)
        strip.paste(photo, (left, top))
        if index in fresh:
            font = sheet.font(panel.title, 14, sheet.column)
            place = (left, top - sheet.scaled(7))
            draw.text(place, panel.title, font=font, fill=_INK, anchor="ls")
        if panel.extent is not None:
            width = max(photo.width, sheet.scaled(_NARROWEST))
            strip.paste(_scale(panel.extent, width, sheet), (left, top + photo.height))
    return strip


def _scale(extent: tuple[float, float], width: int, sheet: _Sheet) -> Image.Image:
    """A bar of the heat colours between the lowest value and the highest."""
    strip = Image.new("RGB", (width, sheet.scaled(20)), _PAPER)
    draw = ImageDraw.Draw(strip)
    middle = sheet.scaled(12)
    font = _font(sheet.scaled(11))
    low, high = (f"{value:.3g}" for value in extent)
    draw.text((0, middle), low, font=font, fill=_FAINT, anchor="lm")
    draw.text((width, middle), high, font=font, fill=_FAINT, anchor="rm")
    start = round(font.getlength(low)) + sheet.scaled(8)
    length = width - start - round(font.getlength(high)) - sheet.scaled(8)
    shades = np.broadcast_to(np.linspace(0, 1, length), (sheet.scaled(6), length))
    bar = Image.fromarray(_to_uint8(_heat(shades)))
    strip.paste(bar, (start, middle - bar.height // 2))
    return strip


def _legend_strip(
    maps: Sequence[NDArray[np.uint8]], space: LabelSpace, sheet: _Sheet
) -> Image.Image:
    """Colours and names of the most frequent classes, in as many lines as they need."""
    line, swatch = sheet.scaled(22), sheet.scaled(13)
    font = _font(sheet.scaled(13))
    entries: list[tuple[Image.Image | None, str]] = _legend(maps, space, swatch)
    places, left, row = [], 0, 0
    for picture, name in entries:
        length = round(font.getlength(name)) + (swatch + sheet.scaled(6) if picture else 0)
        if left and left + length > sheet.width:
            left, row = 0, row + 1
        places.append((left, row * line))
        left += length + sheet.scaled(18)
    strip = Image.new("RGB", (sheet.width, (row + 1) * line), _PAPER)
    draw = ImageDraw.Draw(strip)
    for (picture, name), (x, y) in zip(entries, places, strict=True):
        middle, start = y + line // 2, x
        if picture is not None:
            strip.paste(picture, (x, middle - swatch // 2))
            start += swatch + sheet.scaled(6)
        draw.text((start, middle), name, font=font, fill=_INK, anchor="lm")
    return strip


def _legend(
    maps: Sequence[NDArray[np.uint8]], space: LabelSpace, swatch: int
) -> list[tuple[Image.Image | None, str]]:
    """A picture and a name for each entry of the legend, the most frequent class first."""
    counts = np.sum([np.bincount(labels.ravel(), minlength=256) for labels in maps], axis=0)
    present = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    classes = [index for index in present if index != IGNORE]
    entries: list[tuple[Image.Image | None, str]] = []
    for index in classes[:_LEGEND_CLASSES]:
        entry = space.classes[index]
        entries.append((Image.new("RGB", (swatch, swatch), entry.colour), entry.name))
    if len(classes) > _LEGEND_CLASSES:
        entries.append((None, f"and {len(classes) - _LEGEND_CLASSES} more"))
    if IGNORE in present:
        ignored = np.full((swatch, swatch), IGNORE, dtype=np.uint8)
        entries.append((Image.fromarray(label_panel("", ignored, space).image), "ignored"))
    return entries


def _stack(strips: Sequence[Image.Image], sheet: _Sheet) -> NDArray[np.uint8]:
    margin = sheet.scaled(16)
    height = sum(strip.height for strip in strips) + (len(strips) - 1) * sheet.gap
    page = Image.new("RGB", (sheet.width + 2 * margin, height + 2 * margin), _PAPER)
    top = margin
    for strip in strips:
        page.paste(strip, (margin, top))
        top += strip.height + sheet.gap
    return np.asarray(page)


def _fit(image: NDArray[np.uint8], side: int) -> Image.Image:
    """Shrink to the long side, or enlarge by a whole factor so that pixels stay squares."""
    photo = Image.fromarray(image)
    long_side = max(photo.size)
    if long_side > side:
        width, height = (max(1, round(length * side / long_side)) for length in photo.size)
        # The box filter mixes colours at edges but, unlike sharper ones, makes up none.
        return photo.resize((width, height), Image.Resampling.BOX)
    factor = side // long_side
    return photo.resize((photo.width * factor, photo.height * factor), Image.Resampling.NEAREST)


def _hatch(height: int, width: int) -> NDArray[np.bool_]:
    """Diagonal lines, about 32 along the long side."""
    rows, columns = np.mgrid[:height, :width]
    period = max(5, max(height, width) // 32)
    stripes: NDArray[np.bool_] = (rows + columns) % period < max(1, period // 4)
    return stripes


def _heat(share: NDArray[np.floating]) -> NDArray[np.float64]:
    """Colours (H, W, 3), 0..255, of values (H, W) in 0..1."""
    stops = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(share, stops, channel) for channel in _HEAT.T], axis=-1)


def _grey(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A photo's luma (H, W, 1), 0..255 (ITU-R BT.601, as Pillow's mode L)."""
    return np.asarray(Image.fromarray(photo).convert("L"), dtype=np.float64)[:, :, None]


def _to_uint8(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(image).astype(np.uint8)


def _font(size: float) -> _Font:
    return ImageFont.load_default(size)
