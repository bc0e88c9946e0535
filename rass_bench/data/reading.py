"""Reading one sample, with every check that its files belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rass_bench.data.dataset import Dataset
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError
from rass_bench.images import oriented_size, read_image
from rass_bench.labels import IGNORE, LabelEncoding, read_label_map


def read_truth(dataset: Dataset, sample: Sample) -> NDArray[np.uint8]:
    """The sample's label map, uint8 (H, W), checked to have the photo's size.

    Raises:
        UserError: no label, unreadable label, ids outside the label space, another size.
    """
    space, encoding = dataset.spec.labels, dataset.spec.label_encoding
    if sample.label is None or space is None or encoding is None:
        raise UserError(
            "the data set has no labels to score a segmentation against",
            dataset.spec.key,
            "Use --protocol restore, or a data set with annotations.",
        )
    labels = read_label_map(sample.label, space, LabelEncoding(encoding))
    height, width = labels.shape
    photo_width, photo_height = oriented_size(sample.image)
    if (photo_width, photo_height) != (width, height):
        raise UserError(
            f"the label map has {width} x {height} pixels, "
            f"the photo {photo_width} x {photo_height}",
            str(sample.label),
            "Photo and label must have one size; was the photo rotated or resized?",
        )
    return labels


def classes_present(dataset: Dataset, sample: Sample) -> tuple[str, ...]:
    """Names of the classes in the sample's label map, the one with the most pixels first.

    Raises:
        UserError: see :func:`read_truth`.
    """
    labels = read_truth(dataset, sample)
    space = dataset.spec.labels
    names = space.names if space is not None else ()
    pixels = np.bincount(labels[labels != IGNORE], minlength=len(names))
    order = np.argsort(-pixels, kind="stable")
    return tuple(names[index] for index in order if pixels[index])


def read_reference(sample: Sample, scale: int) -> NDArray[np.uint8] | None:
    """The clean or high-resolution photo, RGB uint8 (H * scale, W * scale, 3), or None.

    Raises:
        UserError: unreadable, or its size is not the photo's times ``scale``.
    """
    if sample.reference is None:
        return None
    reference = read_image(sample.reference)
    width, height = oriented_size(sample.image)
    if reference.shape[:2] != (height * scale, width * scale):
        raise UserError(
            f"the reference has {reference.shape[1]} x {reference.shape[0]} pixels, expected "
            f"{width * scale} x {height * scale} (photo x {scale})",
            str(sample.reference),
            "Check that the pair belongs together and the data set's scale.",
        )
    return reference
