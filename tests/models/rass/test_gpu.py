"""RASS and SCR on a CUDA device say what they say on the CPU."""

import pytest
import torch

from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.registry import Runtime
from tests.models.rass.toy import photo

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(scope="module")
def models(toy):
    def load(loader, name, device, *options):
        weights = f"official:{toy.folder}"
        return loader(name, Runtime(device, weights=weights, options=options))

    return load


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ((), 1e-3),
        (("batch=2",), 1e-3),
        (("channels_last=true",), 1e-3),
        (("compile=true",), 1e-3),
        (("precision=bf16",), 0.3),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_the_segmenters_class_probabilities(models, options, tolerance):
    photos = [photo(64, 104)]
    ((cpu,),) = models(load_segmenter, "rass", "cpu", "tagger=fixed:sky").predict(photos)
    gpu_model = models(load_segmenter, "rass", "cuda", "tagger=fixed:sky", *options)
    ((gpu,),) = gpu_model.predict(photos)
    assert abs(gpu.classes - cpu.classes).max() <= tolerance


def test_a_draw_from_the_posterior_is_the_same_on_every_device(models):
    chosen = ("tagger=fixed:sky", "latent=sample")
    ((cpu,),) = models(load_segmenter, "rass", "cpu", *chosen).predict([photo(64, 64)])
    ((gpu,),) = models(load_segmenter, "rass", "cuda", *chosen).predict([photo(64, 64)])
    assert abs(gpu.classes - cpu.classes).max() <= 1e-3


def test_the_restorer(models):
    photos = [photo(64, 64)]
    (cpu,) = models(load_restorer, "scr", "cpu", "tagger=fixed:sky").restore(photos)
    (gpu,) = models(load_restorer, "scr", "cuda", "tagger=fixed:sky").restore(photos)
    assert abs(gpu.astype(int) - cpu.astype(int)).max() <= 1
