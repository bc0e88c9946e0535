"""Photos, models and drawn regions for tests of annotation."""

import numpy as np

from rass_bench.annotate.brush_rle import encode_brush
from rass_bench.data.manifest import Sample
from rass_bench.images import write_image
from rass_bench.models.protocols import ModelSpec
from rass_bench.randomness import generator

HEIGHT, WIDTH = 24, 32


def photos(folder, count):
    """Samples of small photos, no two alike."""
    samples = []
    for index in range(count):
        rng = generator(0, str(index), "photo")
        path = folder / f"photo {index}.png"
        write_image(path, rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        samples.append(Sample(f"set/photo {index}", path))
    return samples


class Stripes:
    """A segmenter that sees five classes in stripes as wide as the photo's first pixel says."""

    def __init__(self, revision="1", label_space="ade20k-150"):
        self.parameters = None
        self.spec = ModelSpec(
            name="stripes",
            revision=revision,
            title="stripes",
            licence="CC0-1.0",
            label_space=label_space,
        )

    def predict(self, images):
        return [self.labels(image) for image in images]

    @staticmethod
    def labels(image):
        width = 2 + int(image[0, 0, 0]) % 5
        stripes = (np.arange(image.shape[1]) // width % 5 * 30).astype(np.uint8)
        return np.repeat(stripes[None], image.shape[0], axis=0)


def region(label="13", mask=None, **changes):
    """One drawn region of a result."""
    if mask is None:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[3:9, 4:20] = True
    height, width = mask.shape
    made = {
        "id": f"region-{label}",
        "type": "brushlabels",
        "from_name": "classes",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": encode_brush(np.where(mask, 255, 0).astype(np.uint8)),
            "brushlabels": [label],
        },
    }
    return made | changes
