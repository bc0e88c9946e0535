"""From what a user asks for to opened data and loaded models that fit together."""

from __future__ import annotations

from dataclasses import dataclass

from rass_bench.data.dataset import Dataset, open_dataset
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError, require_package
from rass_bench.evaluate.protocol import Protocol, find_protocol
from rass_bench.metrics.catalog import all_metrics
from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.contract import check_description
from rass_bench.models.protocols import Restorer, Segmenter
from rass_bench.models.registry import Runtime


@dataclass(frozen=True)
class RunRequest:
    """What a user asks for, defaults filled in by the command line.

    Attributes:
        model: reference of the model to measure (see ``rass_bench.models.catalog``).
        weights: the model's weights, where it takes any.
        options: the model's options, each ``NAME=VALUE``.
        dataset: definition name, or a folder with a ``dataset.yaml``.
        data_root: where the files lie, or None to look in the usual places.
        split: the split, or None for the definition's first.
        protocol: ``dt``, ``r2s``, ``ft`` or ``restore``.
        restorer: reference of the restorer in front of the model, under R2S.
        restorer_weights: its weights, where it takes any.
        restorer_options: its options.
        upscale: side of the restored photo over the photo's, under RESTORE; None takes the data
            set's scale.
        metrics: metric ids; None takes every one of the protocol that needs no extra.
        limit: take only so many images, in the order of their ids.
        on_error: ``fail`` stops at the first bad image, ``skip`` counts and names it.
        seed: of the bootstrap, and of whatever a model draws.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads of the networks on a CPU.
    """

    model: str
    weights: str | None = None
    options: tuple[str, ...] = ()
    dataset: str = "scenes"
    data_root: str | None = None
    split: str | None = None
    protocol: str = "dt"
    restorer: str | None = None
    restorer_weights: str | None = None
    restorer_options: tuple[str, ...] = ()
    upscale: int | None = None
    metrics: tuple[str, ...] | None = None
    limit: int | None = None
    on_error: str = "fail"
    seed: int = 0
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Resolved:
    """A request with everything opened and loaded that it names.

    ``scale`` is the side of a restored photo over that of the photo.
    """

    request: RunRequest
    protocol: Protocol
    dataset: Dataset
    samples: tuple[Sample, ...]
    metrics: tuple[str, ...]
    model: Segmenter | Restorer
    restorer: Restorer | None
    scale: int


def resolve(request: RunRequest) -> Resolved:
    """Open and load everything a request names, and check that it fits together.

    Raises:
        UserError: unknown names, missing files, models and data of different label spaces.
    """
    protocol = find_protocol(request.protocol, request.restorer)
    _check_device(request)
    dataset = open_dataset(request.dataset, request.data_root, request.split)
    if protocol.model_is == "segmenter" and dataset.spec.labels is None:
        raise UserError(
            f"{dataset.spec.name} has no labels to score a segmentation against",
            f"--protocol {protocol.name}",
            "Use --protocol restore, or a data set with annotations.",
        )
    samples = dataset.samples[: request.limit]
    scale = _resolve_scale(request, protocol, dataset, samples[0])
    metrics = _resolve_metrics(request, protocol, dataset, samples[0])
    runtime = Runtime(
        request.device, request.threads, request.seed, request.weights, request.options
    )
    restorer = _load_front(request)
    model: Segmenter | Restorer
    if protocol.model_is == "restorer":
        model = load_restorer(request.model, runtime)
    else:
        model = load_segmenter(request.model, runtime)
        if model.spec.label_space != dataset.spec.label_space:
            raise UserError(
                f"the model predicts {model.spec.label_space}, the data set is labelled in "
                f"{dataset.spec.label_space}",
                f"{request.model} on {dataset.spec.key}",
                "Choose a model trained on the data set's classes.",
            )
    for loaded in (model, restorer):
        if loaded is not None:
            check_description(loaded)
    return Resolved(request, protocol, dataset, samples, metrics, model, restorer, scale)


def _load_front(request: RunRequest) -> Restorer | None:
    """The restorer in front of a segmenter, or None."""
    if request.restorer is not None:
        runtime = Runtime(
            request.device,
            request.threads,
            request.seed,
            request.restorer_weights,
            request.restorer_options,
        )
        return load_restorer(request.restorer, runtime)
    if request.restorer_weights is not None or request.restorer_options:
        raise UserError(
            "weights or options of a restorer, and no restorer",
            "--restorer-weights, --restorer-option",
            "Under --protocol restore the restorer is the --model: use --weights and --option.",
        )
    return None


def _resolve_scale(request: RunRequest, protocol: Protocol, dataset: Dataset, first: Sample) -> int:
    """Side of a restored photo over the photo's."""
    if request.upscale is None:
        return dataset.spec.scale
    if protocol.model_is != "restorer":
        raise UserError(
            "a segmentation has the photo's own size",
            f"--upscale {request.upscale}",
            "Leave it out, or use --protocol restore.",
        )
    if first.reference is not None and request.upscale != dataset.spec.scale:
        raise UserError(
            f"the references of {dataset.spec.key} are {dataset.spec.scale} times the photos",
            f"--upscale {request.upscale}",
            f"Leave it out, or give --upscale {dataset.spec.scale}.",
        )
    return request.upscale


def _check_device(request: RunRequest) -> None:
    """Find a missing device before the run, also for models that do not ask for it themselves."""
    if request.device != "cpu":
        from rass_bench.models.devices import prepare

        require_package("torch", "models")
        prepare(Runtime(request.device, request.threads))


def _resolve_metrics(
    request: RunRequest, protocol: Protocol, dataset: Dataset, first: Sample
) -> tuple[str, ...]:
    """The metrics asked for, or every one of the protocol that needs no extra."""
    has_reference = first.reference is not None
    if request.metrics is not None:
        protocol.check_metrics(request.metrics, has_reference=has_reference)
        return request.metrics
    families = protocol.families(has_reference=has_reference)
    metrics = tuple(
        metric.info.id
        for metric in all_metrics()
        if metric.info.family in families and metric.info.extra is None
    )
    if not metrics:
        raise UserError(
            f"{dataset.spec.name} has no reference photos to compare restored ones with",
            f"--protocol {protocol.name}",
            "Make a degraded set of clean photos with `rass-bench degrade --out DIR` and measure "
            "with --dataset DIR, or name no-reference metrics, such as --metric piqe "
            "--metric niqe (pip install 'rass-bench[iqa]').",
        )
    return metrics
