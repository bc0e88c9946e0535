"""The embedded data set: small outdoor scenes rendered from seeds, with pixel-exact labels.

It is a demonstration and a test bed, no measure of how a model does on real photos.

Image and labels come from the same geometry: flat panels, leaf balls, height fields and a ground
plane, seen by a pinhole camera and drawn into one depth buffer. Everything is float64 numpy, so
that last-bit differences between processors practically never cross a rounding border; the
published pixel hashes (``datasets/scenes/pixels-<split>.json``) tell whether they did.

Any change to the renderer that alters a pixel makes another data set: raise ``version`` in
``datasets/scenes/dataset.yaml``, publish new hashes (``python -m rass_bench.data.scenes``), train
the demonstration baseline anew.
"""

from rass_bench.data.scenes.pixels import PixelReport, check_pixels, pixel_sha256
from rass_bench.data.scenes.render import Scene, render_scene, scene_id
from rass_bench.data.scenes.sheet import contact_sheet
from rass_bench.data.scenes.store import render_split

__all__ = [
    "PixelReport",
    "Scene",
    "check_pixels",
    "contact_sheet",
    "pixel_sha256",
    "render_scene",
    "render_split",
    "scene_id",
]
