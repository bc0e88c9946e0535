"""Segmentation networks as ONNX files, each described by a small YAML file beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError, require_package, suggest
from rass_bench.files import read_yaml, sha256_file
from rass_bench.labels import load_label_space
from rass_bench.models.protocols import (
    Image,
    LabelMap,
    ModelSpec,
    ParameterCount,
    Prediction,
    SizeRule,
)
from rass_bench.models.registry import ADAPTERS, Adapter, Kind, Runtime
from rass_bench.weights import REVISION_DIGITS, check_weights_file

LAYOUTS = ("NHWC", "NCHW")
UPSAMPLINGS = ("nearest", "bilinear")


@dataclass(frozen=True)
class OnnxDescription:
    """What an ONNX file does not say about itself, written beside ``net.onnx`` in ``net.yaml``.

    An example, for a network that takes -1..1, letterboxed to 513, with a background channel::

        title: "DeepLabV3, MobileNetV2"
        licence: Apache-2.0
        label_space: ade20k-150
        mean: [127.5, 127.5, 127.5]
        std: [127.5, 127.5, 127.5]
        size_rule: {letterbox: 513, pad_value: 128}
        input_layout: NHWC
        output_layout: NHWC
        label_offset: 1
        upsampling: nearest

    Attributes:
        title: one line for people.
        licence: licence of the weights, as SPDX id where there is one.
        label_space: name of the label space of the output, after ``label_offset``.
        mean: RGB, what is subtracted from pixel values 0..255.
        std: RGB, what the difference is divided by. ``mean: [127.5, 127.5, 127.5]`` with the same
            ``std`` gives the range -1..1; mean 0 and std 255 give 0..1.
        size_rule: how photos are brought to the network's size, with the keys of ``SizeRule``.
        input_layout: ``NHWC`` or ``NCHW``.
        output_layout: ``NHWC`` or ``NCHW``, of float scores.
        label_offset: number of leading output channels that are no class (background, other);
            they are left out.
        upsampling: ``nearest`` takes the best class at the network's size and resizes labels;
            ``bilinear`` interpolates scores first.
        homepage: where the file comes from, or None.
        paper: the paper to cite, or None.
    """

    title: str
    licence: str
    label_space: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size_rule: SizeRule
    input_layout: str = "NCHW"
    output_layout: str = "NCHW"
    label_offset: int = 0
    upsampling: str = "bilinear"
    homepage: str | None = None
    paper: str | None = None


_REQUIRED = ("title", "licence", "label_space", "mean", "std", "size_rule")


def read_description(path: Path) -> OnnxDescription:
    """Read the YAML file beside an ONNX file.

    Raises:
        UserError: missing file, unknown or missing key, or a value of the wrong type.
    """
    raw = _read_mapping(path)
    known = [field.name for field in fields(OnnxDescription)]
    for key in raw:
        if key not in known:
            raise UserError(f"unknown key {key!r}", str(path), suggest(str(key), known))
    for key in _REQUIRED:
        if key not in raw:
            raise UserError(f"the key {key!r} is missing", str(path), "Add it.")
    for key in ("title", "licence", "label_space", "homepage", "paper"):
        if not isinstance(raw.get(key, ""), str):
            raise UserError(f"{key!r} must be text", str(path), f'Write {key}: "...".')
    for key, allowed in (
        ("input_layout", LAYOUTS),
        ("output_layout", LAYOUTS),
        ("upsampling", UPSAMPLINGS),
    ):
        if raw.get(key, allowed[0]) not in allowed:
            raise UserError(f"{key} is {raw[key]!r}", str(path), f"Write {' or '.join(allowed)}.")
    offset = raw.get("label_offset", 0)
    if not isinstance(offset, int) or offset < 0:
        raise UserError(f"label_offset is {offset!r}", str(path), "Write a whole number from 0.")
    load_label_space(raw["label_space"])
    return OnnxDescription(
        **{
            **raw,
            "mean": _triple(raw, "mean", path),
            "std": _triple(raw, "std", path),
            "size_rule": _size_rule(raw["size_rule"], path),
        }
    )


class OnnxSegmenter:
    """An ONNX network with one image input and one score output.

    Args:
        path: ``net.onnx``; ``net.yaml`` must lie beside it.
        threads: threads on the CPU, where it computes.

    Raises:
        UserError: unreadable network or description, or a description that does not fit.
    """

    spec: ModelSpec
    parameters: ParameterCount | None

    def __init__(self, path: Path, threads: int = 1) -> None:
        check_weights_file(path)
        self._description = read_description(path.with_suffix(".yaml"))
        self._session = _open_session(path, threads)
        self._classes = load_label_space(self._description.label_space).size
        self.parameters = ParameterCount(count_onnx_parameters(path), None)
        digest = sha256_file(path)
        self.spec = ModelSpec(
            name=path.stem,
            revision=digest[:REVISION_DIGITS],
            title=self._description.title,
            licence=self._description.licence,
            label_space=self._description.label_space,
            size_rule=self._description.size_rule,
            weights_url=self._description.homepage,
            weights_sha256=digest,
            paper=self._description.paper,
            extra="models",
        )

    def predict(self, images: Sequence[Image]) -> Sequence[Prediction]:
        """See :class:`rass_bench.models.protocols.Segmenter`."""
        return [self._predict_one(image) for image in images]

    def _predict_one(self, image: Image) -> Prediction:
        scores = self._scores(image)[self._description.label_offset :]
        if len(scores) != self._classes:
            raise UserError(
                f"the network has {len(scores)} classes after label_offset "
                f"{self._description.label_offset}, {self.spec.label_space} has {self._classes}",
                self.spec.key,
                "Correct label_offset, output_layout or label_space in its YAML file.",
            )
        if self._description.upsampling == "bilinear":
            return np.ascontiguousarray(scores)
        if scores.shape[1:] != image.shape[:2]:
            raise UserError(
                f"scores of {scores.shape[1:]} for an input of {image.shape[:2]}",
                self.spec.key,
                "With scores at another size, write `upsampling: bilinear` in its YAML file.",
            )
        labels: LabelMap = scores.argmax(axis=0).astype(np.uint8)
        return labels

    def _scores(self, image: Image) -> NDArray[np.float32]:
        """Raw scores of one photo, float32 (channels, h, w)."""
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        mean = np.array(self._description.mean, dtype=np.float32)
        std = np.array(self._description.std, dtype=np.float32)
        pixels = (image.astype(np.float32) - mean) / std
        if self._description.input_layout == "NCHW":
            pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        try:
            outputs = self._session.run(None, {self._session.get_inputs()[0].name: pixels[None]})
        except InvalidArgument as error:
            raise UserError(
                f"the network refuses its input: {str(error).splitlines()[0]}",
                self.spec.key,
                "Correct size_rule or input_layout in its YAML file.",
            ) from None
        scores: NDArray[np.float32] = outputs[0][0].astype(np.float32, copy=False)
        return scores.transpose(2, 0, 1) if self._description.output_layout == "NHWC" else scores


def count_onnx_parameters(path: Path) -> int:
    """Numbers in a network's weights.

    Counted are initializers of more than one element that are floating-point, or that are
    integers on their way through DequantizeLinear (quantised weights). Left out are single
    numbers, which exporters write for constants of formulas, and the scales of quantisation.
    Batch-norm statistics folded into convolutions count with the convolution.
    """
    import onnx

    floats = {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
        onnx.TensorProto.DOUBLE,
    }
    graph = onnx.load(str(path), load_external_data=False).graph
    dequantised = [node.input for node in graph.node if node.op_type == "DequantizeLinear"]
    quantised = {names[0] for names in dequantised}
    scales = {name for names in dequantised for name in names[1:]}
    sizes = [
        math.prod(one.dims)
        for one in graph.initializer
        if one.name in quantised or (one.data_type in floats and one.name not in scales)
    ]
    return sum(size for size in sizes if size > 1)


def _open_session(path: Path, threads: int) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Converters leave unused initializers behind; the warnings about them help nobody here.
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except (errors.InvalidProtobuf, errors.Fail, errors.InvalidGraph, errors.NoSuchFile) as error:
        raise UserError(
            f"no readable ONNX network: {str(error).splitlines()[0]}",
            str(path),
            "Download the file again and compare its SHA-256.",
        ) from None
    if len(session.get_inputs()) != 1:
        names = ", ".join(one.name for one in session.get_inputs())
        raise UserError(
            f"the network has {len(session.get_inputs())} inputs: {names}",
            str(path),
            "Export it with the image as its only input.",
        )
    return session


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        return read_yaml(path)
    except FileNotFoundError:
        raise UserError(
            "an ONNX network needs a description beside it",
            str(path),
            f"Write it with the keys {', '.join(_REQUIRED)}; see OnnxDescription.",
        ) from None


def _triple(raw: dict[str, Any], key: str, path: Path) -> tuple[float, float, float]:
    value = raw[key]
    numbers = isinstance(value, list) and all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in value
    )
    if not numbers or len(value) != 3 or (key == "std" and 0 in value):
        raise UserError(
            f"{key} is {value!r}", str(path), f"Write three numbers, {key}: [red, green, blue]."
        )
    return float(value[0]), float(value[1]), float(value[2])


def _size_rule(raw: Any, path: Path) -> SizeRule:
    known = [field.name for field in fields(SizeRule)]
    if not isinstance(raw, dict) or not raw.keys() <= set(known):
        raise UserError(f"size_rule is {raw!r}", str(path), f"Its keys are {', '.join(known)}.")
    for key, value in raw.items():
        lowest = 0 if key == "pad_value" else 1
        if not isinstance(value, int) or value < lowest:
            raise UserError(
                f"{key} of size_rule is {value!r}",
                str(path),
                f"Write a whole number from {lowest}.",
            )
    try:
        return SizeRule(**raw)
    except ValueError as error:
        raise UserError(f"size_rule: {error}", str(path), "Keep one of them.") from None


def _from_argument(argument: str, runtime: Runtime) -> OnnxSegmenter:
    require_package("onnxruntime", "models")
    require_package("onnx", "models")
    if runtime.device != "cpu":
        raise UserError(
            "ONNX networks run on the CPU here", f"--device {runtime.device}", "Use --device cpu."
        )
    return OnnxSegmenter(Path(argument), runtime.threads)


ADAPTERS.add(
    "onnx",
    Adapter(
        prefix="onnx",
        kind=Kind.SEGMENTER,
        title="ONNX network with a YAML description beside it",
        example="onnx:/path/net.onnx",
        load=_from_argument,
        extra="models",
    ),
)
