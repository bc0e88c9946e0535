"""Restoration checkpoints (Real-ESRGAN, SwinIR, SCUNet, ...) through spandrel."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rass_bench.errors import UserError, require_package
from rass_bench.files import sha256_file
from rass_bench.models.protocols import Image, ModelSpec, ParameterCount, SizeRule
from rass_bench.models.registry import ADAPTERS, Adapter, Kind, Runtime
from rass_bench.models.tiling import Pixels, restore_in_tiles
from rass_bench.weights import REVISION_DIGITS, check_weights_file

if TYPE_CHECKING:
    import torch

_NO_MAPPING = (AttributeError, TypeError)
"""What spandrel raises at a pickle that holds something else than tensors by name."""

TILE = 512
"""Side of the largest photo, in input pixels, that is restored in one piece."""

OVERLAP = 64


class SpandrelRestorer:
    """A restoration network whose architecture spandrel recognises from its weights.

    Computes in float32 on every device, so that figures do not depend on it. Photos beyond
    ``TILE`` are restored in overlapping tiles (``models/tiling.py``), except by networks that
    spandrel marks as unfit for it.

    Args:
        path: a ``.safetensors`` or ``.pth`` file; the latter goes through spandrel's restricted
            unpickler, which admits tensors alone.
        device: where to compute.

    Raises:
        UserError: unreadable weights, unknown architecture, or no RGB-to-RGB network.
    """

    spec: ModelSpec
    parameters: ParameterCount | None

    def __init__(self, path: Path, device: torch.device) -> None:
        from spandrel import ModelTiling

        from rass_bench.models.devices import count_parameters

        self._device = device
        self._model = _load(path, device)
        self._tile = TILE if self._model.tiling is ModelTiling.SUPPORTED else None
        self.parameters = count_parameters(self._model.model)
        digest = sha256_file(path)
        self.spec = ModelSpec(
            name=path.name.removesuffix(path.suffix),
            revision=digest[:REVISION_DIGITS],
            title=f"{self._model.architecture.name} x{self._model.scale}",
            licence="not stated in the file",
            size_rule=SizeRule(
                multiple_of=self._model.size_requirements.multiple_of, pad_value=None
            ),
            scale=self._model.scale,
            weights_sha256=digest,
            extra="models",
        )

    def restore(self, images: Sequence[Image]) -> Sequence[Image]:
        """See :class:`rass_bench.models.protocols.Restorer`."""
        return [self._restore_one(image) for image in images]

    def _restore_one(self, image: Image) -> Image:
        photo = image.astype(np.float32) / np.float32(255)
        if self._tile is None:
            restored = self._forward(photo)
        else:
            restored = restore_in_tiles(
                self._forward, photo, self._model.scale, self._tile, OVERLAP
            )
        pixels: Image = np.rint(np.clip(restored, 0, 1) * np.float32(255)).astype(np.uint8)
        return pixels

    def _forward(self, photo: Pixels) -> Pixels:
        import torch

        with torch.no_grad():
            batch = torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1)))[None]
            # spandrel's call mirrors the photo where it is below the network's minimum size.
            restored = self._model(batch.to(self._device))
            pixels: Pixels = restored[0].float().cpu().numpy().transpose(1, 2, 0)
        return pixels


def _load(path: Path, device: torch.device) -> Any:
    from safetensors import SafetensorError
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    check_weights_file(path)
    if path.suffix not in (".safetensors", ".pth"):
        raise UserError(
            f"weights of the kind {path.suffix or 'without suffix'} are not read",
            str(path),
            "Use a .safetensors or .pth file.",
        )
    try:
        model = ModelLoader(device).load_from_file(path)
    except UnsupportedModelError:
        raise UserError(
            "spandrel does not know an architecture with these weights",
            str(path),
            "See its list of architectures; it may need a newer version.",
        ) from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"the file holds more than tensors, which is not loaded: {error}",
            str(path),
            "Ask its author for a safetensors file.",
        ) from None
    except (RuntimeError, ValueError, EOFError, KeyError, SafetensorError, *_NO_MAPPING) as error:
        raise UserError(
            f"the weights cannot be read: {str(error).splitlines()[0]}",
            str(path),
            "Download the file again and compare its SHA-256.",
        ) from None
    if not isinstance(model, ImageModelDescriptor):
        raise UserError("the network inpaints", str(path), "Choose one that takes a photo alone.")
    if (model.input_channels, model.output_channels) != (3, 3):
        raise UserError(
            f"the network maps {model.input_channels} to {model.output_channels} channels",
            str(path),
            "Choose one for RGB photos.",
        )
    return model.eval()


def _from_argument(argument: str, runtime: Runtime) -> SpandrelRestorer:
    from rass_bench.models.devices import prepare

    require_package("torch", "models")
    require_package("spandrel", "models")
    return SpandrelRestorer(Path(argument), prepare(runtime))


ADAPTERS.add(
    "spandrel",
    Adapter(
        prefix="spandrel",
        kind=Kind.RESTORER,
        title="restoration checkpoint: Real-ESRGAN, SwinIR, SCUNet, BSRGAN, ...",
        example="spandrel:/path/RealESRGAN_x4plus.pth",
        load=_from_argument,
        extra="models",
    ),
)
