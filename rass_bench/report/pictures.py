"""Images with what models made of them, small enough to stand in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.dataset import Dataset, build_manifest, open_dataset
from rass_bench.data.manifest import Sample
from rass_bench.data.reading import read_truth
from rass_bench.data.spec import spec_names
from rass_bench.data_uri import mask_uri, photo_uri
from rass_bench.degrade.recipe import describe, from_json
from rass_bench.errors import UserError
from rass_bench.evaluate.folder import RunFolder
from rass_bench.evaluate.rescore import recorded_request
from rass_bench.evaluate.restored import restored_before
from rass_bench.evaluate.score import read_prediction
from rass_bench.images import read_image
from rass_bench.record import RunRecord, load_record
from rass_bench.report.content import Layer, Picture

SIDE = 384
"""Longest side of a picture in pixels."""

QUALITY = 88
"""Of JPEG: what a restorer adds or takes away must stay visible."""


@dataclass(frozen=True)
class Drawn:
    """The pictures of a board, and how many images were left out of those that have any."""

    pictures: tuple[Picture, ...]
    left_out: int


def draw_pictures(lent: Mapping[str, Path], most: int, most_bytes: int) -> Drawn:
    """Draw images that runs have predictions of, evenly spread over their ids.

    Args:
        lent: by line id, the folder of a run with its predictions; all of one data set.
        most: how many images, at most.
        most_bytes: how many characters the pictures may take together; the images that go beyond
            are left out.

    Raises:
        UserError: the data are not where a run found them, or were changed since, as were its
            predictions; two runs are of different photos.
    """
    runs = [_open_run(line, folder) for line, folder in lent.items()]
    if not runs:
        return Drawn((), 0)
    found = {one.id: one for run in runs for one in run.dataset.samples if one.id in run.hashes}
    samples = [found[key] for key in sorted(found)]
    places = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    pictures: list[Picture] = []
    room = most_bytes
    for sample in (samples[place] for place in places):
        picture = _picture(sample, runs)
        room -= sum(len(layer.uri) for layer in picture.layers)
        if room < 0:
            break
        pictures.append(picture)
    return Drawn(tuple(pictures), len(samples) - len(pictures))


@dataclass(frozen=True)
class _Run:
    """A run that lends its predictions.

    Attributes:
        line: the line of its numbers.
        folder: where its predictions lie.
        record: its record.
        dataset: its data.
        hashes: SHA-256 of photo and label map of each image that it scored, by id.
    """

    line: str
    folder: RunFolder
    record: RunRecord
    dataset: Dataset
    hashes: dict[str, tuple[str, str | None]]


def _open_run(line: str, folder: Path) -> _Run:
    record, run = load_record(folder), RunFolder(folder)
    scored = run.load_index().keys() - {entry.id for entry in record.not_scored}
    request = recorded_request(record, folder)
    if request.dataset not in spec_names() and not Path(request.dataset).is_dir():
        raise UserError(
            f"the data set of the run is not there: {request.dataset}",
            str(folder),
            "Make the report in the folder that the run was started in, or leave the run out.",
        )
    dataset = open_dataset(request.dataset, request.data_root, request.split)
    manifest = build_manifest(dataset, [one for one in dataset.samples if one.id in scored])
    if manifest.sha256() != record.dataset.manifest_sha256:
        raise UserError(
            "the data differ from those of the run",
            str(dataset.root),
            f"Restore them, or leave the run {folder} out.",
        )
    hashes = {one.id: (one.image_sha256, one.label_sha256) for one in manifest.entries}
    return _Run(line, run, record, dataset, hashes)


def _picture(sample: Sample, runs: Sequence[_Run]) -> Picture:
    having = [run for run in runs if sample.id in run.hashes]
    if len({run.hashes[sample.id] for run in having}) > 1:
        raise UserError(
            f"the photo or the label map {sample.id} differs between runs of one data set",
            ", ".join(str(run.folder.path) for run in having),
            "Report runs on different files one by one.",
        )
    dataset = having[0].dataset
    photo = read_image(sample.image)
    layers = [Layer("photo", "photo", None, photo_uri(photo, SIDE, QUALITY))]
    if sample.reference is not None and sample.reference.is_file():
        clean = read_image(sample.reference)
        layers.append(Layer("reference", "reference", None, photo_uri(clean, SIDE, QUALITY)))
    space = dataset.spec.labels
    if sample.label is not None and space is not None:
        truth = read_truth(dataset, sample)
        layers.append(Layer("truth", "ground truth", None, mask_uri(truth, space, SIDE)))
    for run in having:
        layers += _made(run, sample, photo)
    recipe = dataset.recipes.get(sample.id)
    height, width = photo.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return Picture(
        id=sample.id,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        recipe=() if recipe is None else tuple(describe(from_json(recipe, sample.id))),
        layers=tuple(layers),
    )


def _made(run: _Run, sample: Sample, photo: NDArray[np.uint8]) -> list[Layer]:
    """What a run made of a photo: restored, predicted, or both."""
    record, path, space = run.record, run.folder.prediction(sample.id), run.dataset.spec.labels
    if record.protocol == "restore":
        return [_restored(run.line, record.model.name, read_image(path))]
    layers = []
    restored = None if record.restorer is None else restored_before(record.restorer.key, photo)
    # The cache may have forgotten it: then the prediction stands alone.
    if restored is not None and record.restorer is not None:
        layers.append(_restored(run.line, record.restorer.name, restored))
    if space is not None:
        uri = mask_uri(_read_labels(path, photo), space, SIDE)
        layers.append(Layer("prediction", f"prediction of {record.model.name}", run.line, uri))
    return layers


def _read_labels(path: Path, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    labels = read_prediction(path)
    if labels.dtype != np.uint8 or labels.shape != photo.shape[:2]:
        raise UserError(
            "the prediction is no 8-bit grey picture of its photo's size",
            str(path),
            "Run again with --resume to make it.",
        )
    return labels


def _restored(line: str, name: str, image: NDArray[np.uint8]) -> Layer:
    return Layer("restored", f"restored by {name}", line, photo_uri(image, SIDE, QUALITY))
