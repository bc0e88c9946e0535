"""Publish a version of the data set: ``python -m rass_bench.data.scenes [CHECKOUT]``.

Writes ``datasets/scenes/pixels-<split>.json``, the class table on standard output (for the card),
and ``reports/scenes.png``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from rass_bench.data.scenes.pixels import pixel_sha256
from rass_bench.data.scenes.render import Scene, render_scene, scene_id
from rass_bench.data.scenes.sheet import contact_sheet
from rass_bench.data.spec import load_spec
from rass_bench.files import write_bytes, write_json
from rass_bench.labels import load_label_space

SHOWN = (12, 7, 32, 27, 34, 5, 36, 31, 18, 33, 28, 19)
"""Scenes of ``val`` on the contact sheet."""


def main(checkout: Path) -> None:
    """Render everything once and write what is published about it."""
    spec = load_spec("scenes")
    space = load_label_space("ade20k-150")
    tables = {}
    for split in spec.splits:
        scenes = [render_scene(split.name, index) for index in range(split.count or 0)]
        hashes = {scene_id(i): pixel_sha256(s.image, s.labels) for i, s in enumerate(scenes)}
        write_json(
            checkout / "datasets" / "scenes" / f"pixels-{split.name}.json",
            {"dataset": spec.key, "split": split.name, "scenes": hashes},
        )
        tables[split.name] = np.array(
            [np.bincount(s.labels.ravel(), minlength=256) for s in scenes]
        )
    sys.stdout.write("| class | id | pixels of train | images of train | images of val |\n")
    sys.stdout.write("|---|---:|---:|---:|---:|\n")
    train, val = tables["train"], tables["val"]
    for index in np.argsort(-train.sum(axis=0)):
        if train[:, index].any():
            share = train[:, index].sum() / train.sum()
            sys.stdout.write(
                f"| {space.names[index]} | {index} | {share:.2%} | "
                f"{int((train[:, index] > 0).sum())} | {int((val[:, index] > 0).sum())} |\n"
            )
    write_sheet(checkout / "reports" / "scenes.png", [render_scene("val", i) for i in SHOWN])


def write_sheet(path: Path, scenes: list[Scene]) -> None:
    """Write the contact sheet, reduced, as a small PNG."""
    sheet = contact_sheet(scenes, load_label_space("ade20k-150"), columns=6)
    small = cv2.resize(sheet, None, fx=0.68, fy=0.68, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    write_bytes(path, cv2.imencode(".png", small[:, :, ::-1], options)[1].tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
