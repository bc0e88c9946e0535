"""A folder of label maps as PNG files, named as their photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.interchange.photos import (
    Photo,
    check_size,
    files_below,
    photo_named,
    photos_by_id,
)
from rass_bench.labels import LabelEncoding, LabelSpace, read_label_map


def read_png_folder(
    folder: Path, photos: Iterable[Photo], space: LabelSpace, encoding: LabelEncoding
) -> Iterator[tuple[Photo, NDArray[np.uint8]]]:
    """Read label maps one by one, sorted by sample id.

    All names are compared with the photos before the first file is read. A photo without a file
    is not in what comes back: the caller knows which photos it gave.

    Args:
        folder: PNG files, by their photo's path without suffix.
        photos: the photos that may have one.
        space: the classes.
        encoding: how the files number them.

    Yields:
        A photo and its labels, uint8 (H, W), class ids and 255 = ignore.

    Raises:
        UserError: a file that is no PNG, of no photo or of another size, or holds other values.
    """
    known = photos_by_id(photos)
    files = files_below(folder, ".png")
    pairs = [(photo_named(key, known, str(path)), path) for key, path in files]
    for photo, path in pairs:
        labels = read_label_map(path, space, encoding)
        check_size(labels.shape, photo, str(path))
        yield photo, labels
