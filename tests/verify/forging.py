"""What a forger of runs would do, and asking for the verdict on it."""

import io
import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.evaluate.folder import RunFolder
from rass_bench.evaluate.rescore import recorded_request
from rass_bench.evaluate.score import save_per_image, score_predictions
from rass_bench.files import sha256_bytes, sha256_file
from rass_bench.record import load_record
from rass_bench.verify.rerun import Here
from rass_bench.verify.verdict import Level
from rass_bench.verify.verify import verify


def quiet(what, total):
    return nullcontext(lambda: None)


def verdict_on(run, level=Level.INTEGRITY, samples=2, seed=0, **here):
    return verify(run, level, samples=samples, seed=seed, here=Here(**here), progress=quiet)


def failures(verdict):
    """The checks that failed, each with what it says of it."""
    assert verdict.holds == (False not in {check.holds for check in verdict.checks})
    return {
        check.name: f"{check.note} | {check.expected} | {check.found}"
        for check in verdict.checks
        if check.holds is False
    }


def read_record(folder):
    return json.loads((folder / "record.json").read_text("utf-8"))


def write_record(folder, record):
    (folder / "record.json").write_text(json.dumps(record, indent=2), "utf-8")


def edit_record(folder, place, change):
    """Replace the entry of ``record.json`` that a path of keys leads to by what it changes to."""
    record = read_record(folder)
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = change(inner[place[-1]])
    write_record(folder, record)


def numbers(document, place=()):
    """Every number in a JSON document, by the path of keys that leads to it."""
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    else:
        is_number = isinstance(document, int | float) and not isinstance(document, bool)
        return {place: document} if is_number else {}
    return {
        key: one for name, inner in items for key, one in numbers(inner, (*place, name)).items()
    }


def change_pixel(path, value=None):
    """Change one pixel of a stored prediction by the least that there is."""
    pixels = np.array(Image.open(path))
    row, column = pixels.shape[0] // 2, pixels.shape[1] // 2
    pixels[row, column] = pixels[row, column] ^ 1 if value is None else value
    Image.fromarray(pixels).save(path)


def rewrite_table(folder, change):
    """Edit ``per_image.parquet`` as a data frame."""
    path = folder / "per_image.parquet"
    frame = pd.read_parquet(path)
    frame = change(frame)
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    path.write_bytes(stream.getvalue())


def rehash(folder):
    """Make every hash in a run's folder that of the files that lie there now."""
    index = json.loads((folder / "predictions.json").read_text("utf-8"))
    for entry in index["files"].values():
        entry["sha256"] = sha256_file(folder / entry["file"])
    (folder / "predictions.json").write_text(json.dumps(index, indent=2), "utf-8")
    journal = folder / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    for line in lines:
        line["sha256"] = sha256_bytes((folder / f"predictions/{line['id']}.png").read_bytes())
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    record = read_record(folder)
    record["files"] = {name: sha256_file(folder / name) for name in record["files"]}
    write_record(folder, record)


def score_anew(folder):
    """Make every number of a run follow from the predictions that lie there, as `run` would."""
    rehash(folder)
    loaded = load_record(folder)
    request = recorded_request(loaded, folder)
    dataset = open_dataset(request.dataset, request.data_root, request.split)
    table = pd.read_parquet(folder / "per_image.parquet", columns=["id", "seconds"])
    scores = score_predictions(
        RunFolder(folder),
        dataset,
        [sample for sample in dataset.samples if sample.id in set(table["id"])],
        tuple(loaded.metrics),
        scale=dataset.spec.scale,
        seed=request.seed,
        skip_errors=False,
        advance=lambda: None,
    )
    seconds = dict(zip(table["id"], table["seconds"], strict=True))
    save_per_image(folder / "per_image.parquet", scores, seconds)
    replace(loaded, metrics=scores.metrics, per_class=scores.per_class).save(folder)
    rehash(folder)
