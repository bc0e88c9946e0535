"""A RASS small enough to test, written to disk as the official code's authors publish theirs.

The official names are spelled out here once more, and the adapters are added and merged by peft
itself, so that what the package reads can be compared with networks that it had no hand in.
"""

import dataclasses
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig as PeftLora
from peft.tuners.tuners_utils import BaseTunerLayer

from rass_bench.models.rass.config import (
    HeadConfig,
    RamConfig,
    RassConfig,
    TextConfig,
    UNetConfig,
    VaeConfig,
)
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.networks import build_networks
from rass_bench.models.rass.prompt import _packaged_merges, _read_package
from rass_bench.models.rass.ram import prepare
from rass_bench.models.rass.ram_weights import build_ram, convert_weights
from rass_bench.models.rass.scr import ScrNetwork

CONFIG = RassConfig(
    size="toy",
    label_space="ade20k-150",
    unet=UNetConfig((16, 16, 32, 32), (2, 2, 4, 4), 16, layers_per_block=1, norm_groups=8),
    vae=VaeConfig((16, 16, 32, 64), layers_per_block=1, norm_groups=8),
    text=TextConfig(vocabulary=49408, width=16, feed_forward=32, layers=1, heads=2),
    head=HeadConfig(
        classes=150,
        projection=64,
        bottleneck=64,
        width=64,
        mask_width=32,
        hidden=64,
        heads=2,
        pixel_decoder_layers=1,
        pixel_decoder_feed_forward=32,
        decoder_layers=2,
        decoder_feed_forward=32,
        queries=12,
        points=64,
    ),
    ram=RamConfig(
        image_side=32,
        embed_dim=8,
        depths=(2, 2),
        heads=(1, 2),
        window=4,
        embedding=12,
        hidden=16,
        feed_forward=20,
        tagging_heads=2,
        tags=5,
    ),
)
TAGS = ("tree", "dog's bowl", "sky", "3D glasses", "green grass")

SD = "backbone.feature_extractor.sd."
RAM = "backbone.feature_extractor.ram."


@dataclass(frozen=True)
class Toy:
    """What was written, and the networks that it stands for, computed without the package's reader.

    Attributes:
        folder: the official files.
        rass: RASS, its adapters merged by peft.
        scr: SCR, likewise.
        trained: names in rass.pth that training changes.
        tags: what RAM says of ``photo(64, 64, 0)`` and of ``photo(64, 64, 1)``; empty without RAM.
    """

    folder: Path
    rass: RassNetwork
    scr: ScrNetwork
    trained: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]


def write_official(folder: Path, config: RassConfig = CONFIG, seed: int = 0) -> Toy:
    """Write a folder of official files with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _write(folder, config)


def _write(folder: Path, config: RassConfig) -> Toy:
    sd = folder / "stable-diffusion-2-1-base"
    unet, vae, text_encoder = build_networks(config)
    for name, network in (("unet", unet), ("vae", vae), ("text_encoder", text_encoder)):
        network.save_pretrained(sd / name)
    _write_tokenizer(sd / "tokenizer")

    layers = _adapted_layers(unet)
    scr_state = _adapt(unet, layers, rank=3, suffix="", with_last=True)
    lists = _by_part([*layers, "conv_out"])
    torch.save(
        {
            "rank_unet": 3,
            "unet_lora_encoder_modules": lists["encoder"],
            "unet_lora_decoder_modules": lists["decoder"],
            "unet_lora_others_modules": lists["others"],
            "state_dict_unet": {
                name: one for name, one in scr_state.items() if "lora" in name or "conv_in" in name
            },
        },
        folder / "scr.pkl",
    )
    _merge(unet)
    scr = ScrNetwork(config).eval()
    for own, made in ((scr.unet, unet), (scr.vae, vae), (scr.text_encoder, text_encoder)):
        own.load_state_dict(made.state_dict())

    rass_unet = _adapt(unet, layers, config.lora.rank, suffix="_s2", with_last=False)
    official = {f"{SD}unet.{name}": one.clone() for name, one in rass_unet.items()}
    _merge(unet)
    rass = RassNetwork(config).eval()
    rass.unet.load_state_dict(unet.state_dict(), strict=False)
    rass.vae.load_state_dict(vae.state_dict(), strict=False)
    rass.text_encoder.load_state_dict(text_encoder.state_dict())
    # transformers leaves its memory as it is until a whole Mask2Former is initialised.
    torch.nn.init.normal_(rass.pixel_decoder.level_embed)

    official |= {f"{SD}vae.{name}": one for name, one in vae.state_dict().items()}
    official |= {
        f"{SD}text_encoder.text_model.{name}": one
        for name, one in text_encoder.state_dict().items()
    }
    head = _official_head(rass.state_dict(), config.head)
    official |= head
    ram = ram_state() if config.ram is not None else {}
    thresholds, tags = _tell_apart(ram, config.ram) if config.ram is not None else ((), ())
    official |= {f"{RAM}{name}": one for name, one in ram.items()}
    official |= {f"{RAM}{name}".replace(".ram.", ".dape."): one for name, one in ram.items()}
    official |= {
        "backbone.jpeger.compress.l1.0.shift": torch.zeros(3),
        "criterion.empty_weight": torch.ones(config.head.classes + 1),
    }
    torch.save({"model": official, "iteration": 159_999}, folder / "rass.pth")
    if config.ram is not None:
        torch.save({"model": ram}, folder / "ram_swin_large_14m.pth")
        folder.joinpath("ram_tag_list.txt").write_text("\n".join(TAGS) + "\n")
        lines = "\n".join(map(str, thresholds))
        folder.joinpath("ram_tag_list_threshold.txt").write_text(lines + "\n")
    folder.joinpath("rass_config.json").write_text(json.dumps(dataclasses.asdict(config)))
    trained = [name for name in official if "lora_" in name and ".unet." in name]
    trained += [f"{SD}unet.conv_in.base_layer.{kind}" for kind in ("weight", "bias")]
    return Toy(folder, rass, scr, (*trained, *head), tags)


def _write_tokenizer(folder: Path) -> None:
    vocabulary, merges = _read_package(_packaged_merges())
    folder.mkdir()
    folder.joinpath("vocab.json").write_text(json.dumps(vocabulary))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    folder.joinpath("merges.txt").write_text("\n".join(lines) + "\n")


def _adapted_layers(unet) -> list[str]:
    """Every convolution and linear layer but those of the time, and ``conv_out``."""
    return [
        name
        for name, module in unet.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
        and "time_emb" not in name
        and name != "conv_out"
    ]


def _by_part(layers: list[str]) -> dict[str, list[str]]:
    parts = {"encoder": [], "decoder": [], "others": []}
    for name in layers:
        if name == "conv_in" or name.startswith("down_blocks"):
            parts["encoder"].append(name)
        elif name == "conv_out" or name.startswith("up_blocks"):
            parts["decoder"].append(name)
        else:
            parts["others"].append(name)
    return parts


def _adapt(unet, layers: list[str], rank: int, suffix: str, *, with_last: bool) -> dict:
    """Add random adapters and another ``conv_in``; return the state under peft's names."""
    names = []
    for part, targets in _by_part([*layers, "conv_out"] if with_last else layers).items():
        names.append(f"default_{part}{suffix}")
        adapter = PeftLora(r=rank, init_lora_weights="gaussian", target_modules=targets)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            unet.add_adapter(adapter, adapter_name=names[-1])
    unet.set_adapter(names)
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
            elif name.startswith("conv_in.base_layer"):
                parameter.add_(0.1 * torch.randn_like(parameter))
    return {name: one.detach().clone() for name, one in unet.state_dict().items()}


def _merge(unet) -> None:
    """Let peft merge what is active and take its layers out again."""
    for name, module in list(unet.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            unet.set_submodule(name, module.get_base_layer())
    unet.requires_grad_(False)
    unet._hf_peft_config_loaded = False
    del unet.peft_config


def _official_head(ours: dict, head: HeadConfig) -> dict[str, torch.Tensor]:
    """Projections and head under the official names."""
    names = _projections() | _pixel_decoder(head) | _predictor(head)
    old = "sem_seg_head.pixel_decoder.transformer.level_embed"
    official = {old: ours["pixel_decoder.level_embed"]}
    for name, theirs in names.items():
        dot = "" if name.endswith("in_proj_") else "."
        for kind in ("weight", "bias"):
            if f"{name}{dot}{kind}" in ours:
                official[f"{theirs}{dot}{kind}"] = ours[f"{name}{dot}{kind}"]
    for layer in range(head.decoder_layers):
        own = f"transformer_module.decoder.layers.{layer}.self_attn."
        old = f"sem_seg_head.predictor.transformer_self_attention_layers.{layer}.self_attn."
        for kind in ("weight", "bias"):
            parts = [ours[f"{own}{letter}_proj.{kind}"] for letter in "qkv"]
            official[f"{old}in_proj_{kind}"] = torch.cat(parts)
    return official


def _projections() -> dict[str, str]:
    names = {}
    for index in range(6):
        old = f"backbone.feature_extractor.feature_projections.{index}.0"
        own = f"projections.{index}"
        for number in (1, 2, 3):
            names[f"{own}.conv{number}"] = f"{old}.conv{number}"
            names[f"{own}.norm{number}"] = f"{old}.conv{number}.norm"
        names[f"{own}.shortcut.0"] = f"{old}.shortcut"
        names[f"{own}.shortcut.1"] = f"{old}.shortcut.norm"
    return names


def _pixel_decoder(head: HeadConfig) -> dict[str, str]:
    old, own = "sem_seg_head.pixel_decoder.", "pixel_decoder."
    names = {f"{own}mask_projection": f"{old}mask_features"}
    for scale in range(3):
        for part in (0, 1):
            names[f"{own}input_projections.{scale}.{part}"] = f"{old}input_proj.{scale}.{part}"
    for part in ("adapter_1", "layer_1"):
        names[f"{own}{part}.0"] = f"{old}{part}"
        names[f"{own}{part}.1"] = f"{old}{part}.norm"
    for layer in range(head.pixel_decoder_layers):
        ours = f"{own}encoder.layers.{layer}."
        theirs = f"{old}transformer.encoder.layers.{layer}."
        for part in ("sampling_offsets", "attention_weights", "value_proj", "output_proj"):
            names[f"{ours}self_attn.{part}"] = f"{theirs}self_attn.{part}"
        names[f"{ours}self_attn_layer_norm"] = f"{theirs}norm1"
        names[f"{ours}final_layer_norm"] = f"{theirs}norm2"
        names[f"{ours}fc1"] = f"{theirs}linear1"
        names[f"{ours}fc2"] = f"{theirs}linear2"
    return names


def _predictor(head: HeadConfig) -> dict[str, str]:
    """All but self attention's queries, keys and values, which the official code packs."""
    old, own = "sem_seg_head.predictor.", "transformer_module."
    names = {
        "class_predictor": f"{old}class_embed",
        f"{own}decoder.layernorm": f"{old}decoder_norm",
        f"{own}queries_features": f"{old}query_feat",
        f"{own}queries_embedder": f"{old}query_embed",
        f"{own}level_embed": f"{old}level_embed",
    }
    for layer in range(3):
        mask_layer = f"{own}decoder.mask_predictor.mask_embedder.{layer}.0"
        names[mask_layer] = f"{old}mask_embed.layers.{layer}"
    for layer in range(head.decoder_layers):
        ours = f"{own}decoder.layers.{layer}."
        alone = f"{old}transformer_self_attention_layers.{layer}."
        across = f"{old}transformer_cross_attention_layers.{layer}."
        after = f"{old}transformer_ffn_layers.{layer}."
        names |= {
            f"{ours}self_attn.out_proj": f"{alone}self_attn.out_proj",
            f"{ours}self_attn_layer_norm": f"{alone}norm",
            f"{ours}cross_attn.in_proj_": f"{across}multihead_attn.in_proj_",
            f"{ours}cross_attn.out_proj": f"{across}multihead_attn.out_proj",
            f"{ours}cross_attn_layer_norm": f"{across}norm",
            f"{ours}fc1": f"{after}linear1",
            f"{ours}fc2": f"{after}linear2",
            f"{ours}final_layer_norm": f"{after}norm",
        }
    return names


def ram_shapes() -> dict[str, tuple[int, ...]]:
    """The official names of the toy's RAM; a name without a suffix stands for weight and bias."""
    shapes = {
        "label_embed": (5, 12),
        "wordvec_proj": (16, 12),
        "image_proj": (12, 16),
        "fc": (1, 16),
        "visual_encoder.patch_embed.proj": (8, 3, 4, 4),
        "visual_encoder.patch_embed.norm": (8,),
        "visual_encoder.norm": (16,),
        "visual_encoder.layers.0.downsample.norm": (32,),
        "visual_encoder.layers.0.downsample.reduction.weight": (16, 32),
    }
    for stage, width in enumerate((8, 16)):
        for block in range(2):
            prefix = f"visual_encoder.layers.{stage}.blocks.{block}."
            shapes |= {
                f"{prefix}norm1": (width,),
                f"{prefix}attn.relative_position_bias_table": (49, 1 + stage),
                f"{prefix}attn.qkv": (3 * width, width),
                f"{prefix}attn.proj": (width, width),
                f"{prefix}norm2": (width,),
                f"{prefix}mlp.fc1": (4 * width, width),
                f"{prefix}mlp.fc2": (width, 4 * width),
            }
    for layer in range(2):
        prefix = f"tagging_head.encoder.layer.{layer}."
        shapes |= {
            f"{prefix}crossattention.self.query": (16, 16),
            f"{prefix}crossattention.self.key": (16, 12),
            f"{prefix}crossattention.self.value": (16, 12),
            f"{prefix}crossattention.output.dense": (16, 16),
            f"{prefix}crossattention.output.LayerNorm": (16,),
            f"{prefix}intermediate.dense": (20, 16),
            f"{prefix}output.dense": (16, 20),
            f"{prefix}output.LayerNorm": (16,),
        }
    return shapes


def ram_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of the toy's RAM under the official names, one adapter with them."""
    adapter = "visual_encoder.layers.0.blocks.1.attn.qkv.lora_"
    shapes = ram_shapes() | {f"{adapter}A": (4, 8), f"{adapter}B": (16, 2)}
    generator = np.random.default_rng(seed)
    state = {}
    for name, shape in shapes.items():
        values = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
        if name.endswith(("label_embed", "weight", "table", "lora_A", "lora_B")):
            state[name] = values
        else:
            state[f"{name}.weight"] = torch.ones(shape) if "norm" in name.lower() else 0.2 * values
            bias = generator.standard_normal(shape[:1], dtype=np.float32)
            state[f"{name}.bias"] = torch.from_numpy(bias)
    # Large enough that a tag's probability depends on the photo and on the tag.
    state["label_embed"] *= 3
    state["fc.weight"] *= 5
    return state


def _tell_apart(
    ram: dict[str, torch.Tensor], config: RamConfig
) -> tuple[tuple[float, ...], tuple[tuple[str, ...], ...]]:
    """Thresholds between the probabilities of two photos, and the tags that follow.

    ``fc.bias`` is moved so that the probabilities lie about a half. The first tag's threshold lies
    below both of its, so that something is said of each photo. All this is measured: no constant
    is far from every probability that random weights may give.
    """
    network = build_ram(convert_weights(ram, config, "toy"), config)
    photos = np.stack([photo(64, 64, seed) for seed in (0, 1)]).transpose(0, 3, 1, 2)
    with torch.no_grad():
        _, logits = network(prepare(torch.from_numpy(photos).float() / 255, config.image_side))
    ram["fc.bias"] = ram["fc.bias"] - logits.mean()
    probabilities = (logits - logits.mean()).double().sigmoid().numpy()
    thresholds = probabilities.mean(axis=0)
    thresholds[0] = probabilities[:, 0].min() / 2
    assert (abs(probabilities - thresholds) > 1e-4).all(), "the two photos look alike to this RAM"
    said = tuple(
        tuple(tag for tag, holds in zip(TAGS, row > thresholds, strict=True) if holds)
        for row in probabilities
    )
    assert said[0] != said[1]
    return tuple(thresholds.tolist()), said


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photo of coarse coloured noise, RGB uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3))
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].astype(np.uint8)
