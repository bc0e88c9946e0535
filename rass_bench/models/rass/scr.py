"""SCR's forward pass: a low-quality photo and its prompt to the restored photo, in one step.

    photo ─ VAE encoder ─ latent z ─ UNet at timestep 1, told the prompt ─ x0 ─ VAE decoder ─ photo

SCR is Stable Diffusion's UNet with SCR's adapters merged in and its own ``conv_in``; VAE and text
encoder are Stable Diffusion's own (official ras.py).
"""

from __future__ import annotations

from torch import Tensor, nn

from rass_bench.models.rass.config import CleanLatent, RassConfig
from rass_bench.models.rass.network import encode, run_unet
from rass_bench.models.rass.networks import BETA_END, BETA_START, TRAIN_TIMESTEPS, build_networks


class ScrNetwork(nn.Module):
    """VAE, UNet and text encoder.

    Args:
        config: the sizes; the head's are not used.
    """

    def __init__(self, config: RassConfig) -> None:
        super().__init__()
        self.config = config
        self.unet, self.vae, self.text_encoder = build_networks(config)

    def forward(self, pixels: Tensor, context: Tensor, noise: Tensor | None = None) -> Tensor:
        """Restore photos of one size.

        Args:
            pixels: float32 (N, 3, H, W) in [-1, 1], H and W multiples of 8.
            context: text embeddings (N, length, C).
            noise: standard normal (N, 4, H / 8, W / 8), or None for the posterior's mean.

        Returns:
            (N, 3, H, W) around [-1, 1], not clamped.
        """
        config = self.config
        latent = encode(self.vae, pixels).draw(noise) * config.vae.scaling
        answer = run_unet(self.unet, latent, config.timestep, context)
        clean = clean_latent(latent, answer, config.timestep, config.clean_latent)
        restored: Tensor = self.vae.decode(clean / config.vae.scaling, return_dict=False)[0]
        return restored


def clean_latent(latent: Tensor, answer: Tensor, timestep: int, form: CleanLatent) -> Tensor:
    """The restored latent from what went into the UNet and what it answered.

    Args:
        latent: z, what the UNet was given.
        answer: eps, what it answered.
        timestep: the one it was told, 0..999.
        form: see :class:`rass_bench.models.rass.config.CleanLatent`.

    Returns:
        x0, of the latent's shape.
    """
    if form is CleanLatent.RESIDUAL:
        return latent - answer
    alpha = signal_fraction(timestep)
    clean: Tensor = (latent - (1 - alpha) ** 0.5 * answer) / alpha**0.5
    return clean


def signal_fraction(timestep: int) -> float:
    """The variance of the signal left at a timestep, alpha-bar of DDPM (arXiv 2006.11239, 2).

    Of Stable Diffusion's schedule: betas whose square roots lie evenly between those of 0.00085
    and 0.012.
    """
    first, last = BETA_START**0.5, BETA_END**0.5
    product = 1.0
    for step in range(timestep + 1):
        root = first + (last - first) * step / (TRAIN_TIMESTEPS - 1)
        product *= 1 - root**2
    return product
