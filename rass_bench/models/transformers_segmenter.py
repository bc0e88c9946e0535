"""Segmentation networks of the transformers library, by Hub id or local folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rass_bench.errors import UserError, require_package
from rass_bench.models.checkpoints import Checkpoint, open_checkpoint
from rass_bench.models.protocols import (
    Image,
    ModelSpec,
    ParameterCount,
    Prediction,
    ScoreWindow,
)
from rass_bench.models.published import PUBLISHED, Windows, short_side, size_rule, window_starts
from rass_bench.models.registry import ADAPTERS, Adapter, Kind, Runtime

if TYPE_CHECKING:
    import torch

TASK = "the task is semantic"
"""OneFormer's text input for semantic segmentation."""


class TransformersSegmenter:
    """A network of one of the families in ``models/published.py``, tested as published there.

    Class scores are handed over at the network's own stride and brought to the photo's size in
    one interpolation. mmsegmentation interpolates twice, by way of the test size.

    Args:
        checkpoint: config and weights.
        device: where to compute.

    Raises:
        UserError: unreadable or incomplete weights, classes of no known label space, missing
            tokenizer.
    """

    spec: ModelSpec
    parameters: ParameterCount | None

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        import torch

        from rass_bench.models.devices import count_parameters

        label_space = checkpoint.label_space
        self._test = PUBLISHED[checkpoint.model_type]
        self._side = short_side(checkpoint.model_type, checkpoint.config, checkpoint.processor)
        self._device = device
        self._network = load_network(checkpoint).eval().to(device)
        self._inputs = _task_inputs(checkpoint, device)
        self._mean = torch.tensor(checkpoint.mean, device=device)[:, None, None]
        self._std = torch.tensor(checkpoint.std, device=device)[:, None, None]
        self.parameters = count_parameters(self._network)
        self.spec = ModelSpec(
            name=checkpoint.name,
            revision=checkpoint.revision,
            title=checkpoint.title,
            licence=checkpoint.licence,
            label_space=label_space,
            size_rule=size_rule(checkpoint.model_type, self._side, checkpoint.mean),
            weights_url=checkpoint.url,
            weights_sha256=checkpoint.weights_sha256,
            paper=None,
            extra="models",
        )

    def predict(self, images: Sequence[Image]) -> Sequence[Prediction]:
        """See :class:`rass_bench.models.protocols.Segmenter`.

        One photo at a time: a batch would change low bits with its neighbours.
        """
        import torch

        with torch.no_grad():
            return [self._predict_one(image) for image in images]

    def _predict_one(self, image: Image) -> Prediction:
        import torch

        # A copy: arrays that Pillow hands out are read-only, which PyTorch does not support.
        pixels = torch.from_numpy(np.array(image)).to(self._device).permute(2, 0, 1)
        pixels = (pixels.float() / 255 - self._mean) / self._std
        if self._test.windows is Windows.WHOLE and not self._test.queries:
            return self._class_scores(pixels)
        height, width = pixels.shape[1:]
        rows, columns = height, width
        if self._test.windows is not Windows.WHOLE:
            rows = columns = self._side
        return tuple(
            self._window(pixels[:, top : top + rows, left : left + columns], top, left)
            for top in window_starts(self._test.windows, height, rows)
            for left in window_starts(self._test.windows, width, columns)
        )

    def _window(self, pixels: torch.Tensor, top: int, left: int) -> ScoreWindow:
        height, width = pixels.shape[1:]
        if not self._test.queries:
            return ScoreWindow(top, left, height, width, self._class_scores(pixels))
        answer = self._network(pixels[None], **self._inputs)
        masks = answer.masks_queries_logits[0].float().cpu().numpy()
        # The last class is "no object".
        classes = answer.class_queries_logits[0].float().softmax(dim=-1)[:, :-1].cpu().numpy()
        return ScoreWindow(top, left, height, width, masks, np.ascontiguousarray(classes))

    def _class_scores(self, pixels: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Class scores at the network's stride, float32 (K, h, w)."""
        scores = class_scores(self._network, pixels[None])
        array: np.ndarray[Any, np.dtype[np.float32]] = scores[0].float().cpu().numpy()
        return array


def class_scores(network: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Class scores (N, K, h, w) at a network's own stride.

    Args:
        network: of a family without queries.
        pixels: float32 (N, 3, H, W), normalised.
    """
    family = type(network).__name__
    if family == "UperNetForSemanticSegmentation":
        # Its forward would interpolate K scores to the input's size.
        features = network.backbone.forward_with_filtered_kwargs(pixels)
        scores: torch.Tensor = network.decode_head(features.feature_maps)
    elif family == "DPTForSemanticSegmentation":
        scores = _dpt_scores(network, pixels)
    else:
        scores = network(pixels).logits
    return scores


def _dpt_scores(network: Any, pixels: torch.Tensor) -> torch.Tensor:
    """DPT's class scores (N, K, h, w) of photos that need not be square.

    The library's forward does not tell the neck how patches lie, and the neck takes a square.
    """
    side = network.config.patch_size
    grid = {"patch_height": pixels.shape[2] // side, "patch_width": pixels.shape[3] // side}
    handle = network.neck.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {**kwargs, **grid}), with_kwargs=True
    )
    try:
        scores: torch.Tensor = network(pixels).logits
    finally:
        handle.remove()
    return scores


def load_network(checkpoint: Checkpoint, classes: Sequence[str] | None = None) -> Any:
    """The network of a checkpoint, computing in float32.

    Args:
        checkpoint: config and weights.
        classes: names of the classes that it is to be trained on, or None to test it. For
            training, an auxiliary head is left out, and where their number is another than the
            checkpoint's, the last layer is drawn anew from PyTorch's global generator.

    Raises:
        UserError: unreadable or incomplete weights, or a package that the network needs.
    """
    import torch
    import transformers
    from safetensors import SafetensorError

    # Its bar is drawn into logs and pipes too, where it hides what matters.
    transformers.utils.logging.disable_progress_bar()
    network = getattr(transformers, PUBLISHED[checkpoint.model_type].network)
    surplus = len(checkpoint.class_names) - len(classes) if classes is not None else 0
    try:
        config = network.config_class.from_pretrained(checkpoint.folder, local_files_only=True)
        if classes is not None:
            _prepare_training(config, classes)
        model, report = network.from_pretrained(
            checkpoint.folder,
            config=config,
            ignore_mismatched_sizes=surplus != 0,
            local_files_only=True,
            use_safetensors=True,
            # Half-precision files are computed in float32: figures must not depend on storage.
            dtype=torch.float32,
            output_loading_info=True,
        )
    except ImportError as error:
        raise UserError(
            f"the network needs a package: {str(error).strip().splitlines()[0]}",
            str(checkpoint.folder),
            "Install it.",
        ) from None
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise UserError(
            f"the checkpoint cannot be loaded: {str(error).strip().splitlines()[0]}",
            str(checkpoint.folder),
            "Download it again; config.json and the weights must belong together.",
        ) from None
    _check_tensors(report, surplus, checkpoint.folder)
    return model


def _prepare_training(config: Any, classes: Sequence[str]) -> None:
    """Set a configuration's classes and leave its auxiliary head out."""
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: index for index, name in enumerate(classes)}
    if hasattr(config, "use_auxiliary_head"):
        config.use_auxiliary_head = False


def _check_tensors(report: dict[str, Any], surplus: int, folder: Path) -> None:
    """Refuse weights that lack a tensor, or hold one of another size but for its classes.

    Args:
        report: what ``from_pretrained`` tells of loading.
        surplus: how many classes the weights have more than the network.
        folder: where they lie, for the message.
    """
    unfit = sorted(report["missing_keys"])
    unfit += [
        name
        for name, stored, made in sorted(report["mismatched_keys"])
        if stored[0] - made[0] != surplus or stored[1:] != made[1:]
    ]
    if unfit:
        raise UserError(
            f"the weights lack {len(unfit)} of the network's tensors, {unfit[0]} first",
            str(folder),
            "config.json and the weights must belong together; a backbone alone cannot segment.",
        )


def _task_inputs(checkpoint: Checkpoint, device: torch.device) -> dict[str, Any]:
    """What a network takes beside pixels: OneFormer's tokens (1, 77) of its task."""
    if checkpoint.model_type != "oneformer":
        return {}
    missing = [
        name
        for name in ("vocab.json", "merges.txt")
        if not checkpoint.folder.joinpath(name).is_file()
    ]
    if missing:
        raise UserError(
            f"OneFormer needs its tokenizer; {' and '.join(missing)} not found",
            str(checkpoint.folder),
            "Save the processor beside the network: OneFormerProcessor.save_pretrained(folder).",
        )
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
    length = int(checkpoint.config.get("task_seq_len", 77))
    tokens = tokenizer(
        TASK, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    return {"task_inputs": tokens["input_ids"].to(device)}


def load_folder(folder: Path, runtime: Runtime) -> TransformersSegmenter:
    """Load a checkpoint folder.

    Raises:
        UserError: see :class:`TransformersSegmenter`.
    """
    return _from_argument(str(folder), runtime)


def _from_argument(argument: str, runtime: Runtime) -> TransformersSegmenter:
    from rass_bench.models.devices import prepare

    require_package("torch", "models")
    require_package("transformers", "models")
    device = prepare(runtime)
    return TransformersSegmenter(open_checkpoint(argument), device)


ADAPTERS.add(
    "transformers",
    Adapter(
        prefix="transformers",
        kind=Kind.SEGMENTER,
        title=f"Hub id or folder: {', '.join(sorted(PUBLISHED))}",
        example="transformers:nvidia/segformer-b0-finetuned-ade-512-512",
        load=_from_argument,
        extra="models",
    ),
)
