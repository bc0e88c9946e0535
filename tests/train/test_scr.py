"""SCR's stage: what learns, from which terms, and what people are shown."""

import dataclasses

import numpy as np
import pytest
import torch

from rass_bench.models.rass.config import CleanLatent
from rass_bench.models.rass.network import encode
from rass_bench.train.crops import Batch
from rass_bench.train.distillation import Distillation
from rass_bench.train.perceptual import Perceptual
from rass_bench.train.scl import Mode, SclConfig
from rass_bench.train.scr import ScrSettings, ScrStage
from tests.train.toys import ADE, LORA, batch_of, config_of, scr_network, seeded, tokenizer_of

CONFIG = config_of()


def stage_of(network=None, config=CONFIG, **changes):
    told = ScrSettings(lora=LORA, scl_warm_up=4, warm_up=2, **changes)
    network = network or scr_network(config)
    return seeded(lambda: ScrStage(network, tokenizer_of(config), ADE, told), seed=1)


def terms_of(stage, batch=None, step=4, seed=3):
    stage.start_step(step)
    torch.manual_seed(seed)
    return stage(batch or batch_of())


@pytest.fixture(scope="module")
def stage():
    return stage_of()


# What learns


def learning(stage):
    return {name for name, one in stage.named_parameters() if one.requires_grad}


def test_adapters_and_the_first_convolution_learn_and_the_critics_adapters(stage):
    learns = learning(stage)
    first = {f"network.unet.conv_in.base_layer.{kind}" for kind in ("weight", "bias")}
    assert first <= learns
    rest = learns - first
    assert all(".lora_A." in name or ".lora_B." in name for name in rest)
    own = {name for name in rest if name.startswith("network.unet.")}
    critic = {name for name in rest if name.startswith("distillation.critic.")}
    assert own | critic == rest
    assert len(own) == len(critic) > 100
    told = [one for group in stage.groups() for one in group.parameters]
    assert len(told) == len(learns)
    assert {id(one) for one in told} == {id(one) for one in stage.parameters() if one.requires_grad}


def with_gradient(stage, loss):
    stage.zero_grad()
    loss.backward(retain_graph=True)
    named = stage.named_parameters()
    return {name for name, one in named if one.grad is not None and one.grad.any()}


def test_each_term_reaches_its_parameters(stage):
    terms = terms_of(stage)
    critic = with_gradient(stage, terms["critic"])
    assert critic and all(name.startswith("distillation.critic.") for name in critic)
    # B begins as zero: until it moves, A's gradients are zero, too.
    assert all(".lora_B." in name for name in critic)
    for name in ("mse", "perceptual", "vsd", "scl"):
        reached = with_gradient(stage, terms[name])
        assert "network.unet.conv_in.base_layer.weight" in reached, name
        assert all(one.startswith("network.unet.") for one in reached), name


def test_before_the_first_step_the_prior_restores():
    """Adapters of zero change nothing."""
    network, batch = scr_network(), batch_of()
    stage = stage_of()
    context = stage._prompts.encode(["wall sky", "wall sky"])
    with torch.no_grad():
        _, restored = stage._restore(batch.low_quality, context)
        wanted = network(batch.low_quality * 2 - 1, context)
    torch.testing.assert_close(restored, wanted, rtol=1e-4, atol=1e-5)


# Terms


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"mse", "perceptual", "vsd", "critic", "scl"}),
        ({"distillation": Distillation.CSD}, {"mse", "perceptual", "csd", "scl"}),
        ({"distillation": Distillation.OFF, "scl": None}, {"mse", "perceptual"}),
        ({"distillation": Distillation.OFF, "perceptual": Perceptual.OFF}, {"mse", "scl"}),
        (
            {"distillation": Distillation.OFF, "scl": SclConfig(mode=Mode.TOKENCOMPOSE)},
            {"mse", "perceptual", "scl"},
        ),
    ],
)
def test_the_terms_are_those_asked_for(changes, names):
    stage = stage_of(**changes)
    terms = terms_of(stage)
    assert terms.keys() == names
    assert all(one.shape == () and one.isfinite() for one in terms.values())
    facts = stage.facts()
    assert facts["distillation"] == stage.settings.distillation
    assert (facts["perceptual_source"] is None) == ("perceptual" not in names)


def test_terms_are_weighted_the_critics_is_not():
    one = terms_of(stage_of())
    changes = {"mse_weight": 3.0, "perceptual_weight": 4.0, "distillation_weight": 0.5}
    other = terms_of(stage_of(**changes))
    ratios = {name: float(other[name] / one[name]) for name in one}
    wanted = {"mse": 3, "perceptual": 2, "vsd": 0.5, "critic": 1, "scl": 1}
    assert ratios == pytest.approx(wanted, rel=1e-4)


def test_scl_is_phased_in(stage):
    values = [float(terms_of(stage, step=step)["scl"]) for step in (0, 1, 2, 4, 9)]
    assert values[0] == 0
    assert values[1:] == pytest.approx([values[3] / 4, values[3] / 2, values[3], values[3]])
    assert values[3] > 0


def test_the_learning_rate_rises_and_stays(stage):
    assert [stage.rate(step) for step in (0, 1, 2, 50)] == [0.5, 1, 1, 1]


def test_the_squared_error_of_a_restorer_that_does_nothing():
    """With the UNet answering zero, z is decoded as it is; the VAE alone errs."""
    config = dataclasses.replace(CONFIG, clean_latent=CleanLatent.RESIDUAL)
    network = scr_network(config)
    with torch.no_grad():
        network.unet.conv_out.weight.zero_()
        network.unet.conv_out.bias.zero_()
    stage, batch = stage_of(network, config), batch_of()
    with torch.no_grad():
        pixels = batch.low_quality * 2 - 1
        decoded = network.vae.decode(encode(network.vae, pixels).mean, return_dict=False)[0]
    wanted = float((decoded - (batch.clean * 2 - 1)).square().mean())
    assert float(terms_of(stage, batch)["mse"]) == pytest.approx(wanted, rel=1e-4)
    aim = Batch((decoded.clamp(-1, 1) + 1) / 2, batch.low_quality, batch.labels)
    if decoded.abs().max() <= 1:
        assert float(terms_of(stage, aim)["mse"]) == pytest.approx(0, abs=1e-10)


def test_the_prompt_is_the_classes_of_the_crop(stage):
    asked = []
    encode_ = stage._prompts.encode
    stage._prompts.encode = lambda prompts: asked.append(list(prompts)) or encode_(prompts)
    terms_of(stage)
    stage._prompts.encode = encode_
    # Class 4 (floor) covers 5 / 8, class 2 (sky) a quarter.
    assert asked[0] == [f"{ADE.names[4]}  {ADE.names[2]}"] * 2
    assert asked[1:] == [[""]]


def test_a_few_steps_restore_better():
    stage, batch = stage_of(distillation=Distillation.OFF, perceptual=Perceptual.OFF), batch_of()
    optimizer = torch.optim.AdamW([one for one in stage.parameters() if one.requires_grad], 5e-3)
    losses = []
    for step in range(12):
        terms = terms_of(stage, batch, step=step)
        losses.append(float(terms["mse"]))
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    assert losses[-1] < 0.95 * losses[0]


def test_gradient_checkpointing_gives_the_same_losses_and_gradients():
    results = []
    for checkpointing in (False, True):
        network = scr_network()
        if checkpointing:
            network.unet.enable_gradient_checkpointing()
            network.vae.enable_gradient_checkpointing()
        stage = stage_of(network).train()
        terms = terms_of(stage)
        sum(terms.values()).backward()
        gradient = stage.network.unet.conv_in.base_layer.weight.grad
        results.append(({name: float(one) for name, one in terms.items()}, gradient))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-3, atol=1e-6)


# Pictures


def test_pictures_show_the_attention_beside_the_mask(stage):
    batch = batch_of()
    with torch.no_grad():
        rows = stage.pictures(batch)
    assert len(rows) == 2
    for row in rows:
        titles = [panel.title for panel in row.panels]
        assert titles[:3] == ["low quality", "restored", "clean"]
        assert len(titles) > 3 and any(ADE.names[4] in title for title in titles[3:])


def test_pictures_of_an_ablation_show_the_attention_too():
    with torch.no_grad():
        rows = stage_of(scl=None, distillation=Distillation.OFF).pictures(batch_of())
    assert len(rows[0].panels) > 3


def test_a_crop_without_a_class_has_photos_alone(stage):
    batch = batch_of()
    nothing = Batch(batch.clean, batch.low_quality, torch.full_like(batch.labels, 255))
    with torch.no_grad():
        rows = stage.pictures(nothing)
    assert all(len(row.panels) == 3 for row in rows)
    assert float(terms_of(stage, nothing)["scl"]) == 0


def test_pictures_hold_the_photos(stage):
    batch = batch_of()
    with torch.no_grad():
        shown = stage.pictures(batch)[1].panels[2].image
    wanted = np.round(batch.clean[1].permute(1, 2, 0).numpy() * 255)
    assert np.abs(shown.astype(int) - wanted).max() <= 1
