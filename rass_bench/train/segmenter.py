"""The demonstration baseline: a small SegFormer, trained from nothing by a plain seeded loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rass_bench.data.dataset import Dataset
from rass_bench.data.reading import read_truth
from rass_bench.errors import UserError, require_package
from rass_bench.images import read_image
from rass_bench.labels import IGNORE, LabelSpace
from rass_bench.randomness import generator
from rass_bench.train.checkpoint import MEAN, STD, save_segmenter, scored

if TYPE_CHECKING:
    import torch

CROP = 192
"""Side of a training crop in pixels; a multiple of 32, the network's coarsest stride."""

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""

WEIGHT_DECAY = 0.01


@dataclass(frozen=True)
class Settings:
    """What the loop is told.

    Attributes:
        steps: optimizer steps.
        seed: of weights, order and augmentation.
        batch_size: crops a step.
        learning_rate: highest learning rate.
        threads: CPU threads.
    """

    steps: int
    seed: int
    batch_size: int
    learning_rate: float
    threads: int


@dataclass(frozen=True)
class TrainingRun:
    """What a training run was and gave.

    Attributes:
        dataset: name@version of the training set.
        split: its split.
        images: how many images it has.
        settings: what the loop was told.
        parameters: of the network.
        losses: of every step.
        cpu_seconds: processor time of the loop.
        validation: name@version and split that ``miou`` was measured on, or None.
        miou: ``miou/gt-present`` there, 0..1, or None.
    """

    dataset: str
    split: str
    images: int
    settings: Settings
    parameters: int
    losses: tuple[float, ...]
    cpu_seconds: float
    validation: str | None = None
    miou: float | None = None


def train_segmenter(
    dataset: Dataset,
    out: Path,
    *,
    steps: int = 4500,
    seed: int = 0,
    batch_size: int = 4,
    learning_rate: float = 1e-3,
    threads: int = 1,
    advance: Callable[[], None] = lambda: None,
    validation: Dataset | None = None,
) -> TrainingRun:
    """Train a small SegFormer and save it as a transformers folder.

    AdamW, a poly schedule of power 0.9 after a linear warm-up, cross entropy at the network's own
    resolution, a quarter of the photo's. The same arguments give the same weights on one thread of
    one kind of CPU with one version of PyTorch.

    Args:
        dataset: labelled photos to train on.
        out: folder for the checkpoint; made when absent.
        steps: optimizer steps.
        seed: of weights, order and augmentation.
        batch_size: crops a step.
        learning_rate: highest learning rate.
        threads: CPU threads.
        advance: called once after each step, for a progress bar.
        validation: labelled photos to measure the saved model on, for its card.

    Raises:
        UserError: the data set has no labels, a photo or label map is unreadable, a number is
            out of range, or a package is missing.
    """
    require_package("torch", "models")
    require_package("transformers", "models")
    space = _label_space(dataset)
    if steps < 1 or batch_size < 2:
        raise UserError(
            f"{steps} steps of {batch_size} crops", "--steps", "At least 1 step of 2 crops."
        )
    from rass_bench.models.devices import set_threads

    set_threads(threads)
    network = build_network(space, seed)
    settings = Settings(steps, seed, batch_size, learning_rate, threads)
    losses, cpu_seconds = _optimize(network, dataset, settings, advance)
    run = TrainingRun(
        dataset=dataset.spec.key,
        split=dataset.split.name,
        images=len(dataset.samples),
        settings=settings,
        parameters=sum(each.numel() for each in network.parameters()),
        losses=tuple(losses),
        cpu_seconds=cpu_seconds,
    )
    save_segmenter(network, space, out)
    return scored(run, out, validation)


def build_network(space: LabelSpace, seed: int) -> Any:
    """A SegFormer of about 1.2 million parameters with random weights (arXiv 2105.15203).

    Dropout is left out: 200 scenes are augmented instead, and the loop needs no random state.
    """
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        num_labels=space.size,
        id2label=dict(enumerate(space.names)),
        label2id={name: index for index, name in enumerate(space.names)},
        depths=[1, 2, 2, 2],
        hidden_sizes=[32, 64, 96, 128],
        num_attention_heads=[1, 2, 3, 4],
        mlp_ratios=[3, 3, 3, 3],
        decoder_hidden_size=96,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        semantic_loss_ignore_index=IGNORE,
    )
    network = SegformerForSemanticSegmentation(config)
    _draw_weights(network, seed)
    return network


def _draw_weights(network: Any, seed: int) -> None:
    """Draw weights with variance 1 / fan-in (LeCun et al., Efficient BackProp, 1998, section 4.6).

    From the library's deviation of 0.02 this network took 1,000 steps on scenes to the loss that it
    reaches in 600 from these.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                deviation = module.weight[0].numel() ** -0.5
                module.weight.normal_(0.0, deviation, generator=random)
                if module.bias is not None:
                    module.bias.zero_()
        # Nearly equal scores at first: a random classifier would start at several times log K.
        network.decode_head.classifier.weight.mul_(0.1)


def learning_rate_at(step: int, steps: int, highest: float) -> float:
    """Linear warm-up, then (1 - progress) ** 0.9: the schedule of DeepLab and SegFormer."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return highest * (step + 1) / warm
    return float(highest * (1.0 - (step - warm) / max(1, steps - warm)) ** 0.9)


def _optimize(
    network: Any,
    dataset: Dataset,
    settings: Settings,
    advance: Callable[[], None],
) -> tuple[list[float], float]:
    """The loop. Returns the loss of every step and the processor time in seconds."""
    import torch

    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    started = time.process_time()
    losses = []
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, settings.steps, settings.learning_rate)
        pixels, labels = _batch(dataset, settings, step)
        loss = _loss(network(pixel_values=pixels).logits, labels)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
        advance()
    return losses, time.process_time() - started


def _loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy of class scores (N, K, h, w) against labels (N, H, W).

    A score is compared with the label in the middle of its cell: interpolating 150 classes to
    (H, W) and back would cost three times what the network does.
    """
    from torch.nn.functional import cross_entropy

    stride = labels.shape[1] // logits.shape[2]
    middle = labels[:, stride // 2 :: stride, stride // 2 :: stride]
    return cross_entropy(logits, middle, ignore_index=IGNORE)


def _batch(dataset: Dataset, settings: Settings, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops float32 (N, 3, CROP, CROP), normalised, and labels int64 (N, CROP, CROP)."""
    import torch

    from rass_bench.train.augment import random_crop

    seed, size = settings.seed, settings.batch_size
    mean, std = np.array(MEAN, dtype=np.float32), np.array(STD, dtype=np.float32)
    crops, maps = [], []
    for place in range(step * size, (step + 1) * size):
        sample = dataset.samples[_drawn(len(dataset.samples), seed, place)]
        image, labels = read_image(sample.image), read_truth(dataset, sample)
        rng = generator(seed, f"crop-{place}", "train/augment")
        crop, crop_labels = random_crop(image, labels, CROP, rng)
        crops.append((crop - mean) / std)
        maps.append(crop_labels.astype(np.int64))
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
    return pixels, torch.from_numpy(np.stack(maps))


def _drawn(count: int, seed: int, place: int) -> int:
    """The sample at a place of the endless sequence of shuffled epochs."""
    epoch, position = divmod(place, count)
    order = generator(seed, f"epoch-{epoch}", "train/order").permutation(count)
    return int(order[position])


def _label_space(dataset: Dataset) -> LabelSpace:
    space = dataset.spec.labels
    if space is None:
        raise UserError(
            f"{dataset.spec.key} has no labels", "--dataset", "Train on a labelled data set."
        )
    return space
