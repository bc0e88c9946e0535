"""A trained segmenter on disk: a transformers folder in half precision, with its model card."""

from __future__ import annotations

import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from rass_bench.data.dataset import Dataset
from rass_bench.data.reading import read_truth
from rass_bench.degrade.apply import apply
from rass_bench.degrade.preset import Preset
from rass_bench.degrade.recipe import sample as sample_recipe
from rass_bench.errors import from_os_error
from rass_bench.evaluate.environment import describe_environment
from rass_bench.files import write_bytes, write_json
from rass_bench.images import read_image
from rass_bench.labels import LabelSpace
from rass_bench.metrics.confusion import count_classes
from rass_bench.metrics.registry import ClassCounts
from rass_bench.metrics.segmentation import miou_gt_present
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import segment
from rass_bench.models.transformers_segmenter import load_folder
from rass_bench.sums import write_sums
from rass_bench.train.half import halved

if TYPE_CHECKING:
    from rass_bench.train.segmenter import TrainingRun
    from rass_bench.train.segmenter_start import Start


def save_segmenter(network: Any, space: LabelSpace, processor: dict[str, Any], out: Path) -> None:
    """Write config.json, model.safetensors in fp16, preprocessor_config.json, SHA256SUMS.

    Buffers keep their precision: a running variance may leave the range of 16 bits.

    Args:
        network: a transformers network.
        space: its classes.
        processor: what preprocessor_config.json is to hold.
        out: the folder.

    Raises:
        UserError: the folder cannot be written, or a weight is beyond the range of 16 bits.
    """
    from transformers.utils import logging as transformers_logging

    # Its bar would stand in logs, where nobody watches.
    transformers_logging.disable_progress_bar()
    learned = {name for name, _ in network.named_parameters()}
    state = {
        name: (halved(name, value) if name in learned else value.detach().cpu()).contiguous()
        for name, value in network.state_dict().items()
    }
    config = network.config.to_dict()
    # Stored in 16 bits, computed in 32: CPUs have no fast half precision.
    config |= {"dtype": "float32", "architectures": [type(network).__name__]}
    config["_name_or_path"] = ""  # where the start lay on the machine that trained it
    config["id2label"] = {str(index): name for index, name in enumerate(space.names)}
    config["label2id"] = {name: index for index, name in enumerate(space.names)}
    try:
        with TemporaryDirectory() as folder:
            # The library's own way: in memory its tensors have other names than in files.
            network.save_pretrained(folder, state_dict=state, max_shard_size="1TB")
            weights = Path(folder, "model.safetensors").read_bytes()
        write_bytes(out / "model.safetensors", weights)
        write_json(out / "config.json", config)
        write_json(out / "preprocessor_config.json", processor)
        write_sums(out, ("config.json", "model.safetensors", "preprocessor_config.json"))
    except OSError as error:
        raise from_os_error(error, str(out)) from error


def measure(
    folder: Path, photos: Dataset, runtime: Runtime, preset: Preset | None = None, seed: int = 0
) -> float:
    """``miou/gt-present`` of a checkpoint folder on a labelled data set, 0..1.

    Args:
        folder: the checkpoint.
        photos: labelled photos.
        runtime: where to compute.
        preset: degrades each photo first, as ``rass-bench degrade`` with this preset would.
        seed: of the degradation.

    Raises:
        UserError: a data set without labels, or an unreadable checkpoint, photo or label map.
    """
    model = load_folder(folder, runtime)
    size = photos.spec.labels.size if photos.spec.labels else 0
    truth, predicted, correct = (np.zeros(size, dtype=np.int64) for _ in range(3))
    for sample in photos.samples:
        labels, image = read_truth(photos, sample), read_image(sample.image)
        if preset is not None:
            image = apply(sample_recipe(preset, seed, sample.id), image)
        [answer] = segment(model, [image])
        counts = count_classes(labels, answer, size)
        truth += counts.truth.astype(np.int64)
        predicted += counts.predicted.astype(np.int64)
        correct += counts.correct.astype(np.int64)
    return float(miou_gt_present(ClassCounts(truth, predicted, correct)))


def save_card(run: TrainingRun, start: Start, out: Path) -> None:
    """Write the README.md of a trained segmenter.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        write_bytes(out / "README.md", model_card(run, start, out).encode())
    except OSError as error:
        raise from_os_error(error, str(out)) from error


def model_card(run: TrainingRun, start: Start, out: Path) -> str:
    """The README.md of a trained segmenter."""
    told = run.settings
    here = describe_environment(run.runtime.device, run.runtime.threads)
    family = start.test.network.split("For")[0]
    licence = start.licence if start.licence != "not stated" else "unknown"
    origin = run.start or "random weights"
    if run.redrawn:
        origin += "; its last layer, for another number of classes, was drawn anew"
    commit = (here.git_commit or "unknown")[:12] + (" with changes" if here.git_dirty else "")
    packages = ", ".join(f"{name} {here.packages[name]}" for name in ("torch", "transformers"))
    size = (out / "model.safetensors").stat().st_size
    precision = "" if told.precision == "no" else f", {told.precision.name.lower()}"
    return f"""---
license: {licence}
library_name: transformers
pipeline_tag: image-segmentation
---

# {family} trained on {run.dataset}{f", degraded by {run.preset}" if run.preset else ""}
{_caution(run)}
| | |
|---|---|
| network | {family}, {run.parameters:,} parameters |
| start | {origin} |
| weights | {size:,} bytes, 16-bit; computed in 32-bit |
| data | {run.dataset} {run.split}, {run.images} images |
| degradation | {f"{run.preset}, online" if run.preset else "none"} |
| training | {told.steps} steps of {told.batch * run.processes} crops of {run.crop} x {run.crop}, \
AdamW, learning rate {run.learning_rate:g}, seed {told.seed}{precision} |
| cost | {run.seconds / 60:.1f} minutes on {here.device}, {here.threads} thread(s), \
{run.processes} process(es) |
| result | {_results(run)} |
| made | {datetime.datetime.now(datetime.UTC).date().isoformat()}, commit {commit}, {packages} |

Trained by

    {repeating_command(run)}

Input: RGB in 0..1, short side {run.short_side}, normalised with the mean and deviation of
`preprocessor_config.json`. Output: the classes of `config.json`; those that the training set
lacks are never learned.
"""


def repeating_command(run: TrainingRun) -> str:
    """The command that trains the same network again, with DIR for folders."""
    told = run.settings
    name = run.dataset.split("@")[0]
    root = "" if name == "scenes" else " --data-root DIR"
    model = f" --model {run.reference}" if run.reference else ""
    degrade = f" --degrade {run.preset.split('@')[0]}" if run.preset else ""
    side = f" --short-side {run.told_side}" if run.told_side else ""
    precision = "" if told.precision == "no" else f" --precision {told.precision.name.lower()}"
    return (
        f"rass-bench train segmenter --dataset {name}{root} --split {run.split} --out DIR"
        f"{model}{degrade} --steps {told.steps} --seed {told.seed} --batch {told.batch} "
        f"--crop {run.crop}{side} --learning-rate {run.learning_rate}{precision}"
    )


def _caution(run: TrainingRun) -> str:
    if run.dataset.split("@")[0] != "scenes":
        return ""
    return """
A demonstration baseline. What it scores on rendered scenes says nothing about real photos.
"""


def _results(run: TrainingRun) -> str:
    if run.miou is None:
        return "not measured"
    degraded = (
        f", {run.miou_degraded:.4f} degraded by {run.preset}, seed 0"
        if run.miou_degraded is not None
        else ""
    )
    return (
        f"`miou/gt-present` {run.miou:.4f} on clean {run.validation}{degraded}, of the stored "
        "16-bit weights"
    )
