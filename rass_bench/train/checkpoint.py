"""A trained segmenter on disk: a transformers folder in half precision, with its model card."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rass_bench.data.dataset import Dataset
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import read_json, sha256_file, write_bytes, write_json
from rass_bench.labels import LabelSpace

if TYPE_CHECKING:
    from rass_bench.train.segmenter import TrainingRun

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's RGB mean and deviation of pixels in 0..1, as SegFormer's processor takes them."""

TEST_SIDE = 256
"""Short side that photos are tested at: that of the scenes."""


def save_segmenter(network: Any, space: LabelSpace, out: Path) -> None:
    """Write config.json, model.safetensors in fp16, preprocessor_config.json, SHA256SUMS.

    Raises:
        UserError: the folder cannot be written.
    """
    from safetensors.torch import save

    state = {
        name: value.detach().half().contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    config = network.config.to_dict()
    # Stored in 16 bits, computed in 32: CPUs have no fast half precision.
    config |= {"dtype": "float32", "architectures": [type(network).__name__]}
    config["id2label"] = {str(index): name for index, name in enumerate(space.names)}
    processor = {
        "image_processor_type": "SegformerImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": TEST_SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    try:
        weights = save(state, metadata={"format": "pt"})
        write_bytes(out / "model.safetensors", weights)
        write_json(out / "config.json", config)
        write_json(out / "preprocessor_config.json", processor)
        names = ("config.json", "model.safetensors", "preprocessor_config.json")
        sums = "".join(f"{sha256_file(out / name)}  {name}\n" for name in names)
        write_bytes(out / "SHA256SUMS", sums.encode())
    except OSError as error:
        raise from_os_error(error, str(out)) from error


def scored(run: TrainingRun, out: Path, validation: Dataset | None) -> TrainingRun:
    """Measure the saved checkpoint, as others will load it, and write its card."""
    if validation is not None:
        miou = measure(out, validation, run.settings.threads)
        run = replace(run, validation=f"{validation.spec.key} {validation.split.name}", miou=miou)
    write_bytes(out / "README.md", model_card(run, out).encode())
    return run


def measure(folder: Path, dataset: Dataset, threads: int) -> float:
    """``miou/gt-present`` of a checkpoint folder on a labelled data set, 0..1."""
    import numpy as np

    from rass_bench.images import read_image
    from rass_bench.labels import read_label_map
    from rass_bench.metrics.confusion import count_classes
    from rass_bench.metrics.registry import ClassCounts
    from rass_bench.metrics.segmentation import miou_gt_present
    from rass_bench.models.registry import Runtime
    from rass_bench.models.sizing import segment
    from rass_bench.models.transformers_segmenter import load_folder

    space, encoding = dataset.spec.labels, dataset.spec.label_encoding
    if space is None or encoding is None:
        raise UserError(f"{dataset.spec.key} has no labels", "validation", "Choose another.")
    model = load_folder(folder, Runtime("cpu", threads))
    truth, predicted, correct = (np.zeros(space.size, dtype=np.int64) for _ in range(3))
    for sample in dataset.samples:
        if sample.label is None:
            raise UserError("no label map", str(sample.image), "Choose another set.")
        [labels] = segment(model, [read_image(sample.image)])
        counts = count_classes(read_label_map(sample.label, space, encoding), labels, space.size)
        truth += counts.truth.astype(np.int64)
        predicted += counts.predicted.astype(np.int64)
        correct += counts.correct.astype(np.int64)
    return float(miou_gt_present(ClassCounts(truth, predicted, correct)))


def model_card(run: TrainingRun, out: Path) -> str:
    """The README.md of a trained segmenter."""
    import torch
    import transformers

    told = run.settings
    name = run.dataset.split("@")[0]
    command = (
        f"rass-bench train segmenter --dataset {name} --out DIR --steps {told.steps} "
        f"--seed {told.seed}"
    )
    measured = (
        f"`miou/gt-present` {run.miou:.4f} on clean {run.validation}, of the stored 16-bit weights"
        if run.miou is not None
        else "not measured"
    )
    size = (out / "model.safetensors").stat().st_size
    layers = read_json(out / "config.json")["depths"]
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: image-segmentation
---

# A small SegFormer trained on {run.dataset}

A demonstration baseline, trained from random weights. What it scores on rendered scenes says
nothing about real photos.

| | |
|---|---|
| network | SegFormer (arXiv 2105.15203), depths {layers}, {run.parameters:,} parameters |
| weights | {size:,} bytes, 16-bit; computed in 32-bit |
| data | {run.dataset} {run.split}, {run.images} clean images |
| training | {told.steps} steps of {told.batch_size} crops, AdamW, seed {told.seed}, \
learning rate {told.learning_rate:g} |
| cost | {run.cpu_seconds / 60:.1f} minutes of CPU on {told.threads} thread(s) |
| result | {measured} |
| made | {datetime.datetime.now(datetime.UTC).date().isoformat()}, commit {_commit()}, \
torch {torch.__version__}, transformers {transformers.__version__} |

Trained by

    {command}

Input: RGB in 0..1, short side {TEST_SIDE}, normalised with the mean and deviation of
`preprocessor_config.json`. Output: the classes of `config.json`; those that the training set
lacks are never learned.
"""


def _commit() -> str:
    """The checkout's commit, marked when files differ from it; or "unknown"."""
    import subprocess

    def git(*arguments: str) -> str:
        folder = Path(__file__).parent
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
        return result.stdout.strip() if result.returncode == 0 else ""

    commit = git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    return (
        f"{commit} with changes" if git("status", "--porcelain", "--", ".", "../data") else commit
    )
