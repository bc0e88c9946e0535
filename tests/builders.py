"""Small data sets and models on disk, for tests that need real files."""

import signal
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

CONSTANT_MODEL = '''
import numpy as np
from rass_bench.models.protocols import ModelSpec, ParameterCount, SizeRule


class Oracle:
    """Reads each pixel's class off its red value: right wherever the photo was not changed."""

    def __init__(self, runtime):
        self.spec = ModelSpec(
            name="red-reader", revision="1", title="reads red", licence="CC0-1.0",
            label_space="ade20k-150",
        )
        self.parameters = ParameterCount(total=7, trainable=3)

    def predict(self, images):
        return [np.minimum(image[:, :, 0], 149) for image in images]


class Darken:
    """Takes 10 grey levels away, so that Oracle behind it errs."""

    def __init__(self, runtime):
        self.spec = ModelSpec(name="darken", revision="1", title="darkens", licence="CC0-1.0")
        self.parameters = None

    def restore(self, images):
        return [np.where(image >= 10, image - 10, 0).astype(np.uint8) for image in images]
'''


def accept_interrupts() -> None:
    """For ``preexec_fn``: a shell's background job, and what it starts, ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def model_file(folder: Path) -> Path:
    """A plug-in file with the classes Oracle and Darken."""
    path = folder / "models.py"
    path.write_text(CONSTANT_MODEL)
    return path


def labelled_set(root: Path, count: int = 4, size: tuple[int, int] = (12, 16)) -> Path:
    """A data set `tiny` in the ade layout whose photos hold their own class ids in red.

    Photo i has class 20 + i on its left half and class 40 on its right one; its first row is
    ignored.
    """
    height, width = size
    for folder in ("images/test", "annotations/test"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        ids = np.full((height, width), 40, dtype=np.uint8)
        ids[:, : width // 2] = 20 + index
        photo = np.stack([ids, ids // 2, 255 - ids], axis=2)
        raw = ids + 1
        raw[0] = 0
        Image.fromarray(photo).save(root / "images/test" / f"p{index}.png")
        Image.fromarray(raw).save(root / "annotations/test" / f"p{index}.png")
    (root / "dataset.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "tiny",
                "version": "1.0",
                "title": "Tiny labelled photos",
                "layout": "ade",
                "splits": {"test": count},
                "licence": "CC0-1.0",
                "homepage": "https://example.org",
                "obtain": "Made by a test.",
                "label_space": "ade20k-150",
                "label_encoding": "zero-is-ignore",
            }
        )
    )
    return root
