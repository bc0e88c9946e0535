"""The QA page: one HTML file that shows a judged set, its worst photos first, with no network."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rass_bench.annotate.qa.findings import Decision, Verdict
from rass_bench.annotate.qa.measures import Measures, Opinion
from rass_bench.annotate.qa.overview import summarise
from rass_bench.data_uri import distinct_palette, hex_colour, mask_uri, photo_uri
from rass_bench.files import write_bytes
from rass_bench.labels import IGNORE, LabelSpace

LoadPhoto: TypeAlias = Callable[[str], tuple[NDArray[np.uint8], Sequence[Opinion]]]
"""A sample's photo, RGB uint8 (H, W, 3), and the opinions on it, for those that are shown."""

SHOWN = 40
"""Photos that are shown with their masks; all are in the table."""

_SIDE = 480
"""Long side of a picture in pixels."""

_BINS = 20
"""Bars of the histogram of agreement."""

_DIFFER = np.array((255, 92, 40), dtype=np.float64)
_ONE_ONLY = np.array((64, 150, 255), dtype=np.float64)

_ORDER = [Decision.FIX, Decision.ADJUDICATE, Decision.PASS]


@dataclass(frozen=True)
class _Chip:
    """A class in a photo's legend."""

    name: str
    colour: str
    iou: float | None


@dataclass(frozen=True)
class _Row:
    """A photo in the table; None where a measure is undefined."""

    sample: str
    decision: Decision
    kappa: float | None
    alpha: float | None
    mean_iou: float | None
    boundary_f1: float | None
    quality: float | None
    unlabelled: float
    specks: int
    seconds: float | None


@dataclass(frozen=True)
class _Card:
    """A photo with its masks.

    Attributes:
        row: its measures.
        verdict: its decision and reasons.
        photo: the photo as a data URI.
        masks: annotator and mask as a data URI, by annotator.
        difference: where annotators differ as a data URI; None for a single annotation.
        chips: the classes, the largest first.
        ratio: width over height.
    """

    row: _Row
    verdict: Verdict
    photo: str
    masks: tuple[tuple[str, str], ...]
    difference: str | None
    chips: tuple[_Chip, ...]
    ratio: float


def write_page(
    path: Path,
    title: str,
    *,
    measures: Sequence[Measures],
    verdicts: Sequence[Verdict],
    space: LabelSpace,
    load: LoadPhoto,
    shown: int = SHOWN,
) -> None:
    """Write the QA page of a set, atomically.

    The page asks no network for anything, and what it shows (names of files, annotators) may come
    from strangers: it is written as text, and the page's own script alone may run.

    Args:
        path: the HTML file.
        title: what the set is called.
        measures: what was measured of each photo.
        verdicts: the decisions on the same photos, in the same order.
        space: the classes.
        load: called for the photos that are shown, one after another.
        shown: photos that are shown with their masks: the worst ones.
    """
    html = render_page(
        title, measures=measures, verdicts=verdicts, space=space, load=load, shown=shown
    )
    write_bytes(path, html.encode())


def render_page(
    title: str,
    *,
    measures: Sequence[Measures],
    verdicts: Sequence[Verdict],
    space: LabelSpace,
    load: LoadPhoto,
    shown: int = SHOWN,
) -> str:
    """The page of :func:`write_page` as text."""
    # Imported here: `--help` renders no page.
    import jinja2
    from markupsafe import Markup

    judged = sorted(zip(measures, verdicts, strict=True), key=lambda pair: _badness(*pair))
    rows = [_row(one, verdict) for one, verdict in judged]
    cards = [
        _card(row, one, verdict, space, load)
        for row, (one, verdict) in zip(rows[:shown], judged[:shown], strict=True)
    ]
    style, script = _resource("page.css"), _resource("page.js")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"number": _number, "percent": _percent, "duration": _duration}
    return environment.from_string(_resource("page.html")).render(
        title=title,
        overview=summarise(measures, verdicts, space),
        rows=rows,
        cards=cards,
        histogram=_histogram([row.kappa for row in rows]),
        names=space.names,
        colours=[hex_colour(colour) for colour in distinct_palette(space)[: space.size]],
        # Our own files are the only text that is not escaped.
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _badness(measures: Measures, verdict: Verdict) -> tuple[int, float, float, str]:
    """Sorts the worst photos first: by decision, agreement, label quality."""
    kappa, quality = measures.worst("kappa"), measures.quality
    return (
        _ORDER.index(verdict.decision),
        1.0 if kappa is None else kappa,
        1.0 if quality is None else quality,
        measures.sample,
    )


def _row(measures: Measures, verdict: Verdict) -> _Row:
    """The worst of each measure over annotators and pairs."""
    singles = measures.singles
    seconds = [one.seconds for one in singles if one.seconds is not None]
    return _Row(
        sample=measures.sample,
        decision=verdict.decision,
        kappa=measures.worst("kappa"),
        alpha=measures.alpha,
        mean_iou=measures.worst("mean_iou"),
        boundary_f1=measures.worst("boundary_f1"),
        quality=measures.quality,
        unlabelled=max((one.shape.unlabelled for one in singles), default=1.0),
        specks=max((one.shape.specks for one in singles), default=0),
        seconds=sum(seconds) if seconds else None,
    )


def _card(
    row: _Row, measures: Measures, verdict: Verdict, space: LabelSpace, load: LoadPhoto
) -> _Card:
    photo, opinions = load(measures.sample)
    maps = [one.labels for one in opinions]
    masks = tuple((one.annotator, mask_uri(one.labels, space, _SIDE)) for one in opinions)
    return _Card(
        row=row,
        verdict=verdict,
        photo=photo_uri(photo, _SIDE),
        masks=masks,
        difference=photo_uri(draw_difference(photo, maps), _SIDE) if len(maps) > 1 else None,
        chips=_chips(measures, space),
        ratio=round(photo.shape[1] / photo.shape[0], 4),
    )


def draw_difference(
    photo: NDArray[np.uint8], maps: Sequence[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Where annotators differ, over the grey, darkened photo.

    Args:
        photo: RGB uint8 (H, W, 3).
        maps: label maps, uint8 (H, W).

    Returns:
        RGB uint8 (H, W, 3): orange where two of them gave different classes, blue where some gave
        a class and others none.
    """
    labelled = np.stack([labels != IGNORE for labels in maps])
    highest = np.max([np.where(labels == IGNORE, 0, labels) for labels in maps], axis=0)
    lowest = np.min(maps, axis=0)  # 255 is the highest: it never hides a class
    differ = (labelled.sum(axis=0) > 1) & (highest != lowest)
    one_only = labelled.any(axis=0) & ~labelled.all(axis=0) & ~differ
    grey = np.asarray(Image.fromarray(photo).convert("L"), dtype=np.float64)[:, :, None]
    image = np.repeat(0.55 * grey, 3, axis=2)
    for where, colour in ((differ, _DIFFER), (one_only, _ONE_ONLY)):
        image[where] = 0.35 * image[where] + 0.65 * colour
    return image.astype(np.uint8)


def _chips(measures: Measures, space: LabelSpace) -> tuple[_Chip, ...]:
    pixels: Counter[int] = Counter()
    for single in measures.singles:
        pixels.update({shape.class_id: shape.pixels for shape in single.shape.classes})
    chips = []
    for class_id, _ in pixels.most_common():
        entry = space.classes[class_id]
        values = [float(pair.agreement.class_iou[class_id]) for pair in measures.pairs]
        iou = min((value for value in values if not np.isnan(value)), default=None)
        chips.append(_Chip(entry.name, hex_colour(entry.colour), iou))
    return tuple(chips)


def _histogram(values: Sequence[float | None]) -> tuple[tuple[float, int, float], ...]:
    """Lower edge, photos and height in percent of each bar of agreement in 0..1.

    What is below 0, agreement worse than chance, is in the first bar.
    """
    known = [value for value in values if value is not None]
    counts, edges = np.histogram(np.clip(known, 0, 1), bins=_BINS, range=(0, 1))
    highest = max(1, int(counts.max()))
    return tuple(
        (float(edge), int(count), 100 * int(count) / highest)
        for edge, count in zip(edges, counts, strict=False)
    )


def _resource(name: str) -> str:
    return (resources.files("rass_bench.annotate.qa") / name).read_text("utf-8")


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
