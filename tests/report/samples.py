"""Made-up content of a report, of any size, whose numbers mean nothing."""

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from rass_bench.report.content import (
    Bin,
    BoardContent,
    Cell,
    Classes,
    Confirmation,
    Content,
    Curve,
    Details,
    Factor,
    Front,
    ImageScores,
    Layer,
    Line,
    Metric,
    Picture,
    Slope,
)

SCRIPT = "<script>alert(1)</script><img src=nowhere onerror=alert(1)>"
HOSTILE = (
    SCRIPT,
    "</script><svg onload=alert(1)>",
    "__proto__",
    "constructor",
    "\u202eright to left",
    "x" * 300,
    '=HYPERLINK("http://example.org", "a|b")',
    r"50 % & more_of--$it# ^~ {\input{a}} \\",
)
"""Names that a page must show as they are."""

PROTOCOLS = {
    "dt": "direct test: segment the photo as it is",
    "r2s": "restore, then segment",
    "ft": "trained on degraded photos, then tested as it is",
    "restore": "restore, and score the image",
}
SEGMENTATION = (
    Metric("miou/gt-present", "miou/gt-present@1 ↑ %", True, True),
    Metric("miou/union", "miou/union@1 ↑ %", True, True),
    Metric("aacc", "aacc@1 ↑ %", True, True),
)
RESTORATION = (
    Metric("psnr/y601", "psnr/y601@1 ↑ dB", True, False),
    Metric("maniqa/pipal", "maniqa/pipal@1 ↑", True, False),
    Metric("lpips/alex", "lpips/alex@1 ↓", False, False),
)
CLASSES = Classes(
    ("wall", "sky", "tree", "road", "car", "person"),
    ("#787878", "#06e6e6", "#04c803", "#8c8c8c", "#0066c8", "#96053d"),
)
DEVICES = ("cpu (AMD EPYC, 2 cores)", "cuda (NVIDIA H200)")


def content(boards=2, models=6, images=40, *, pictures=3, reported=3, hostile=False):
    """A report; every third board is one of restoration.

    Args:
        boards: data sets.
        models: measured lines of each.
        images: images of each.
        pictures: images of each that are there to look at.
        reported: reported lines of each.
        hostile: whether models, images, classes and notes have names that do harm where a page
            takes them for more than text.
    """
    made = tuple(
        board(
            f"b{index}",
            models,
            images,
            pictures=pictures,
            reported=reported,
            restores=index % 3 == 1,
            hostile=hostile,
        )
        for index in range(boards)
    )
    return Content(SCRIPT if hostile else "Low-quality photos", PROTOCOLS, made)


def board(name, models, images, *, pictures=3, reported=3, restores=False, hostile=False):
    """A board of segmentation with pictures, or one of restoration without labels."""
    rng = np.random.default_rng(int(name[1:]))
    metrics = RESTORATION if restores else SEGMENTATION
    names = _names(models + reported, hostile)
    main = metrics[0]
    strength = np.sort(rng.uniform(size=models))[::-1]
    values = np.clip(strength[:, None] + rng.normal(0, 0.1, (models, images)), 0, 1)
    values = values if main.is_percent else 20 + 15 * values
    values[0, : images // 20] = np.nan
    measured = [
        _measured(
            f"{name}l{index}", names[index], index, metrics, values[index], rng=rng, hostile=hostile
        )
        for index in range(models)
    ]
    measured = _ranked(measured, main)
    if restores:
        measured = [replace(line, protocol="restore", restorer=None) for line in measured]
    others = [
        _reported(f"{name}l{models + index}", names[models + index], index, metrics)
        for index in range(reported)
    ]
    if restores:
        others = [replace(line, protocol="restore") for line in others]
    lines = [*measured, *others, _apart(f"{name}l{models + reported}", measured[-1])]
    classes = replace(CLASSES, names=HOSTILE[:6]) if hostile else CLASSES
    ids = tuple(f"{HOSTILE[i % 8]}{i}" if hostile else f"img_{i:05d}" for i in range(images))
    return BoardContent(
        id=name,
        name=f"{'photos' if restores else 'scenes'}-{name}@1.0",
        version="1.2.0 (2026-11-23)",
        images=f"{images} images of {name}@1.0, split val",
        notice=f"A demonstration: made-up scenes. {SCRIPT if hostile else ''}".strip(),
        link=f"../leaderboards/{name}@1.0",
        metrics=metrics,
        lines=tuple(lines),
        confirmations=_confirmations(main, measured, others),
        factors=_factors(measured, rng),
        fronts=_fronts(measured, main),
        slopes=_slopes(measured),
        scores=ImageScores(main.id, ids, tuple(line.id for line in measured), values),
        classes=None if restores else classes,
        pictures=tuple(_picture(ids[i], i, measured[:3], classes) for i in range(pictures)),
        images_left_out=images - pictures,
    )


def _names(count, hostile):
    kinds = ("segformer-b0", "mask2former", "rass", "pem", "upernet-swin", "feedformer")
    plain = [f"{kinds[i % 6]}-{i // 6}" if i >= 6 else kinds[i] for i in range(count)]
    return [*HOSTILE, *plain][:count] if hostile else plain


def _cell(metric, value, spread=None):
    scale = 100 if metric.is_percent else 1
    ci95 = None if spread is None else (value - spread, value + spread)
    text = "–" if ci95 is None else f"{scale * ci95[0]:.1f}–{scale * ci95[1]:.1f}"
    return Cell(f"{scale * value:.2f}", value, ci95, text, None, "", None)


def _measured(line_id, name, index, metrics, values, *, rng, hostile):
    """A line whose main number is the mean of its images; every fourth has a number missing."""
    main = float(np.nanmean(values))
    spread = float(1.96 * np.nanstd(values) / np.sqrt(len(values)))
    cells = {metrics[0].id: _cell(metrics[0], main, spread)}
    for metric in metrics[1:]:
        value = main * 0.9 if metric.is_percent else float(rng.uniform(0.2, 0.7))
        cells[metric.id] = _cell(metric, value, 0.01)
    if index % 4 == 3:
        del cells[metrics[-1].id]
    protocol = ("dt", "r2s", "ft")[index % 3]
    restorer = "scr@mini-0123456789ab" if protocol == "r2s" else None
    model = f"{name}@{index:012x}"
    parameters = int(rng.integers(1_000_000, 300_000_000))
    return Line(
        id=line_id,
        name=f"{restorer} → {model}" if restorer else model,
        model=model,
        restorer=restorer,
        protocol=protocol,
        kind="verified" if index % 5 == 0 else "measured",
        test_size="short side 512, long side up to 2048",
        prompt="as the weights say" if index % 6 == 2 else None,
        source=None,
        fps=None if index % 7 == 6 else float(rng.uniform(0.5, 80)),
        device=DEVICES[index % 2],
        parameters=parameters,
        trainable_parameters=parameters // (index % 3 + 1),
        all_parameters=parameters + (900_000_000 if restorer else 0),
        licence=("apache-2.0", "cc-by-nc-4.0", "mit")[index % 3],
        record=f"line-{index}",
        link=f"../leaderboards/{line_id[:2]}@1.0/records/line-{index}",
        verdict="rescore" if index % 5 == 0 else None,
        note=SCRIPT if hostile else None,
        cells=cells,
        details=_details(name, index, metrics, rng, hostile),
    )


def _details(name, index, metrics, rng, hostile):
    per_class = [None if i == 4 else float(v) for i, v in enumerate(rng.uniform(size=6))]
    has_labels = metrics is SEGMENTATION
    return Details(
        title=f"{name}, which segments",
        paper="javascript:alert(1)" if hostile else "https://arxiv.org/abs/2602.14042",
        weights_sha256=f"{index:064x}",
        restorer_title="SCR, which restores" if index % 3 == 1 else None,
        command=f"rass-bench evaluate --dataset scenes-rass --model '{name}'",
        finished="2026-11-23T09:15:00Z",
        environment=(("python", "3.11.2"), ("torch", "2.9.0"), ("commit", "0123456789ab")),
        per_class=tuple(per_class) if has_labels else (),
    )


def _ranked(lines, metric):
    """Ranks by the main metric within each protocol; a range where neighbours overlap."""
    placed = []
    for line in lines:
        rivals = [one.cells[metric.id] for one in lines if one.protocol == line.protocol]
        cell = line.cells[metric.id]
        first = 1 + sum(one.ci95[0] > cell.ci95[1] for one in rivals)
        last = len(rivals) - sum(one.ci95[1] < cell.ci95[0] for one in rivals)
        text = f"{first}" if first == last else f"{first}–{last}"
        cell = replace(cell, rank=(first, last, len(rivals)), rank_text=text)
        placed.append(replace(line, cells=line.cells | {metric.id: cell}))
    return placed


def _reported(line_id, name, index, metrics):
    value = 0.47 if metrics[0].is_percent else 24.5
    rank = index + 1
    cell = _cell(metrics[0], value - index / 100)
    cells = {metrics[0].id: replace(cell, rank=(rank, rank, 3), rank_text=f"{rank}")}
    return Line(
        id=line_id,
        name=name,
        model=name,
        restorer=None,
        protocol="ft",
        kind="reported",
        test_size=None,
        prompt=None,
        source="Guan et al., IJCV 2026 (arXiv 2602.14042): Table 1, degraded ADE20K-val, FT",
        fps=3.4,
        device=None,
        parameters=1_788_700_000,
        trainable_parameters=27_900_000,
        all_parameters=1_788_700_000,
        licence=None,
        record=None,
        link=None,
        verdict=None,
        note=None,
        cells=cells,
        details=None,
    )


def _apart(line_id, line):
    """A line that stands in no ranking."""
    cells = {
        metric: replace(cell, rank=None, rank_text="", not_ranked="other photos: scenes@1.0")
        for metric, cell in line.cells.items()
    }
    return replace(line, id=line_id, cells=cells)


def _confirmations(metric, measured, others):
    return tuple(
        Confirmation(
            reported=other.name,
            measured=line.name,
            metric=metric.id,
            reported_text=other.cells[metric.id].text,
            measured_text=line.cells[metric.id].text,
            difference_text=("+0.12", "-3.40", "+0.30")[index % 3],
            tolerance_text=("0.5: half a point", "0.5: half a point", "")[index % 3],
            within=(True, False, None)[index % 3],
        )
        for index, (other, line) in enumerate(zip(others, measured, strict=False))
    )


def _factors(lines, rng):
    axes = {
        "blur": "blur, sigma in pixels",
        "resolution": "downscaling, times",
        "noise": "noise, sigma in grey levels",
        "jpeg": "JPEG quality",
    }
    bins = tuple(Bin(i, i + 1.0, i + 0.5, 8) for i in range(5))
    factors = []
    for name, axis in axes.items():
        curves = []
        for line in lines:
            middle = rng.uniform(0.3, 0.6) - 0.03 * np.arange(5)
            ci95 = tuple((float(v) - 0.02, float(v) + 0.02) for v in middle)
            curves.append(Curve(line.id, (*map(float, middle[:4]), None), (*ci95[:4], None)))
        factors.append(Factor(name, axis, name == "jpeg", bins, tuple(curves)))
    return tuple(factors)


def _fronts(lines, metric):
    fronts = []
    for device in DEVICES:
        known = [line for line in lines if line.device == device and line.fps is not None]
        known.sort(key=lambda line: -line.fps)
        best = [
            line.id
            for i, line in enumerate(known)
            if all(line.cells[metric.id].value > one.cells[metric.id].value for one in known[:i])
        ]
        fronts.append(Front("fps", device, tuple(line.id for line in known), tuple(best)))
    return tuple(fronts)


def _slopes(lines):
    """Three lines in a row stand for one model under three protocols."""
    return tuple(
        Slope(lines[i].model, tuple((line.protocol, line.id) for line in lines[i : i + 3]))
        for i in range(0, len(lines) - 2, 3)
    )


def _picture(name, index, lines, classes):
    """Stripes of classes under noise, 96 x 64."""
    rng = np.random.default_rng(index)
    truth = np.repeat(np.arange(96) // 16, 64).reshape(96, 64).T.astype(np.uint8)
    palette = np.array([list(bytes.fromhex(colour[1:])) for colour in classes.colours], np.uint8)
    clean = palette[truth]
    noise = rng.normal(0, 40, clean.shape)
    photo = np.clip(clean + noise, 0, 255).astype(np.uint8)
    layers = [
        Layer("photo", "photo", None, _uri(photo)),
        Layer("reference", "clean", None, _uri(clean)),
        Layer("truth", "truth", None, _label_uri(truth, palette)),
    ]
    for shift, line in enumerate(lines):
        if line.restorer:
            layers.append(Layer("restored", "restored", line.id, _uri(clean // 2 + photo // 2)))
        predicted = np.roll(truth, 5 * (shift + 1), axis=1)
        layers.append(Layer("prediction", line.name, line.id, _label_uri(predicted, palette)))
    return Picture(name, 96, 64, ("blur: gaussian, sigma 1.4", "JPEG, quality 43"), tuple(layers))


def _uri(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _label_uri(labels, palette):
    """A label map whose lowest eight rows are ignored."""
    opaque = np.full(labels.shape, 255, np.uint8)
    opaque[-8:] = 0
    return _uri(np.dstack([palette[labels], opaque]))
