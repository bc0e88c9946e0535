"""Restorers without weights: nothing, bicubic interpolation, non-local means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage

from rass_bench.models.protocols import Image, ModelSpec, ParameterCount, Restorer
from rass_bench.models.registry import MODELS, Kind, ModelEntry, Runtime

NLM_STRENGTH = 8.0
"""Chosen on photos degraded by the preset ``rass``, seed 0: the mean PSNR over RGB rises by 0.35 dB
on 15 ADE20K photos (long side 384) and by 1.6 dB on 16 scenes; 6 gives 0.32 and 1.2, 10 gives 0.34
and 1.8 but harms more of the photos that have little noise."""

NLM_TEMPLATE = 5
NLM_SEARCH = 15


def enlarge(photo: Image, height: int, width: int) -> Image:
    """Resize a photo bicubically, as "bicubic" rows in super-resolution tables do.

    Pillow's kernel is Keys' cubic with a = -0.5 [Keys 1981], MATLAB's too. OpenCV's has
    a = -0.75 and gives other figures: 27.15 instead of 27.11 dB on RealSR's x4 crops.

    Args:
        photo: RGB uint8 (H, W, 3).
        height: rows of the result.
        width: columns of the result.

    Returns:
        RGB uint8 (height, width, 3).
    """
    resized = PillowImage.fromarray(photo).resize((width, height), PillowImage.Resampling.BICUBIC)
    return np.asarray(resized)


class Identity:
    """Leaves photos as they are: the row that every restorer is compared with."""

    spec = ModelSpec(name="identity", revision="1", title="No restoration", licence="Apache-2.0")
    parameters: ParameterCount | None = ParameterCount(total=0, trainable=0)

    def restore(self, images: Sequence[Image]) -> Sequence[Image]:
        """See :class:`rass_bench.models.protocols.Restorer`."""
        return images


class Bicubic:
    """Enlarges photos four times with :func:`enlarge`."""

    spec = ModelSpec(
        name="bicubic", revision="1", title="Bicubic x4", licence="Apache-2.0", scale=4
    )
    parameters: ParameterCount | None = ParameterCount(total=0, trainable=0)

    def restore(self, images: Sequence[Image]) -> Sequence[Image]:
        """See :class:`rass_bench.models.protocols.Restorer`."""
        return [enlarge(photo, 4 * photo.shape[0], 4 * photo.shape[1]) for photo in images]


class NonLocalMeans:
    """OpenCV's non-local means on L and on a, b of CIELAB [Buades, Coll, Morel 2011].

    Filter strength 8 for both, patches of 5 x 5 in a window of 15 x 15.
    """

    spec = ModelSpec(
        name="nlm",
        revision="1",
        title="Non-local means (OpenCV)",
        licence="Apache-2.0",
        paper="Buades, Coll, Morel: Non-Local Means Denoising, IPOL 2011",
    )
    parameters: ParameterCount | None = ParameterCount(total=0, trainable=0)

    def __init__(self, threads: int = 1) -> None:
        import cv2

        cv2.setNumThreads(threads)

    def restore(self, images: Sequence[Image]) -> Sequence[Image]:
        """See :class:`rass_bench.models.protocols.Restorer`."""
        return [_denoise(photo) for photo in images]


def _denoise(photo: Image) -> Image:
    import cv2

    # OpenCV takes BGR. The order matters: its L is a weighted sum of the three.
    denoised = cv2.fastNlMeansDenoisingColored(
        np.ascontiguousarray(photo[:, :, ::-1]),
        h=NLM_STRENGTH,
        hColor=NLM_STRENGTH,
        templateWindowSize=NLM_TEMPLATE,
        searchWindowSize=NLM_SEARCH,
    )
    return np.ascontiguousarray(denoised[:, :, ::-1])


def _identity(runtime: Runtime) -> Restorer:
    del runtime  # nothing is computed
    return Identity()


def _bicubic(runtime: Runtime) -> Restorer:
    del runtime  # Pillow computes on one thread
    return Bicubic()


def _non_local_means(runtime: Runtime) -> Restorer:
    return NonLocalMeans(runtime.threads)


for _spec, _load in (
    (Identity.spec, _identity),
    (Bicubic.spec, _bicubic),
    (NonLocalMeans.spec, _non_local_means),
):
    MODELS.add(
        _spec.name,
        ModelEntry(_spec.name, Kind.RESTORER, _spec.title, _spec.licence, _load, paper=_spec.paper),
    )
