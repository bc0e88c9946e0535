"""BasicSR's torch degradation with the ranges of RASS, run by a Python that has basicsr-fixed.

    python basicsr_pipeline.py PHOTOS.npy RESULTS.npz SEED

PHOTOS.npy holds uint8 (N, H, W, 3); RESULTS.npz gets ``degraded`` of the same shape and
``seconds`` (N,), the time of each photo without files, on one thread.
"""

# ruff: noqa: NPY002, N812 -- BasicSR draws from the legacy global state; so must its driver.

import importlib.machinery
import importlib.util
import math
import random
import sys
import time
import types
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

MODES = ["area", "bilinear", "bicubic"]
KERNELS = ["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]
KERNEL_PROBABILITIES = [0.45, 0.25, 0.12, 0.03, 0.12, 0.03]
SIZES = list(range(7, 22, 2))


def load(relative):
    """One module file of basicsr: importing the package itself pulls in all its networks."""
    root = Path(importlib.util.find_spec("basicsr").submodule_search_locations[0])
    name = "basicsr_" + relative.replace("/", "_").removesuffix(".py")
    loader = importlib.machinery.SourceFileLoader(name, str(root / relative))
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def stand_in_for_torchvision():
    """Offer the one torchvision function that the degradations import, where it is absent."""
    if importlib.util.find_spec("torchvision") is not None:
        return

    def rgb_to_grayscale(image, num_output_channels=1):
        red, green, blue = image.unbind(dim=-3)
        return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)

    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision.transforms.functional"].rgb_to_grayscale = rgb_to_grayscale


stand_in_for_torchvision()
degradations = load("data/degradations.py")
jpeg_module = load("utils/diffjpeg.py")
filter2d = load("utils/img_process_util.py").filter2D


def pad_kernel(kernel):
    margin = (21 - kernel.shape[0]) // 2
    return torch.FloatTensor(np.pad(kernel, margin))


def random_kernel(sigma):
    size = random.choice(SIZES)
    if np.random.uniform() < 0.1:
        cutoff = np.random.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi)
        return pad_kernel(degradations.circular_lowpass_kernel(cutoff, size, pad_to=False))
    return pad_kernel(
        degradations.random_mixed_kernels(
            KERNELS,
            KERNEL_PROBABILITIES,
            size,
            sigma,
            sigma,
            [-math.pi, math.pi],
            [0.5, 4],
            [1, 2],
            noise_range=None,
        )
    )


def random_sinc_kernel():
    if np.random.uniform() < 0.8:
        size = random.choice(SIZES)
        cutoff = np.random.uniform(math.pi / 3, math.pi)
        return torch.FloatTensor(degradations.circular_lowpass_kernel(cutoff, size, pad_to=21))
    pulse = torch.zeros(21, 21)
    pulse[10, 10] = 1
    return pulse


def random_scale(probabilities, low, high):
    direction = random.choices(["up", "down", "keep"], probabilities)[0]
    if direction == "keep":
        return 1
    return np.random.uniform(1, high) if direction == "up" else np.random.uniform(low, 1)


def add_noise(image, sigma, poisson):
    if np.random.uniform() < 0.5:
        return degradations.random_add_gaussian_noise_pt(
            image, sigma_range=sigma, clip=True, rounds=False, gray_prob=0.4
        )
    return degradations.random_add_poisson_noise_pt(
        image, scale_range=poisson, gray_prob=0.4, clip=True, rounds=False
    )


def compress(image, jpeger):
    quality = image.new_zeros(image.size(0)).uniform_(30, 95)
    return jpeger(torch.clamp(image, 0, 1), quality=quality)


def degrade(image, jpeger):
    """feed_data: one image, float (1, 3, H, W) in 0..1, to the same."""
    height, width = image.shape[2:]
    first, second, sinc = random_kernel([0.2, 3]), random_kernel([0.2, 1.5]), random_sinc_kernel()
    out = filter2d(image, first[None])
    scale = random_scale([0.2, 0.7, 0.1], 0.15, 1.5)
    out = F.interpolate(out, scale_factor=scale, mode=random.choice(MODES))
    out = compress(add_noise(out, [1, 30], [0.05, 3]), jpeger)
    if np.random.uniform() < 0.8:
        out = filter2d(out, second[None])
    scale = random_scale([0.3, 0.4, 0.3], 0.3, 1.2)
    size = (int(height * scale), int(width * scale))
    out = F.interpolate(out, size=size, mode=random.choice(MODES))
    out = add_noise(out, [1, 25], [0.05, 2.5])
    if np.random.uniform() < 0.5:
        out = F.interpolate(out, size=(height, width), mode=random.choice(MODES))
        out = compress(filter2d(out, sinc[None]), jpeger)
    else:
        out = compress(out, jpeger)
        out = F.interpolate(out, size=(height, width), mode=random.choice(MODES))
        out = filter2d(out, sinc[None])
    return torch.clamp((out * 255.0).round(), 0, 255) / 255.0


def main():
    photos_file, results_file, seed = sys.argv[1:]
    random.seed(int(seed))
    np.random.seed(int(seed))
    torch.manual_seed(int(seed))
    torch.set_num_threads(1)
    photos = np.load(photos_file)
    jpeger = jpeg_module.DiffJPEG(differentiable=False)
    degraded, seconds = np.empty_like(photos), np.empty(len(photos))
    with torch.no_grad():
        for i, photo in enumerate(photos):
            image = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
            start = time.perf_counter()
            result = degrade(image, jpeger)
            seconds[i] = time.perf_counter() - start
            degraded[i] = (result[0] * 255).round().byte().permute(1, 2, 0).numpy()
    np.savez(results_file, degraded=degraded, seconds=seconds)


if __name__ == "__main__":
    main()
