"""The prior's stages: an autoencoder that learns to reconstruct, a denoiser in its latents."""

import dataclasses
import itertools

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D

from rass_bench.models.rass.network import encode
from rass_bench.train.crops import Batch
from rass_bench.train.prior import (
    KL_WEIGHT,
    DenoiserStage,
    VaeStage,
    draw_vae,
    latent_scaling,
)
from tests.train.toys import ADE, batch_of, config_of, scr_network, seeded, tokenizer_of


def steps_of(stage, batch, steps):
    """The first and the last total loss of a few steps on one batch."""
    groups = [{"params": one.parameters, "lr": one.learning_rate} for one in stage.groups()]
    optimizer = torch.optim.AdamW(groups)
    losses = []
    for step in range(steps):
        torch.manual_seed(step % 2)
        loss = sum(stage(batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def learning(stage):
    return {name.split(".")[1] for name, one in stage.named_parameters() if one.requires_grad}


def test_the_autoencoder_alone_learns_and_reconstructs_better():
    stage, batch = VaeStage(scr_network(), steps=15), batch_of()
    assert learning(stage) == {"vae"}
    losses = steps_of(stage, batch, 15)
    assert losses[-1] < 0.9 * losses[0]


def test_the_autoencoders_terms_are_errors_of_means_and_the_divergence_from_a_normal_one():
    stage, batch = VaeStage(scr_network(), steps=10), batch_of()
    torch.manual_seed(4)
    terms = stage(batch)
    pixels = batch.clean * 2 - 1
    posterior = encode(stage.network.vae, pixels)
    torch.manual_seed(4)
    noise = torch.randn_like(posterior.mean)
    latent = posterior.mean + noise * (posterior.log_variance / 2).exp()
    error = stage.network.vae.decode(latent, return_dict=False)[0] - pixels
    means = [error.reshape(2, 3, 64 // c, c, 64 // c, c).mean((3, 5)) for c in (1, 4, 16)]
    wanted = sum(float(one.detach().square().mean()) for one in means)
    assert float(terms["reconstruction"]) == pytest.approx(wanted, rel=1e-4)
    own = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0))
    assert float(terms["kl"]) == pytest.approx(KL_WEIGHT * float(divergence.mean()), rel=1e-4)


def test_first_weights_let_photos_pass_into_a_narrow_posterior():
    vae = scr_network().vae
    seeded(lambda: draw_vae(vae))
    branches = [one for one in vae.modules() if isinstance(one, ResnetBlock2D)]
    assert len(branches) > 8
    with torch.no_grad():
        for branch in branches:
            maps = torch.randn(1, branch.in_channels, 8, 8)
            shortcut = branch.conv_shortcut or torch.nn.Identity()
            torch.testing.assert_close(branch(maps, None), shortcut(maps))
        posterior = encode(vae, batch_of().clean * 2 - 1)
        decoded = vae.decode(posterior.mean, return_dict=False)[0]
    assert (posterior.log_variance == -6).all()
    assert 0.1 < float(decoded.std()) < 10


def test_the_denoiser_and_the_text_encoder_learn():
    config = config_of()
    stage = DenoiserStage(scr_network(), tokenizer_of(config), ADE, steps=16)
    assert learning(stage) == {"unet", "text_encoder"}
    losses = steps_of(stage, batch_of(), 16)
    assert sum(losses[-2:]) < 0.95 * sum(losses[:2])
    assert stage.network.vae.encoder.conv_in.weight.grad is None


def prompts_given(stage):
    """The tokens that the text encoder is given from now on, a row each."""
    rows, encode_tokens = [], stage.network.text_encoder.forward

    def forward(*, input_ids):
        rows.extend(input_ids.tolist())
        return encode_tokens(input_ids=input_ids)

    stage.network.text_encoder.forward = forward
    return rows


def test_a_tenth_of_the_prompts_is_dropped():
    tokenizer = tokenizer_of(config_of())
    stage = DenoiserStage(scr_network(), tokenizer, ADE, steps=1)
    given = prompts_given(stage)
    batch = batch_of(count=40, side=32)
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(10):
            stage(batch)
    full, empty = tokenizer([f"{ADE.names[4]} {ADE.names[2]}", ""]).tolist()
    assert len(given) == 400 and all(row in (full, empty) for row in given)
    assert 10 <= given.count(empty) <= 72  # 40 of 400, five sigma 30


def test_words_learn_to_attend_to_their_classes():
    stage = DenoiserStage(scr_network(), tokenizer_of(config_of()), ADE, steps=40)
    optimizer = torch.optim.SGD(stage.groups()[0].parameters, lr=0.1)
    batch = batch_of()
    losses = []
    for step in range(40):
        torch.manual_seed(step)
        terms = stage(batch)
        losses.append(float(terms["scl"].detach()))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_a_prompt_that_was_dropped_attends_to_nothing(monkeypatch):
    monkeypatch.setattr("rass_bench.train.prior.DROPPED_PROMPTS", 1.0)
    stage = DenoiserStage(scr_network(), tokenizer_of(config_of()), ADE, steps=1)
    terms = stage(batch_of())
    assert float(terms["scl"]) == 0 < float(terms["noise"])


def test_both_schedules_rise_and_fall():
    for stage in (
        VaeStage(scr_network(), 100),
        DenoiserStage(scr_network(), tokenizer_of(config_of()), ADE, 100),
    ):
        rates = [stage.rate(step) for step in range(100)]
        top = rates.index(max(rates))
        assert max(rates) == 1 and top in (4, 5)
        assert all(a < b for a, b in itertools.pairwise(rates[:5]))
        assert all(a >= b for a, b in itertools.pairwise(rates[top:]))
        assert 0 < rates[-1] < 0.01


def test_the_scaling_brings_latents_to_unit_deviation():
    network, batches = scr_network(), [batch_of(seed=seed) for seed in range(3)]
    scaling = latent_scaling(network, batches)
    with torch.no_grad():
        latents = [encode(network.vae, one.clean * 2 - 1).mean * scaling for one in batches]
    assert float(torch.cat(latents).std()) == pytest.approx(1, abs=1e-4)


def test_the_denoiser_works_in_scaled_latents():
    """What the UNet is given has unit deviation at the first timesteps, whatever the VAE's."""
    config, seen = config_of(), []
    batch = batch_of(count=8)
    scaling = latent_scaling(scr_network(), [batch])
    config = dataclasses.replace(config, vae=dataclasses.replace(config.vae, scaling=scaling))
    network = scr_network(config)
    # A posterior without spread.
    with torch.no_grad():
        network.vae.quant_conv.weight[4:].zero_()
        network.vae.quant_conv.bias[4:].fill_(-30)
    stage = DenoiserStage(network, tokenizer_of(config), ADE, steps=1)
    denoise = network.unet.forward
    network.unet.forward = lambda noisy, *args, **named: (
        seen.append(noisy) or denoise(noisy, *args, **named)
    )
    torch.manual_seed(0)
    with torch.no_grad():
        stage(batch)
    # alpha^2 + sigma^2 = 1 for unit latents at every timestep.
    assert float(seen[0].std()) == pytest.approx(1, abs=0.2)


def test_pictures_show_crops_and_reconstructions():
    stage, batch = VaeStage(scr_network(), 1), batch_of()
    with torch.no_grad():
        rows = stage.pictures(batch)
    assert [[panel.title for panel in row.panels] for row in rows] == [
        ["clean", "reconstructed"]
    ] * 2


def test_pictures_show_where_the_denoiser_looks():
    stage = DenoiserStage(scr_network(), tokenizer_of(config_of()), ADE, 1)
    batch = batch_of()
    batch.labels[1] = 255
    with torch.no_grad():
        first, second = stage.pictures(batch)
    name = ADE.names[4]
    assert [panel.title for panel in first.panels] == [
        "clean",
        f"attention of {name}",
        f"mask of {name}",
    ]
    assert [panel.title for panel in second.panels] == ["clean"]


def test_degraded_photos_do_not_matter_to_a_prior():
    stage, batch = VaeStage(scr_network(), 1), batch_of()
    other = Batch(batch.clean, torch.zeros_like(batch.low_quality), batch.labels)
    values = []
    for one in (batch, other):
        torch.manual_seed(0)
        values.append(float(sum(stage(one).values())))
    assert values[0] == values[1]
