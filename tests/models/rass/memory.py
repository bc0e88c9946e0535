"""Restores a photo with SCR at full size on random weights; prints seconds and peak memory as JSON.

Usage: python memory.py side
"""

import json
import resource
import sys
import time

import numpy as np
import torch

from rass_bench.models.devices import prepare
from rass_bench.models.protocols import ModelSpec
from rass_bench.models.rass.choices import Execution
from rass_bench.models.rass.config import RassConfig
from rass_bench.models.rass.prompt import load_clip_tokenizer
from rass_bench.models.rass.restorer import SIZE_RULE, ScrRestorer
from rass_bench.models.rass.scr import ScrNetwork
from rass_bench.models.rass.taggers import FixedTagger
from rass_bench.models.registry import Runtime
from tests.models.rass.speed import filled


def main(side: int) -> None:
    config = RassConfig.sd21()
    device = prepare(Runtime(threads=2))
    with torch.no_grad():
        network = filled(lambda: ScrNetwork(config))
    restorer = ScrRestorer(
        config,
        network,
        load_clip_tokenizer(None),
        FixedTagger(("sky",)),
        ModelSpec("scr", "random", "SCR", "none", size_rule=SIZE_RULE),
        device=device,
        execution=Execution(),
        seed=0,
    )
    photo = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    started = time.perf_counter()
    (restored,) = restorer.restore([photo])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"shape": restored.shape, "seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
