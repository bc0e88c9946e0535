"""The tiny RASS of the official code's fixtures, built here with the same weights."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rass_bench.models.rass.config import (
    HeadConfig,
    LoraConfig,
    RassConfig,
    TextConfig,
    UNetConfig,
    VaeConfig,
)
from tests.conftest import ORACLE

CASES = sorted(ORACLE.rglob("eval*_*.safetensors"))


@dataclass(frozen=True)
class Reached:
    """How far from the official numbers: the largest difference, absolute and relative.

    Relative is to the largest official value of the tensor.
    """

    absolute: float
    relative: float


def hold(
    what: str,
    ours: torch.Tensor,
    official: torch.Tensor,
    *,
    absolute: float | None = None,
    relative: float | None = None,
) -> None:
    """Hold a tensor against the official one, and print what is reached (pytest -s)."""
    reached = distance(ours, official)
    kind, asked = ("absolute", absolute) if relative is None else ("relative", relative)
    error = getattr(reached, kind)
    print(f"parity | {what:24} | {kind} | asked {asked:.0e} | reached {error:.1e}")
    assert error <= asked, what


@dataclass(frozen=True)
class Tiny:
    config: RassConfig
    state: dict[str, torch.Tensor]
    meta: dict


def distance(ours: torch.Tensor, official: torch.Tensor) -> Reached:
    assert ours.shape == official.shape
    difference = (ours.double() - official.double()).abs().max().item()
    return Reached(difference, difference / official.double().abs().max().item())


def read_tiny(folder: Path) -> Tiny:
    """The model of a fixture folder: config.json, meta.json, state_dict_fp16.safetensors."""
    document = json.loads((folder / "config.json").read_text())
    state = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(folder / "state_dict_fp16.safetensors").items()
    }
    ids, rows = state.pop("__token_embedding_ids").long(), state.pop("__token_embedding_rows")
    text = document["clip_text"]
    embedding = torch.zeros(text["vocab_size"], text["hidden_size"])
    embedding[ids] = rows
    state[document["token_embedding_key"]] = embedding
    meta = json.loads((folder / "meta.json").read_text())
    return Tiny(_config(document, state), state, meta)


def _config(document: dict, state: dict[str, torch.Tensor]) -> RassConfig:
    unet, vae, text = document["unet"], document["vae"], document["clip_text"]
    overrides = document["cfg_overrides"]  # of maskformer2_RASS.yaml, whose values are the rest
    feed_forward = "sem_seg_head.pixel_decoder.transformer.encoder.layers.0.linear1.weight"
    return RassConfig(
        size="tiny",
        label_space="ade20k-150",
        unet=UNetConfig(
            tuple(unet["block_out_channels"]),
            tuple(unet["attention_head_dim"]),
            unet["cross_attention_dim"],
            unet["layers_per_block"],
            unet["norm_num_groups"],
        ),
        vae=VaeConfig(
            tuple(vae["block_out_channels"]),
            vae["layers_per_block"],
            vae["norm_num_groups"],
            vae["latent_channels"],
            vae["scaling_factor"],
        ),
        text=TextConfig(
            text["vocab_size"],
            text["hidden_size"],
            text["intermediate_size"],
            text["num_hidden_layers"],
            text["num_attention_heads"],
            text["max_position_embeddings"],
            text["hidden_act"],
        ),
        head=HeadConfig(
            classes=overrides.get("MODEL.SEM_SEG_HEAD.NUM_CLASSES", 150),
            width=overrides.get("MODEL.SEM_SEG_HEAD.CONVS_DIM", 256),
            mask_width=overrides.get("MODEL.SEM_SEG_HEAD.MASK_DIM", 256),
            hidden=overrides.get("MODEL.MASK_FORMER.HIDDEN_DIM", 256),
            heads=overrides.get("MODEL.MASK_FORMER.NHEADS", 8),
            pixel_decoder_layers=overrides.get("MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 6),
            pixel_decoder_feed_forward=len(state[feed_forward]),
            decoder_layers=overrides.get("MODEL.MASK_FORMER.DEC_LAYERS", 10) - 1,
            decoder_feed_forward=overrides.get("MODEL.MASK_FORMER.DIM_FEEDFORWARD", 2048),
            queries=overrides.get("MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 100),
            points=overrides.get("MODEL.MASK_FORMER.TRAIN_NUM_POINTS", 12544),
        ),
        lora=LoraConfig(document["lora_rank"], document["lora_alpha"]),
    )


@pytest.fixture(scope="session")
def tiny(oracle_file) -> Tiny:
    return read_tiny(oracle_file("tiny"))
