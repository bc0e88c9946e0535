"""SCR's forward pass: the restored latent, against diffusers' own scheduler."""

import pytest
import torch
from diffusers import DDPMScheduler

from rass_bench.models.rass.config import CleanLatent
from rass_bench.models.rass.scr import clean_latent, signal_fraction
from tests.models.rass.toy import CONFIG


@pytest.fixture(scope="module")
def scheduler():
    """Stable Diffusion 2.1 base's: scheduler_config.json."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type="epsilon",
    )


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 4, 8, 13), generator=generator), torch.randn(
        (2, 4, 8, 13), generator=generator
    )


@pytest.mark.parametrize("timestep", [0, 1, 500, 999])
def test_the_scheduler_form_is_diffusers_own(scheduler, latents, timestep):
    latent, answer = latents
    step = scheduler.step(answer, timestep, latent, generator=torch.Generator().manual_seed(0))
    ours = clean_latent(latent, answer, timestep, CleanLatent.SCHEDULER)
    scale = step.pred_original_sample.abs().max()
    assert (ours - step.pred_original_sample).abs().max() <= 1e-5 * scale


def test_every_timestep_keeps_as_much_signal_as_in_diffusers(scheduler):
    for timestep in range(0, 1000, 37):
        expected = scheduler.alphas_cumprod[timestep].item()
        assert signal_fraction(timestep) == pytest.approx(expected, rel=1e-4)


def test_the_residual_form_subtracts(latents):
    latent, answer = latents
    for timestep in (0, 1, 999):
        ours = clean_latent(latent, answer, timestep, CleanLatent.RESIDUAL)
        assert torch.equal(ours, latent - answer)


def test_at_timestep_one_the_answer_counts_for_little():
    """x0 = (z - .0413 eps) / .99915 (protocols.md, section 5)."""
    one, zero = torch.ones(1), torch.zeros(1)
    assert clean_latent(one, zero, 1, CleanLatent.SCHEDULER).item() == pytest.approx(
        1 / 0.99915, abs=1e-5
    )
    assert clean_latent(zero, one, 1, CleanLatent.SCHEDULER).item() == pytest.approx(
        -0.0413 / 0.99915, abs=5e-5
    )


def test_the_network_encodes_denoises_and_decodes(toy, scheduler):
    """Step by step with diffusers' own calls."""
    network = toy.scr
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand((1, 3, 64, 72), generator=generator) * 2 - 1
    context = torch.randn((1, 77, CONFIG.text.width), generator=generator)
    noise = torch.randn((1, 4, 8, 9), generator=generator)
    with torch.no_grad():
        posterior = network.vae.encode(pixels).latent_dist
        latent = (posterior.mean + posterior.std * noise) * 0.18215
        answer = network.unet(latent, torch.tensor([1]), encoder_hidden_states=context).sample
        clean = scheduler.step(answer, 1, latent).pred_original_sample
        expected = network.vae.decode(clean / 0.18215).sample
        found = network(pixels, context, noise)
    assert found.shape == pixels.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
