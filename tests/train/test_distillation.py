"""Score distillation: gradients by hand, Gaussians whose score is known, and a real small UNet."""

import copy

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from rass_bench.models.rass.config import LoraConfig, UNetConfig
from rass_bench.models.rass.networks import build_unet
from rass_bench.models.rass.scr import signal_fraction
from rass_bench.train.distillation import (
    CSD,
    VSD,
    CsdLoss,
    Distillation,
    DistillationSettings,
    VsdLoss,
    add_noise,
    build_distillation,
    csd_loss,
    diffusion_loss,
    predict_noise,
    remove_noise,
    score_loss,
    signal_fractions,
    vsd_loss,
)

SCHEDULER = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
ALPHA_BAR = SCHEDULER.alphas_cumprod.double().numpy()
UNET = UNetConfig((8, 8, 16, 16), (1, 1, 2, 2), 8, layers_per_block=1, norm_groups=4)
UNGUIDED = DistillationSettings(first=20, stop=980, guidance=1.0)


@pytest.fixture(autouse=True)
def _seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def unet():
    return build_unet(UNET, latent_channels=4)


@pytest.fixture
def told():
    """Latents that require gradients, a prompt's embedding for each, and the empty prompt's."""
    latents = torch.randn(2, 4, 8, 8, requires_grad=True)
    return latents, torch.randn(2, 5, 8), torch.randn(1, 5, 8)


class Gaussian:
    """The exact denoiser of data N(mean, deviation^2), whose mean the prompt's embedding tells.

    For x_t = a x_0 + b e, the expected e is b (x_t - a mean) / (a^2 deviation^2 + b^2). What it is
    asked is kept.
    """

    def __init__(self, deviation=0.3):
        self.deviation = deviation
        self.calls = []

    def __call__(self, noisy, timesteps, context):
        self.calls.append((noisy, timesteps, context))
        signal = SCHEDULER.alphas_cumprod[timesteps][:, None, None, None]
        mean = context[:, :1, :1, None]
        variance = signal * self.deviation**2 + 1 - signal
        return (1 - signal).sqrt() * (noisy - signal.sqrt() * mean) / variance


def means(*values):
    """Embeddings that tell a Gaussian its mean, one a photo."""
    return torch.tensor(values)[:, None, None]


def clean_of(noisy, noise, timesteps):
    """x0 in float64, from the scheduler's table."""
    alpha = ALPHA_BAR[timesteps.numpy()][:, None, None, None]
    return (noisy.double().numpy() - np.sqrt(1 - alpha) * noise.double().numpy()) / np.sqrt(alpha)


def gradient_by_hand(latents, present, wanted):
    distance = np.abs(latents - wanted).mean(axis=(1, 2, 3), keepdims=True)
    return 2 * (present - wanted) / distance / latents.size


def test_the_schedule_is_stable_diffusions():
    assert signal_fractions().numpy() == pytest.approx(ALPHA_BAR, rel=2e-5)
    each = [signal_fraction(timestep) for timestep in range(1000)]
    assert signal_fractions().tolist() == pytest.approx(each, rel=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 999), min_size=1, max_size=4), st.integers(0, 2**31))
def test_clean_and_noise_are_two_forms_of_one_thing(timesteps, seed):
    random = torch.Generator().manual_seed(seed)
    timesteps = torch.tensor(timesteps)
    clean, noise = torch.randn(2, len(timesteps), 4, 3, 3, generator=random)
    noisy = add_noise(clean, noise, timesteps)
    torch.testing.assert_close(noisy, SCHEDULER.add_noise(clean, noise, timesteps))
    # At timestep 999 a rounding error of the noisy latent grows by 1 / sqrt(alpha-bar), 15.
    torch.testing.assert_close(remove_noise(noisy, noise, timesteps), clean, atol=1e-4, rtol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))
def test_the_gradient_is_the_one_written_down(photos, side, seed):
    random = torch.Generator().manual_seed(seed)
    latents, present, wanted = torch.randn(3, photos, 2, side, side, generator=random)
    latents.requires_grad_()
    score_loss(latents, present, wanted).backward()
    by_hand = gradient_by_hand(
        *(one.detach().double().numpy() for one in (latents, present, wanted))
    )
    assert latents.grad.numpy() == pytest.approx(by_hand, rel=1e-3, abs=1e-6)


def test_a_photos_gradient_does_not_depend_on_its_neighbours():
    latents, present, wanted = torch.randn(3, 2, 4, 3, 3)
    alone = latents[:1].clone().requires_grad_()
    score_loss(alone, present[:1], wanted[:1]).backward()
    both = latents.clone().requires_grad_()
    wanted[1] += 100
    score_loss(both, present, wanted).backward()
    torch.testing.assert_close(2 * both.grad[:1], alone.grad)  # the mean is over two photos


@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_vsd_goes_from_what_the_critic_sees_to_what_the_guided_prior_sees(guidance):
    critic, prior = Gaussian(0.5), Gaussian(0.2)
    latents = torch.randn(3, 2, 4, 4, requires_grad=True)
    context, null = means(1.0, -2.0, 0.5), means(0.25)
    chosen = DistillationSettings(20, 980, guidance)
    vsd_loss(latents, critic, prior, context=context, null_context=null, settings=chosen).backward()

    [(noisy, timesteps, asked)] = critic.calls
    assert torch.equal(asked, context)
    assert all(torch.equal(call[0], noisy) for call in prior.calls)
    assert all(torch.equal(call[1], timesteps) for call in prior.calls)
    present = clean_of(noisy, Gaussian(0.5)(noisy, timesteps, context), timesteps)
    told = clean_of(noisy, Gaussian(0.2)(noisy, timesteps, context), timesteps)
    untold = clean_of(noisy, Gaussian(0.2)(noisy, timesteps, means(0.25, 0.25, 0.25)), timesteps)
    wanted = (1 - guidance) * untold + guidance * told
    by_hand = gradient_by_hand(latents.detach().double().numpy(), present, wanted)
    assert latents.grad.numpy() == pytest.approx(by_hand, rel=2e-3, abs=1e-5)


def test_csd_goes_from_what_the_prior_sees_to_what_it_sees_when_guided():
    prior = Gaussian()
    latents = torch.randn(3, 2, 4, 4, requires_grad=True)
    context, null = means(1.0, -2.0, 0.5), means(0.25)
    csd_loss(latents, prior, context=context, null_context=null, settings=CSD).backward()

    noisy, timesteps, _ = prior.calls[0]
    told = clean_of(noisy, Gaussian()(noisy, timesteps, context), timesteps)
    untold = clean_of(noisy, Gaussian()(noisy, timesteps, means(0.25, 0.25, 0.25)), timesteps)
    by_hand = gradient_by_hand(
        latents.detach().double().numpy(), told, untold + 7.5 * (told - untold)
    )
    assert latents.grad.numpy() == pytest.approx(by_hand, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize(("chosen", "first", "last"), [(VSD, 20, 979), (CSD, 20, 499)])
def test_noise_is_standard_normal_at_every_timestep_of_the_range(chosen, first, last):
    prior = Gaussian()
    latents = torch.randn(20_000, 1, 1, 1)
    context = torch.zeros(20_000, 1, 1)
    csd_loss(latents, prior, context=context, null_context=means(1.0), settings=chosen)
    noisy, timesteps, _ = prior.calls[0]
    assert set(timesteps.tolist()) == set(range(first, last + 1))
    alpha = SCHEDULER.alphas_cumprod[timesteps][:, None, None, None]
    noise = (noisy - alpha.sqrt() * latents) / (1 - alpha).sqrt()
    assert noise.mean().item() == pytest.approx(0, abs=0.03)
    assert noise.std().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("guidance", "goal"), [(1.0, 2.0), (3.0, 8.0)])
def test_vsd_with_a_perfect_critic_descends_to_the_guided_mean(guidance, goal):
    """Told mean 2, untold -1: guidance w wants -1 + 3 w."""
    latents = torch.zeros(4, 1, 4, 4, requires_grad=True)
    chosen = DistillationSettings(20, 980, guidance)
    for _ in range(200):
        knows_latents = means(*latents.detach().mean(dim=(1, 2, 3)).tolist())
        critic = Gaussian()
        loss = vsd_loss(
            latents,
            lambda noisy, timesteps, _, now=knows_latents, critic=critic: critic(
                noisy, timesteps, now
            ),
            Gaussian(),
            context=means(2.0, 2.0, 2.0, 2.0),
            null_context=means(-1.0),
            settings=chosen,
        )
        step(latents, loss, rate=0.1)
    assert latents.mean(dim=(1, 2, 3)).tolist() == pytest.approx([goal] * 4, abs=0.4)


def test_csd_moves_away_from_what_nothing_tells_to_what_the_prompt_tells():
    latents = torch.full((4, 1, 4, 4), -1.0, requires_grad=True)
    context, null = means(2.0, 2.0, -3.0, -3.0), means(-1.0)
    for _ in range(10):
        loss = csd_loss(latents, Gaussian(), context=context, null_context=null, settings=CSD)
        step(latents, loss, rate=0.1)
    moved = latents.detach() - -1.0
    assert (moved[:2] > 0.1).all()
    assert (moved[2:] < -0.1).all()


def step(latents, loss, rate):
    """Descend by ``rate`` times g: the loss's gradient without 2 / elements."""
    (gradient,) = torch.autograd.grad(loss, latents)
    with torch.no_grad():
        latents -= rate * gradient * latents.numel() / 2


def test_where_critic_and_unguided_prior_agree_there_is_nothing_to_learn(unet, told):
    latents, context, null = told
    loss = VsdLoss(unet, LoraConfig(), UNGUIDED)  # fresh adapters change nothing
    terms = loss(latents, context, null)
    terms["vsd"].backward()
    assert terms["vsd"].item() == 0
    assert not latents.grad.any()


def test_only_the_critics_adapters_learn(unet):
    loss = VsdLoss(unet, LoraConfig())
    trainable = [name for name, one in loss.named_parameters() if one.requires_grad]
    assert trainable
    assert all(".lora_" in name and "_critic." in name for name in trainable)
    assert any(name.startswith("critic.conv_in.lora_") for name in trainable)


def test_each_term_reaches_its_own_parameters_alone(unet, told):
    latents, context, null = told
    loss = VsdLoss(unet, LoraConfig())
    terms = loss(latents, context, null)
    adapters = [one for one in loss.parameters() if one.requires_grad]

    terms["vsd"].backward(retain_graph=True)
    assert latents.grad.any()
    assert all(one.grad is None for one in loss.parameters())
    of_vsd, latents.grad = latents.grad, None

    terms["critic"].backward(retain_graph=True)
    assert latents.grad is None
    assert all(one.grad is not None for one in adapters)
    assert any(one.grad.any() for one in adapters)
    of_critic = [one.grad for one in adapters]

    loss.zero_grad()
    sum(terms.values()).backward()
    assert torch.equal(latents.grad, of_vsd)
    assert all(torch.equal(one.grad, own) for one, own in zip(adapters, of_critic, strict=True))
    assert all(one.grad is None for one in loss.parameters() if not one.requires_grad)


def test_the_critic_learns_and_the_reference_stays(unet, told):
    latents, context, null = told
    untouched = copy.deepcopy(unet)
    loss = VsdLoss(unet, LoraConfig())
    optimizer = torch.optim.AdamW([one for one in loss.parameters() if one.requires_grad], lr=2e-2)
    values = []
    for _ in range(30):
        terms = loss(latents, context, null)
        optimizer.zero_grad()
        terms["critic"].backward()
        optimizer.step()
        values.append(terms["critic"].item())
    assert np.mean(values[-10:]) < 0.9 * np.mean(values[:10])

    noisy, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([30, 900])
    with torch.no_grad():
        wanted = predict_noise(untouched, noisy, timesteps, context)
        reference = loss._reference(noisy, timesteps, context)
        learned = predict_noise(loss.critic, noisy, timesteps, context)
    torch.testing.assert_close(reference, wanted)
    assert (learned - wanted).abs().mean() > 0.05
    assert loss(latents, context, null)["vsd"] > 0
    weights = {name.replace(".base_layer", ""): one for name, one in unet.state_dict().items()}
    assert all(torch.equal(one, weights[name]) for name, one in untouched.state_dict().items())


def test_under_autocast_the_terms_are_float32_and_the_gradients_nearly_the_same(unet, told):
    latents, context, null = told
    loss = VsdLoss(unet, LoraConfig())
    adapters = [one for one in loss.parameters() if one.requires_grad]

    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = predict_noise(unet, latents, torch.tensor([20, 979]), context)
    assert answer.dtype == torch.float32

    def gradients(enabled):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            terms = loss(latents, context, null)
        assert all(term.dtype == torch.float32 for term in terms.values())
        of_latents, *of_adapters = torch.autograd.grad(sum(terms.values()), [latents, *adapters])
        return of_latents.flatten(), torch.cat([one.flatten() for one in of_adapters])

    for exact, near in zip(gradients(enabled=False), gradients(enabled=True), strict=True):
        assert torch.cosine_similarity(exact, near, dim=0) > 0.99


def test_csd_freezes_its_prior_and_reaches_the_latents(unet, told):
    latents, context, null = told
    loss = CsdLoss(unet)
    terms = loss(latents, context, null)
    assert list(terms) == ["csd"]
    terms["csd"].backward()
    assert latents.grad.any()
    assert all(one.grad is None and not one.requires_grad for one in loss.parameters())


def test_the_diffusion_loss_is_that_of_the_noise():
    clean = torch.randn(64, 4, 8, 8)

    def all_knowing(noisy, timesteps, _):
        alpha = SCHEDULER.alphas_cumprod[timesteps][:, None, None, None]
        return (noisy - alpha.sqrt() * clean) / (1 - alpha).sqrt()

    context = torch.zeros(64, 1, 1)
    assert diffusion_loss(all_knowing, clean, context).item() == pytest.approx(0, abs=1e-6)
    nothing = diffusion_loss(lambda noisy, *_: torch.zeros_like(noisy), clean, context)
    assert nothing.item() == pytest.approx(1, abs=0.05)  # the noise's variance


def test_everything_is_drawn_where_the_latents_are():
    latents, context = torch.empty(2, 4, 8, 8, device="meta"), torch.empty(2, 1, 8, device="meta")

    def denoiser(noisy, timesteps, context):
        assert {noisy.device.type, timesteps.device.type, context.device.type} == {"meta"}
        return torch.zeros_like(noisy)

    loss = csd_loss(latents, denoiser, context=context, null_context=context[:1], settings=CSD)
    assert loss.device.type == "meta"


@pytest.mark.parametrize(
    ("kind", "built"),
    [(Distillation.VSD, VsdLoss), (Distillation.CSD, CsdLoss), (Distillation.OFF, type(None))],
)
def test_each_kind_has_its_loss(kind, built, unet):
    assert isinstance(build_distillation(kind, unet, LoraConfig()), built)
