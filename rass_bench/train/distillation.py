"""Losses that draw restored latents towards what a frozen diffusion prior takes for clean photos.

    latents z ─ noise added at a random timestep ─┬─ prior, told the prompt and nothing (guided)
                                                  └─ VSD: critic that learned the restored latents
                                                     CSD: prior, told the prompt (not guided)

    the difference of the two clean latents that they see in the noise is the gradient of z

Either loss is a module whose terms may stand in one sum: its gradient with respect to z, and the
critic's own, reach parameters that have nothing in common.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from rass_bench.models.rass.config import LoraConfig
from rass_bench.models.rass.lora import add_lora
from rass_bench.models.rass.networks import BETA_END, BETA_START, TRAIN_TIMESTEPS


class Distillation(StrEnum):
    """Which loss compares the distribution of restored latents with the prior's."""

    VSD = "vsd"
    """Variational score distillation, OSEDiff's (arXiv 2406.08177): a critic learns along."""

    CSD = "csd"
    """Classifier score distillation, PiSA-SR's (arXiv 2412.03017): the prior alone."""

    OFF = "off"


@dataclass(frozen=True)
class DistillationSettings:
    """How noise is drawn and how strongly the prior is guided.

    Attributes:
        first: smallest timestep drawn.
        stop: the one after the largest.
        guidance: scale of classifier-free guidance; 1 is the conditional prediction.
    """

    first: int
    stop: int
    guidance: float = 7.5


VSD = DistillationSettings(first=20, stop=980)
"""OSEDiff's: 2 % to 98 % of the schedule."""

CSD = DistillationSettings(first=20, stop=500)
"""PiSA-SR's: 2 % to 50 % of the schedule."""

Denoiser: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The noise in noisy latents (N, C, h, w), told timesteps (N,) and text embeddings (N, length, D);
float32."""


class VsdLoss(nn.Module):
    """Variational score distillation with its critic (Wang et al. 2023, arXiv 2305.16213).

    The critic is the prior under adapters of its own; without them it is the frozen reference.

    Args:
        prior: diffusers' UNet without adapters, changed in place: only the critic's adapters
            require gradients afterwards. It must not be the UNet that is trained.
        lora: rank and scaling of the critic's adapters.
        settings: timesteps and guidance.
    """

    def __init__(self, prior: Any, lora: LoraConfig, settings: DistillationSettings = VSD) -> None:
        super().__init__()
        add_lora(prior, lora, suffix="_critic")
        # The reference reads conv_in's own weights too: they stay what they are.
        prior.conv_in.base_layer.requires_grad_(False)
        self.critic = prior
        self.settings = settings

    def forward(self, latents: Tensor, context: Tensor, null_context: Tensor) -> dict[str, Tensor]:
        """The two terms: what the restorer learns from and what the critic learns from.

        Args:
            latents: restored ones, (N, C, h, w), scaled as the prior takes them.
            context: text embeddings (N, length, D).
            null_context: embedding of the empty prompt, (1, length, D).

        Returns:
            ``vsd`` and ``critic``, float32 scalars, not weighted.
        """
        critic = functools.partial(predict_noise, self.critic)
        # The critic learns first: autocast remembers the weights that it converts, and until 2026
        # those it converted under no_grad passed no gradients on later (PyTorch issue 158232).
        learned = diffusion_loss(critic, latents.detach(), context)
        distilled = vsd_loss(
            latents,
            critic,
            self._reference,
            context=context,
            null_context=null_context,
            settings=self.settings,
        )
        return {"vsd": distilled, "critic": learned}

    def _reference(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        with _without_adapters(self.critic):
            return predict_noise(self.critic, noisy, timesteps, context)


class CsdLoss(nn.Module):
    """Classifier score distillation (Yu et al. 2023, arXiv 2310.19415).

    Args:
        prior: diffusers' UNet, frozen in place. It must not be the UNet that is trained.
        settings: timesteps and guidance.
    """

    def __init__(self, prior: Any, settings: DistillationSettings = CSD) -> None:
        super().__init__()
        self.prior = prior.requires_grad_(False)
        self.settings = settings

    def forward(self, latents: Tensor, context: Tensor, null_context: Tensor) -> dict[str, Tensor]:
        """What the restorer learns from; arguments as for :meth:`VsdLoss.forward`.

        Returns:
            ``csd``, a float32 scalar, not weighted.
        """
        prior = functools.partial(predict_noise, self.prior)
        distilled = csd_loss(
            latents, prior, context=context, null_context=null_context, settings=self.settings
        )
        return {"csd": distilled}


def build_distillation(
    kind: Distillation, prior: Any, lora: LoraConfig
) -> VsdLoss | CsdLoss | None:
    """The loss of one kind, or None for :attr:`Distillation.OFF`."""
    match kind:
        case Distillation.VSD:
            return VsdLoss(prior, lora)
        case Distillation.CSD:
            return CsdLoss(prior)
        case Distillation.OFF:
            return None


def vsd_loss(
    latents: Tensor,
    critic: Denoiser,
    prior: Denoiser,
    *,
    context: Tensor,
    null_context: Tensor,
    settings: DistillationSettings,
) -> Tensor:
    """From the critic's clean latents to the guided prior's, as OSEDiff has it (arXiv 2406.08177).

    Args:
        latents: (N, C, h, w).
        critic: knows the restored latents.
        prior: frozen.
        context: (N, length, D).
        null_context: (1, length, D).
        settings: timesteps and guidance.

    Returns:
        A float32 scalar; see :func:`score_loss`.
    """
    with torch.no_grad():
        noisy, timesteps, _ = _add_random_noise(latents, settings.first, settings.stop)
        present = _clean(critic, noisy, timesteps, context)
        told = _clean(prior, noisy, timesteps, context)
        untold = _clean(prior, noisy, timesteps, null_context.expand(len(noisy), -1, -1))
    return score_loss(latents, present, _guided(told, untold, settings.guidance))


def csd_loss(
    latents: Tensor,
    prior: Denoiser,
    *,
    context: Tensor,
    null_context: Tensor,
    settings: DistillationSettings,
) -> Tensor:
    """From the prior's own clean latents to its guided ones, as PiSA-SR has it (arXiv 2412.03017).

    Arguments and result are those of :func:`vsd_loss`.
    """
    with torch.no_grad():
        noisy, timesteps, _ = _add_random_noise(latents, settings.first, settings.stop)
        told = _clean(prior, noisy, timesteps, context)
        untold = _clean(prior, noisy, timesteps, null_context.expand(len(noisy), -1, -1))
    return score_loss(latents, told, _guided(told, untold, settings.guidance))


def score_loss(latents: Tensor, present: Tensor, wanted: Tensor) -> Tensor:
    """A loss whose gradient with respect to z is 2 g / (number of z's elements).

        g = (present - wanted) / mean |z - wanted|,    loss = mean (z - stop(z - g))^2

    The divisor, each photo's own, gives all timesteps a like share (DMD, arXiv 2311.18828).

    Args:
        latents: z, (N, C, h, w).
        present: clean latents where the restorer stands, of that shape.
        wanted: clean latents where it should go.

    Returns:
        A float32 scalar. Its value is the mean of g^2 and need not fall as training succeeds.
    """
    latents = latents.float()
    with torch.no_grad():
        distance = (latents - wanted).abs().mean(dim=(1, 2, 3), keepdim=True)
        target = latents - (present - wanted) / distance
    return mse_loss(latents, target)


def diffusion_loss(denoiser: Denoiser, latents: Tensor, context: Tensor) -> Tensor:
    """Mean squared error of the noise predicted at random timesteps (DDPM, equation 14).

    Args:
        denoiser: what learns.
        latents: clean ones, (N, C, h, w).
        context: text embeddings (N, length, D).

    Returns:
        A float32 scalar.
    """
    noisy, timesteps, noise = _add_random_noise(latents, 0, TRAIN_TIMESTEPS)
    return mse_loss(denoiser(noisy, timesteps, context), noise)


def predict_noise(unet: Any, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
    """A UNet as a :data:`Denoiser`; its answer is float32 under autocast too."""
    answer: Tensor = unet(noisy, timesteps, encoder_hidden_states=context, return_dict=False)[0]
    return answer.float()


def add_noise(clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Noisy latents at given timesteps (DDPM, arXiv 2006.11239, equation 4).

    Args:
        clean: (N, C, h, w).
        noise: standard normal, of that shape.
        timesteps: int64 (N,), 0..999.

    Returns:
        float32 (N, C, h, w).
    """
    signal, deviation = _amplitudes(timesteps)
    return signal * clean.float() + deviation * noise.float()


def remove_noise(noisy: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Clean latents from noisy ones and the noise in them: the inverse of :func:`add_noise`."""
    signal, deviation = _amplitudes(timesteps)
    return (noisy - deviation * noise) / signal


@functools.cache
def signal_fractions() -> Tensor:
    """alpha-bar of every timestep, float64 (1000,); see ``models.rass.scr.signal_fraction``."""
    first, last = BETA_START**0.5, BETA_END**0.5
    roots = torch.linspace(first, last, TRAIN_TIMESTEPS, dtype=torch.float64, device="cpu")
    return (1 - roots**2).cumprod(0)


def _amplitudes(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of signal and noise at timesteps (N,), float32 (N, 1, 1, 1)."""
    fractions = signal_fractions()
    signal = fractions.sqrt().float().to(timesteps.device)[timesteps]
    deviation = (1 - fractions).sqrt().float().to(timesteps.device)[timesteps]
    return signal[:, None, None, None], deviation[:, None, None, None]


def _add_random_noise(latents: Tensor, first: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latents, the timesteps drawn from ``range(first, stop)``, the noise drawn."""
    timesteps = torch.randint(first, stop, latents.shape[:1], device=latents.device)
    noise = torch.randn_like(latents, dtype=torch.float32)
    return add_noise(latents, noise, timesteps), timesteps, noise


def _clean(denoiser: Denoiser, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
    return remove_noise(noisy, denoiser(noisy, timesteps, context), timesteps)


def _guided(told: Tensor, untold: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance (arXiv 2207.12598), which is the same of noise and clean latents."""
    return untold + guidance * (told - untold)


@contextmanager
def _without_adapters(unet: Any) -> Iterator[None]:
    unet.disable_adapters()
    try:
        yield
    finally:
        unet.enable_adapters()
