"""The forward pass on every evaluation fixture of the official code, stage by stage.

Shapes, windows, prompts and seeds come from the fixture and its entry in meta.json, so further
fixtures need no change here.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rass_bench.models.protocols import ScoreWindow
from rass_bench.models.queries import argmax_windows, class_scores
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.lora import merge_lora
from rass_bench.models.rass.network import QueryScores, RassNetwork, encode
from rass_bench.models.rass.official import load_strictly, sort_official
from rass_bench.models.rass.prompt import PromptEncoder, clean_prompt, load_clip_tokenizer
from rass_bench.models.rass.segmenter import size_rule
from rass_bench.models.rass.windows import Window
from rass_bench.models.sizing import fit

from .conftest import CASES, hold, read_tiny

pytestmark = pytest.mark.skipif(
    not CASES, reason="needs the official code's fixtures: set RASS_BENCH_ORACLE to their folder"
)

SIZE_RULE = size_rule(RassConfig.sd21())
PADDING = type(SIZE_RULE)(multiple_of=SIZE_RULE.multiple_of, pad_value=SIZE_RULE.pad_value)
"""RASS's size rule without the resize: the fixtures' photos have their size already."""


@dataclass(frozen=True)
class Case:
    """One fixture, and what our network makes of it."""

    official: dict[str, torch.Tensor]
    meta: dict
    network: RassNetwork
    prompts: torch.Tensor
    moments: list[torch.Tensor]
    latents: list[torch.Tensor]
    features: list[list[torch.Tensor]]
    levels: list[torch.Tensor]
    layers: list[QueryScores]
    labels: np.ndarray
    sem_seg: torch.Tensor


@pytest.fixture(scope="module")
def networks():
    return {}


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.stem)
def case(request, networks) -> Case:
    path: Path = request.param
    official = load_file(path)
    if path.parent not in networks:
        tiny = read_tiny(path.parent)
        network = RassNetwork(tiny.config).eval()
        state = sort_official(tiny.state).network
        load_strictly(network, merge_lora(state, tiny.config.lora.scaling), "fixture")
        networks[path.parent] = network
    network = networks[path.parent]
    meta = json.loads((path.parent / "meta.json").read_text())[path.stem]
    photo = official["image_u8"].permute(1, 2, 0).numpy()
    fitted = fit(photo, PADDING)
    out_size = tuple(meta["out_hw"]) if meta["out_hw"] else photo.shape[:2]
    with torch.no_grad():
        return _run(network, official, meta, fitted, out_size)


def _run(network, official, meta, fitted, out_size) -> Case:
    height, width = fitted.size
    pixels = torch.from_numpy(fitted.pixels.copy()).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    windows = network.windows(height, width)
    assert len(windows) == meta["crops"]
    crops = [pixels[:, :, one.top : one.bottom, one.left : one.right] for one in windows]
    encoder = PromptEncoder(network.text_encoder, load_clip_tokenizer(None))
    prompts = encoder.encode([clean_prompt(prompt) for (prompt,) in meta["prompts"]])

    # As the official code draws: one seed, window after window.
    generator = torch.manual_seed(meta["torch_seed"])
    posteriors = [encode(network.vae, crop) for crop in crops]
    noise = [torch.randn(one.mean.shape, generator=generator) for one in posteriors]
    for index, draw in enumerate(noise):
        assert torch.equal(draw, official[f"crop{index}_latent_noise"])
    features = [
        network.features(crop, prompts[index : index + 1], noise[index])
        for index, crop in enumerate(crops)
    ]
    levels = network.levels(features, windows, Window(0, 0, height, width))
    layers = network.head(levels)
    queries = ScoreWindow(
        0,
        0,
        height,
        width,
        layers[-1].masks[0].numpy(),
        layers[-1].classes[0].softmax(dim=-1)[:, :-1].contiguous().numpy(),
    )
    return Case(
        official=official,
        meta=meta,
        network=network,
        prompts=prompts,
        moments=[torch.cat([one.mean, one.log_variance], dim=1) for one in posteriors],
        latents=[
            one.draw(draw) * network.config.vae.scaling
            for one, draw in zip(posteriors, noise, strict=True)
        ],
        features=features,
        levels=levels,
        layers=layers,
        labels=argmax_windows((queries,), fitted.valid, *out_size),
        sem_seg=torch.from_numpy(class_scores((queries,), fitted.valid, *out_size)),
    )


def test_prompts(case):
    for index in range(case.meta["crops"]):
        official = case.official[f"crop{index}_prompt_embeds"]
        hold("text embedding", case.prompts[index : index + 1], official, absolute=1e-5)


def test_vae_maps(case):
    for index, features in enumerate(case.features):
        for ours, name in zip(features[:2], ("vae_enc1", "vae_enc3"), strict=True):
            hold("VAE maps", ours, case.official[f"crop{index}_{name}"], absolute=5e-5)


def test_latents(case):
    for index, (moments, latent) in enumerate(zip(case.moments, case.latents, strict=True)):
        official = case.official[f"crop{index}_latent_moments_mean_logvar"]
        hold("posterior", moments, official, relative=1e-5)
        hold("latent", latent, case.official[f"crop{index}_unet_in"], absolute=5e-6)


def test_unet_maps(case):
    for index, features in enumerate(case.features):
        for block, ours in enumerate(features[2:]):
            official = case.official[f"crop{index}_unet_up{block}"]
            hold("UNet maps", ours, official, relative=1e-5)


def test_levels(case):
    for level, ours in enumerate(case.levels, start=2):
        hold("res2 to res5", ours, case.official[f"res{level}"], relative=1e-4)


def test_pixel_decoder(case):
    with torch.no_grad():
        decoded = case.network.pixel_decoder(case.levels, output_hidden_states=False)
    hold("pixel decoder", decoded.mask_features, case.official["mask_features"], absolute=1e-3)
    for index, ours in enumerate(decoded.multi_scale_features):
        hold("pixel decoder", ours, case.official[f"multi_scale_{index}"], absolute=1e-3)


def test_every_layer_of_the_predictor(case):
    names = [f"aux{index}_" for index in range(len(case.layers) - 1)] + [""]
    for name, layer in zip(names, case.layers, strict=True):
        hold("predictor logits", layer.classes, case.official[f"{name}pred_logits"], absolute=1e-3)
        hold("predictor masks", layer.masks, case.official[f"{name}pred_masks"], absolute=1e-3)


def test_class_scores_and_labels(case):
    official = case.official["sem_seg"]
    hold("sem_seg", case.sem_seg, official, absolute=1e-3)
    agreement = (case.labels == official.argmax(dim=0).numpy()).mean()
    print(f"parity | labels | share equal | asked 0.9999 | reached {agreement:.6f}")
    assert agreement >= 0.9999


def test_windows_together_are_windows_one_by_one(case):
    """The whole pass, as the segmenter calls it, whatever the batch."""
    noise = [case.official[f"crop{index}_latent_noise"] for index in range(case.meta["crops"])]
    photo = case.official["image_u8"].permute(1, 2, 0).numpy()
    pixels = torch.from_numpy(fit(photo, PADDING).pixels.copy()).permute(2, 0, 1)[None] / 255
    for batch in (1, 3):
        with torch.no_grad():
            scores = case.network.segment(pixels * 2 - 1, case.prompts[:1], noise, batch)
        hold("predictor masks", scores.masks, case.official["pred_masks"], absolute=1e-3)
        hold("predictor logits", scores.classes, case.official["pred_logits"], absolute=1e-3)
