"""What a report shows, gathered once; the page, the figures and the LaTeX tables draw from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cell:
    """One number of a line.

    Attributes:
        text: the number as people read it, ``–`` where there is none.
        value: full precision in the metric's own unit; None where there is none.
        ci95: 95 % interval over images in the metric's own unit; None of reported numbers.
        ci95_text: the interval as people read it, ``–`` where there is none.
        rank: best and worst place, and rows of the ranking; None outside of rankings.
        rank_text: the places as people read them, empty outside of rankings.
        not_ranked: why the number stands in no ranking, in words; None where it does.
    """

    text: str
    value: float | None
    ci95: tuple[float, float] | None
    ci95_text: str
    rank: tuple[int, int, int] | None
    rank_text: str
    not_ranked: str | None


@dataclass(frozen=True)
class Details:
    """What a record says beside its numbers.

    Attributes:
        title: one line on the model.
        paper: address of the paper, or None.
        weights_sha256: hash of the weights, or None.
        restorer_title: one line on the restorer in front, or None.
        command: the command that repeats the run.
        finished: UTC, ISO 8601.
        environment: names and values, in an order to read them in.
        per_class: one IoU a class in id order, 0..1, None where undefined; empty without labels.
    """

    title: str
    paper: str | None
    weights_sha256: str | None
    restorer_title: str | None
    command: str
    finished: str
    environment: tuple[tuple[str, str], ...]
    per_class: tuple[float | None, ...]


@dataclass(frozen=True)
class Line:
    """All numbers of one measurement, or of one method in one source, under one protocol.

    Attributes:
        id: unique in the report, letters and digits: ``b0l3`` is line 3 of board 0.
        name: what ran, as people read it: ``restorer → model``.
        model: ``name@revision`` of the model, or the method as its source names it.
        restorer: the same of what restores first, or None.
        protocol: ``dt``, ``r2s``, ``ft`` or ``restore``.
        kind: ``reported``, ``measured`` or ``verified``.
        test_size: how photos are brought to the model's size; None where not stated.
        prompt: where prompt and latent come from, in words; None for most models.
        source: paper, table and column of a reported line; None of a measured one.
        fps: images a second; None where not known.
        device: what a measured ``fps`` holds on; None of a reported line.
        parameters: parameters of the model, without a restorer's.
        trainable_parameters: those that training changes.
        all_parameters: parameters of everything that runs, a restorer in front included; None
            where not known.
        licence: of a measured model's weights; None of a reported line.
        record: name of the record on its board, or of the run's folder; None of a reported line.
        link: address of the record, relative to the page; None where there is none.
        verdict: level of the check that stands behind it; None without one.
        note: what else a reader must know; None for nothing.
        cells: numbers by metric id.
        details: of a measured line.
    """

    id: str
    name: str
    model: str
    restorer: str | None
    protocol: str
    kind: str
    test_size: str | None
    prompt: str | None
    source: str | None
    fps: float | None
    device: str | None
    parameters: int | None
    trainable_parameters: int | None
    all_parameters: int | None
    licence: str | None
    record: str | None
    link: str | None
    verdict: str | None
    note: str | None
    cells: dict[str, Cell]
    details: Details | None


@dataclass(frozen=True)
class Metric:
    """A column of numbers.

    Attributes:
        id: ``name/variant``.
        heading: with version, unit and arrow, as people read it.
        higher_is_better: direction.
        is_percent: whether people read it in percent.
    """

    id: str
    heading: str
    higher_is_better: bool
    is_percent: bool


@dataclass(frozen=True)
class Confirmation:
    """A reported and a measured number of one model, side by side.

    Attributes:
        reported: the method as its source names it.
        measured: what was measured.
        metric: id of the metric.
        reported_text: the reported number.
        measured_text: the measured one.
        difference_text: measured minus reported, with its sign.
        tolerance_text: how far both may lie apart and where that comes from; empty where not known.
        within: whether they lie within it; None where that is not known.
    """

    reported: str
    measured: str
    metric: str
    reported_text: str
    measured_text: str
    difference_text: str
    tolerance_text: str
    within: bool | None


@dataclass(frozen=True)
class Bin:
    """A share of the images: those of similar strength.

    Attributes:
        low: the weakest of them.
        high: the strongest of them.
        middle: their median, where the bin is drawn.
        images: how many.
    """

    low: float
    high: float
    middle: float
    images: int


@dataclass(frozen=True)
class Curve:
    """A metric of one line in each bin, in the metric's own unit; None where undefined."""

    line: str
    values: tuple[float | None, ...]
    ci95: tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True)
class Factor:
    """A metric against the strength of one part of the degradation.

    Attributes:
        name: ``blur``, ``resolution``, ``noise`` or ``jpeg``.
        axis: what the strength is, with its unit, for people.
        harder_when_lower: whether less of it is worse, as with JPEG quality.
        bins: from low to high.
        curves: one a line.
    """

    name: str
    axis: str
    harder_when_lower: bool
    bins: tuple[Bin, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Front:
    """Lines that are not beaten in both quality and cost by another of their group.

    Attributes:
        axis: ``fps`` or ``all_parameters``, a field of a line.
        group: what the lines share: the device, or the source.
        lines: ids of all of the group.
        best: ids of the front's, from the cheapest to the dearest.
    """

    axis: str
    group: str
    lines: tuple[str, ...]
    best: tuple[str, ...]


@dataclass(frozen=True)
class Slope:
    """One model under several protocols.

    Attributes:
        model: the name in the plot.
        points: protocol and line id, in the order DT, R2S, FT; two at least of different protocols.
    """

    model: str
    points: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ImageScores:
    """The main metric of each image, for the lines of a board that kept it.

    Attributes:
        metric: id of the metric.
        ids: the images.
        lines: ids of the lines.
        values: float64 (lines, images) in the metric's own unit; NaN where undefined.
    """

    metric: str
    ids: tuple[str, ...]
    lines: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """One view of an image.

    Attributes:
        kind: ``photo`` (low quality), ``reference`` (clean), ``restored``, ``truth`` or
            ``prediction``.
        title: for people.
        line: the line that made it; None of what the data set holds.
        uri: the picture as a data URI; label maps in the exact colours of the label space, ignored
            pixels transparent.
    """

    kind: str
    title: str
    line: str | None
    uri: str


@dataclass(frozen=True)
class Picture:
    """An image with all views of it.

    Attributes:
        id: the sample.
        width: of the views, in pixels.
        height: of the views, in pixels.
        recipe: how it was degraded, a step a text; empty where not known.
        layers: the views: photo, reference, truth, then one or more a line.
    """

    id: str
    width: int
    height: int
    recipe: tuple[str, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Classes:
    """A label space: names and ``#rrggbb`` colours by id, no two colours alike."""

    names: tuple[str, ...]
    colours: tuple[str, ...]


@dataclass(frozen=True)
class BoardContent:
    """One data set.

    Attributes:
        id: unique in the report: ``b0``.
        name: the board's name.
        version: the board's semantic version with its date; empty where runs stand on no board.
        images: what was measured on, in words.
        notice: what must be said beside every number; None for nothing.
        link: address of the board's folder, relative to the page; None where there is none.
        metrics: the columns, the main one first.
        lines: ranked measured ones first, then reported ones, then those that stand apart.
        confirmations: reported beside measured numbers.
        factors: the main metric against degradation strength; empty where recipes are not known.
        fronts: Pareto fronts of the main metric.
        slopes: models under several protocols.
        scores: per image; None where no line kept them.
        classes: the label space; None without labels.
        pictures: images to look at.
        images_left_out: images that have predictions at hand and are not among the pictures.
    """

    id: str
    name: str
    version: str
    images: str
    notice: str | None
    link: str | None
    metrics: tuple[Metric, ...]
    lines: tuple[Line, ...]
    confirmations: tuple[Confirmation, ...]
    factors: tuple[Factor, ...]
    fronts: tuple[Front, ...]
    slopes: tuple[Slope, ...]
    scores: ImageScores | None
    classes: Classes | None
    pictures: tuple[Picture, ...]
    images_left_out: int


@dataclass(frozen=True)
class Content:
    """A report.

    Attributes:
        title: the page's title.
        protocols: titles by name.
        boards: the data sets, in the order of their names.
    """

    title: str
    protocols: dict[str, str]
    boards: tuple[BoardContent, ...]
