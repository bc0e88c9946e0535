"""Times RASS at full size on random weights, stage by stage; prints JSON.

Usage: python speed.py ours|official threads repeats

``official`` takes the official code's steps on the same stock networks: two taggers, adapters that
are not merged, the UNet's last convolution, the text encoder each time, class scores of all pixels
at once, default allocation. (The official code itself needs detectron2 built
from source and old versions of the libraries.)
"""

import json
import resource
import sys
import time
import warnings

import torch
from torch.nn.functional import interpolate

from rass_bench.models.devices import keep_freed_memory
from rass_bench.models.protocols import ScoreWindow
from rass_bench.models.queries import argmax_windows
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.lora import add_lora
from rass_bench.models.rass.network import RassNetwork, encode, run_unet
from rass_bench.models.rass.networks import build_unet
from rass_bench.models.rass.ram import Ram, RamTagger, TagList
from rass_bench.models.rass.taps import Taps
from rass_bench.models.rass.windows import Window

SIDE = 512


def main(how: str, threads: int, repeats: int) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = RassConfig.sd21()
    network = filled(lambda: RassNetwork(config))
    if how == "ours":
        keep_freed_memory()
    else:
        network.unet = filled(lambda: _adapted_unet(config))
    ram = Ram(config.ram).eval().requires_grad_(False)
    tagger = RamTagger(ram, TagList(("tag",) * config.ram.tags, (1.0,) * config.ram.tags))
    with torch.no_grad():
        runs = [_run(network, tagger, official=how == "official") for _ in range(repeats + 1)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # The first run warms up.
    print(json.dumps({"runs": runs[1:], "peak_bytes": peak}))


def _run(network: RassNetwork, tagger: RamTagger, *, official: bool) -> dict[str, float]:
    photo = torch.rand(1, 3, SIDE, SIDE)
    whole = (Window(0, 0, SIDE, SIDE),)
    watch = _Watch()
    for _ in range(2 if official else 1):
        tagger.tag(photo)
    watch.stage("tagger")
    with Taps([network.vae.encoder.down_blocks[i] for i in (1, 3)]) as vae_maps:
        posterior = encode(network.vae, photo * 2 - 1)
    watch.stage("VAE encoder")
    tokens = torch.zeros(1, network.config.text.length, dtype=torch.int64)
    context = network.text_encoder(input_ids=tokens).last_hidden_state
    watch.stage("text encoder")
    with Taps(network.unet.up_blocks) as unet_maps:
        run_unet(network.unet, posterior.mean * network.config.vae.scaling, 1, context)
    watch.stage("UNet")
    levels = network.levels([[*vae_maps, *unet_maps]], whole, whole[0])
    watch.stage("projections")
    decoded = network.pixel_decoder(levels, output_hidden_states=False)
    watch.stage("pixel decoder")
    answer = network.transformer_module(decoded.multi_scale_features, decoded.mask_features)
    classes = network.class_predictor(answer.intermediate_hidden_states[-1].transpose(0, 1))
    masks = answer.masks_queries_logits[-1]
    watch.stage("predictor")
    probabilities = classes.softmax(-1)[0, :, :-1]
    if official:
        large = interpolate(masks, (SIDE, SIDE), mode="bilinear", align_corners=False)[0].sigmoid()
        torch.einsum("qc,qhw->chw", probabilities, large).argmax(dim=0)
    else:
        window = ScoreWindow(0, 0, SIDE, SIDE, masks[0].numpy(), probabilities.numpy())
        argmax_windows((window,), (SIDE, SIDE), SIDE, SIDE)
    watch.stage("labels")
    return watch.seconds


class _Watch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def _adapted_unet(config: RassConfig):
    unet = build_unet(config.unet, config.vae.latent_channels)
    add_lora(unet, config.lora)
    return unet


def filled(build):
    """A network with random weights, without the minutes that its own initialisation takes."""
    with torch.device("meta"):
        network = build()
    network = network.to_empty(device="cpu").eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.uniform_(-0.02, 0.02)
    for buffer in network.buffers():
        buffer.copy_(torch.arange(buffer.numel()).reshape(buffer.shape))
    return network


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
