"""Learned image-quality metrics through pyiqa, each variant under its own name.

pyiqa is an optional extra under PolyForm-Noncommercial. It would fetch weights while it builds a
network, its own and those of torchvision, timm and CLIP beneath; here every file is found first
(``metrics/weights.py``), read as data, and put into a network that was built without any. pyiqa's
version and the SHA-256 of each file stand in a metric's provenance: they decide the number.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import math
import sys
import types
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError, require_package
from rass_bench.files import sha256_file
from rass_bench.metrics.image_quality import check_pair, check_side, size_of
from rass_bench.metrics.registry import METRICS, Family, ImageMetric, LoadedImageMetric, MetricInfo
from rass_bench.metrics.weights import WeightsFile, fill, find_weights, read_state

if TYPE_CHECKING:
    import torch


def _of_pyiqa(name: str) -> WeightsFile:
    repository = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"
    return WeightsFile(name, f"{repository}/{name}", cache="pyiqa")


def _of_torchvision(name: str) -> WeightsFile:
    return WeightsFile(name, f"https://download.pytorch.org/models/{name}", cache="checkpoints")


ALEXNET = _of_torchvision("alexnet-owt-7be5be79.pth")
VGG16 = _of_torchvision("vgg16-397923af.pth")
LPIPS_ALEX = _of_pyiqa("LPIPS_v0.1_alex-df73285e.pth")
LPIPS_VGG = _of_pyiqa("LPIPS_v0.1_vgg-a78928a0.pth")
DISTS = _of_pyiqa("DISTS_weights-f5e65c96.pth")
NIQE = _of_pyiqa("niqe_modelparameters.mat")
MUSIQ_KONIQ = _of_pyiqa("musiq_koniq_ckpt-e95806b9.pth")
MANIQA_PIPAL = _of_pyiqa("MANIQA_PIPAL-ae6d356b.pth")
MANIQA_KONIQ = _of_pyiqa("ckpt_koniq10k.pt")
CLIP_RN50 = WeightsFile(
    "RN50.pt",
    "https://openaipublic.azureedge.net/clip/models/"
    "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
    cache="clip",
)


def _build_lpips_alex(weights: Path, backbone: Path) -> torch.nn.Module:
    return _build_lpips("lpips", "alexnet", weights, backbone)


def build_lpips_vgg(weights: Path, backbone: Path) -> torch.nn.Module:
    """LPIPS with VGG-16 features as a differentiable network, for training.

    Args:
        weights: the file ``LPIPS_VGG``.
        backbone: the file ``VGG16``.

    Returns:
        pyiqa's network of two batches (N, 3, H, W), in [-1, 1] with ``normalize=False``; it
        answers (N, 1). It is on the CPU.

    Raises:
        UserError: a file is no weights file or does not fit.
    """
    # pyiqa moves what it builds to a GPU where there is one.
    return _build_lpips("lpips-vgg", "vgg16", weights, backbone).get_submodule("net").cpu()


def _build_lpips(name: str, features: str, weights: Path, backbone: Path) -> torch.nn.Module:
    with _torchvision_from(features, backbone):
        metric = _create(name, pretrained=False)
    # pyiqa holds its linear layers under two names, "lin0" as in the file and "lins.0".
    known = ("net.", "scaling_layer.", "lins.")
    fill(metric.get_submodule("net"), read_state(weights), weights, elsewhere=known)
    return metric


def _build_dists(weights: Path, backbone: Path) -> torch.nn.Module:
    with _torchvision_from("vgg16", backbone):
        metric = _create("dists", pretrained=False)
    fill(
        metric.get_submodule("net"),
        read_state(weights),
        weights,
        elsewhere=("stage", "mean", "std"),
    )
    return metric


def _build_niqe(weights: Path) -> torch.nn.Module:
    import scipy.io  # type: ignore[import-untyped]

    try:
        names = set(scipy.io.loadmat(str(weights)))
    except (ValueError, TypeError, IndexError, NotImplementedError, OSError, zlib.error) as error:
        raise UserError(
            f"no readable MAT file: {error}", str(weights), "Download the file again."
        ) from None
    if not {"mu_prisparam", "cov_prisparam"} <= names:
        raise UserError(
            "the file holds no NIQE model: mu_prisparam and cov_prisparam are missing",
            str(weights),
            "Download the file again.",
        )
    return _create("niqe", pretrained_model_path=str(weights))


def _build_musiq(weights: Path) -> torch.nn.Module:
    metric = _create("musiq", pretrained=False)
    fill(metric.get_submodule("net"), read_state(weights), weights)
    return metric


def _build_maniqa_pipal(weights: Path) -> torch.nn.Module:
    return _build_maniqa("maniqa-pipal", weights)


def _build_maniqa_koniq(weights: Path) -> torch.nn.Module:
    return _build_maniqa("maniqa", weights)


def _build_maniqa(name: str, weights: Path) -> torch.nn.Module:
    with _timm_untrained():  # the file holds the backbone too
        metric = _create(name, pretrained=False)
    fill(metric.get_submodule("net"), read_state(weights), weights)
    return metric


def _build_clipiqa(weights: Path) -> torch.nn.Module:
    # A truncated archive lacks the directory at its end; a state dict lacks the constants.
    is_archive = zipfile.is_zipfile(weights)
    names = zipfile.ZipFile(weights).namelist() if is_archive else []
    if not any(name.endswith("/constants.pkl") for name in names):
        raise UserError(
            "CLIP's weights are no TorchScript archive", str(weights), "Download the file again."
        )
    _import_clip()
    return _create("clipiqa", backbone=str(weights))


def _build_piqe() -> torch.nn.Module:
    return _create("piqe")


def _create(name: str, **options: Any) -> torch.nn.Module:
    import pyiqa

    metric: torch.nn.Module = pyiqa.create_metric(name, **options)
    return metric


@contextlib.contextmanager
def _torchvision_from(name: str, path: Path) -> Iterator[None]:
    """Let ``torchvision.models.<name>`` take its features from ``path`` and not from the network.

    pyiqa asks torchvision for pretrained weights whatever its own options say, and torchvision
    has no argument for a local file.
    """
    import torchvision

    original = getattr(torchvision.models, name)

    def from_file(**_: object) -> torch.nn.Module:
        network: torch.nn.Module = original(weights=None)
        prefix = "features."
        state = {
            key.removeprefix(prefix): tensor
            for key, tensor in read_state(path).items()
            if key.startswith(prefix)
        }
        fill(network.get_submodule("features"), state, path)
        return network

    setattr(torchvision.models, name, from_file)
    try:
        yield
    finally:
        setattr(torchvision.models, name, original)


@contextlib.contextmanager
def _timm_untrained() -> Iterator[None]:
    """Let ``timm.create_model`` build without weights; pyiqa asks for pretrained ones always."""
    import timm

    original = timm.create_model

    def untrained(name: str, **options: Any) -> torch.nn.Module:
        network: torch.nn.Module = original(name, **{**options, "pretrained": False})
        return network

    timm.create_model = untrained  # type: ignore[assignment]
    try:
        yield
    finally:
        timm.create_model = original


def _import_clip() -> None:
    """Import the package clip where setuptools no longer brings ``pkg_resources``.

    clip 1.0.1 takes the module ``packaging`` through it and nothing else.
    """
    import packaging.version

    if "clip" in sys.modules or importlib.util.find_spec("pkg_resources") is not None:
        return
    stand_in = types.ModuleType("pkg_resources")
    stand_in.__dict__["packaging"] = packaging
    sys.modules["pkg_resources"] = stand_in
    try:
        importlib.import_module("clip")
    finally:
        del sys.modules["pkg_resources"]


def _find_installed(metric: str, files: tuple[WeightsFile, ...]) -> list[Path]:
    """The weights of a metric, where pyiqa is installed and they are all there."""
    require_package("pyiqa", "iqa")
    return find_weights(files, metric)


def _load(
    metric: str,
    files: tuple[WeightsFile, ...],
    build: Callable[..., torch.nn.Module],
    needs_reference: bool,
    minimum_side: int,
) -> LoadedImageMetric:
    paths = _find_installed(metric, files)
    network = build(*paths)

    def measure(restored: NDArray[np.uint8], reference: NDArray[np.uint8] | None) -> float:
        check_side(restored, minimum_side, metric)
        images = [restored]
        if needs_reference:
            images.append(check_pair(restored, reference, metric))
        value = float(network(*map(_as_tensor, images)))
        if not math.isfinite(value):
            raise UserError(
                f"the metric is not defined for this image of {size_of(restored)} pixels",
                metric,
                "A flat image has no statistics; leave it out or choose another metric.",
            )
        return value

    hashes = {f"sha256:{path.name}": sha256_file(path) for path in paths}
    return LoadedImageMetric(measure, {"pyiqa": importlib.metadata.version("pyiqa"), **hashes})


def _as_tensor(image: NDArray[np.uint8]) -> torch.Tensor:
    """RGB uint8 (H, W, 3) as float32 (1, 3, H, W) in 0..1."""
    import torch

    planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    return torch.from_numpy(planes).float() / 255


def _register(
    metric: str,
    title: str,
    source: str,
    build: Callable[..., torch.nn.Module],
    *files: WeightsFile,
    higher_is_better: bool,
    family: Family = Family.NO_REFERENCE,
    minimum_side: int,
) -> None:
    info = MetricInfo(
        id=metric,
        version="1",
        family=family,
        higher_is_better=higher_is_better,
        title=title,
        source=source,
        extra="iqa",
    )
    needs_reference = family is Family.FULL_REFERENCE

    def check_installed() -> None:
        _find_installed(metric, files)

    def load() -> LoadedImageMetric:
        return _load(metric, files, build, needs_reference, minimum_side)

    METRICS.add(metric, ImageMetric(info, load, check_installed))


_register(
    "lpips/alex",
    "LPIPS v0.1 with AlexNet features, 0 = equal",
    "Zhang et al., CVPR 2018; pyiqa 'lpips'",
    _build_lpips_alex,
    LPIPS_ALEX,
    ALEXNET,
    higher_is_better=False,
    family=Family.FULL_REFERENCE,
    minimum_side=32,
)
_register(
    "dists",
    "DISTS with VGG-16 features, 0 = equal",
    "Ding et al., TPAMI 2020; pyiqa 'dists'",
    _build_dists,
    DISTS,
    VGG16,
    higher_is_better=False,
    family=Family.FULL_REFERENCE,
    minimum_side=16,
)
_register(
    "niqe",
    "NIQE on the luma of YIQ, no crop, from 0",
    "Mittal et al., IEEE SPL 2013; pyiqa 'niqe'",
    _build_niqe,
    NIQE,
    higher_is_better=False,
    minimum_side=96,
)
_register(
    "musiq/koniq",
    "MUSIQ trained on KonIQ-10k, about 0..100",
    "Ke et al., ICCV 2021; pyiqa 'musiq'",
    _build_musiq,
    MUSIQ_KONIQ,
    higher_is_better=True,
    minimum_side=32,
)
_register(
    "maniqa/pipal",
    "MANIQA trained on PIPAL, 20 uniform crops of 224 pixels, about 0..1",
    "Yang et al., CVPRW 2022; pyiqa 'maniqa-pipal'",
    _build_maniqa_pipal,
    MANIQA_PIPAL,
    higher_is_better=True,
    minimum_side=32,
)
_register(
    "maniqa/koniq",
    "MANIQA trained on KonIQ-10k, 20 uniform crops of 224 pixels, about 0..1",
    "Yang et al., CVPRW 2022; pyiqa 'maniqa'",
    _build_maniqa_koniq,
    MANIQA_KONIQ,
    higher_is_better=True,
    minimum_side=32,
)
_register(
    "clipiqa",
    "CLIP-IQA with five prompt pairs on CLIP RN50, 0..1",
    "Wang et al., AAAI 2023; pyiqa 'clipiqa'",
    _build_clipiqa,
    CLIP_RN50,
    higher_is_better=True,
    minimum_side=32,
)
_register(
    "piqe",
    "PIQE, 0..100",
    "Venkatanath et al., NCC 2015; pyiqa 'piqe'",
    _build_piqe,
    higher_is_better=False,
    minimum_side=16,
)
