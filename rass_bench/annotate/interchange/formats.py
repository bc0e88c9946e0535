"""Names of the formats that masks come in and go out, light enough for the command line."""

from __future__ import annotations

from enum import StrEnum


class MaskFormat(StrEnum):
    """What masks that were drawn elsewhere are read from."""

    PNG = "png"
    """A folder of label maps, numbered as the data set's definition says."""

    COCO = "coco"
    """A JSON file of polygons or run lengths."""

    PANOPTIC = "panoptic"
    """A JSON file beside a folder of PNG files whose colours number segments."""

    LABELME = "labelme"
    """A folder of JSON files, one a photo."""


class ExportFormat(StrEnum):
    """What a data set's masks are written as."""

    COCO = "coco"
    """A JSON file of compressed run lengths."""

    PANOPTIC = "panoptic"
    """A JSON file, and a folder of PNG files of the same name beside it."""
