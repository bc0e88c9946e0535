"""Networks, crops and a data set small enough to train every stage in seconds."""

import dataclasses

import torch

from rass_bench.labels import load_label_space
from rass_bench.models.rass.config import HeadConfig, LoraConfig, RassConfig, TextConfig
from rass_bench.models.rass.prompt import WordTokenizer
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.train.crops import Batch
from tests.models.rass.toy import CONFIG

ADE, CAMVID = load_label_space("ade20k-150"), load_label_space("camvid-11")


def config_of(space: str = "ade20k-150") -> RassConfig:
    """The toy's sizes with a vocabulary of class names, as the mini size has it."""
    words = WordTokenizer(load_label_space(space).names, 24)
    return dataclasses.replace(
        CONFIG,
        label_space=space,
        text=TextConfig(
            vocabulary=words.size,
            width=16,
            feed_forward=32,
            layers=1,
            heads=2,
            length=words.length,
            words_of=space,
        ),
        head=dataclasses.replace(
            CONFIG.head, classes=load_label_space(space).size, pixel_decoder_layers=1
        ),
        ram=None,
        tagger="fixed:",
        short_side=64,
    )


HEAD: HeadConfig = config_of().head
LORA = LoraConfig(rank=2)


def tokenizer_of(config: RassConfig) -> WordTokenizer:
    return WordTokenizer(load_label_space(config.label_space).names, config.text.length)


def seeded(build, seed: int = 0):
    """What ``build`` returns, drawn from a seed of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def scr_network(config: RassConfig | None = None) -> ScrNetwork:
    return seeded(lambda: ScrNetwork(config or config_of()))


def batch_of(side: int = 64, count: int = 2, seed: int = 0) -> Batch:
    """Crops of smooth colours whose right half is of another class, degraded by noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    clean = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    noise = 0.1 * torch.randn(clean.shape, generator=generator)
    labels = torch.full((count, side, side), 2)
    labels[:, :, 3 * side // 8 :] = 4
    labels[:, : side // 8] = 255
    return Batch(clean, (clean + noise).clamp(0, 1), labels)
