"""RASS's stage: what learns at which rate, what it is told, and what its loss is."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from rass_bench.models.rass.config import LABELS, Latent
from rass_bench.models.rass.network import RassNetwork
from rass_bench.models.rass.prompt import PromptEncoder
from rass_bench.models.rass.windows import Window
from rass_bench.train.crops import Batch
from rass_bench.train.rass import RassStage, summed_by_kind
from rass_bench.train.rass_init import initialise_head
from rass_bench.train.rass_optimizer import OFFICIAL, make_trainable
from tests.train.toys import ADE, batch_of, config_of, seeded, tokenizer_of

CONFIG = config_of()


class Recording:
    """A tagger that remembers the photos it was shown."""

    parameters = 0

    def __init__(self):
        self.shown = []

    def tag(self, photos):
        self.shown.append(photos)
        return [("tree", "sky")] * len(photos)


def network_of(config=CONFIG):
    def build():
        network = RassNetwork(config)
        make_trainable(network)
        initialise_head(network)
        return network

    return seeded(build)


def stage_of(config=CONFIG, tagger=None, steps=10, network=None):
    network = network or network_of(config)
    prompts = PromptEncoder(network.text_encoder, tokenizer_of(config))
    return RassStage(
        network, prompts, tagger or Recording(), space=ADE, rates=OFFICIAL, steps=steps
    )


@pytest.fixture(scope="module")
def stage():
    return stage_of()


def terms_of(stage, batch=None, seed=0):
    torch.manual_seed(seed)
    return stage(batch or batch_of())


# What learns


def test_groups_are_the_official_ones(stage):
    """Backbone (adapters, conv_in, projections) at a tenth; norms and embeddings do not decay."""
    names = {id(one): name for name, one in stage.network.named_parameters()}
    told = {
        names[id(one)]: (group.learning_rate, group.weight_decay)
        for group in stage.groups()
        for one in group.parameters
    }
    learning = {name for name, one in stage.network.named_parameters() if one.requires_grad}
    assert told.keys() == learning
    assert told["unet.conv_in.base_layer.weight"] == (1e-5, 0.05)
    assert told["projections.0.conv1.weight"] == (1e-5, 0.05)
    assert told["projections.0.norm1.weight"] == (1e-5, 0.0)
    assert told["class_predictor.weight"] == (1e-4, 0.05)
    assert told["transformer_module.queries_features.weight"] == (1e-4, 0.0)
    assert told["transformer_module.level_embed.weight"] == (1e-4, 0.0)
    assert told["pixel_decoder.level_embed"] == (1e-4, 0.05)
    assert told["pixel_decoder.encoder.layers.0.self_attn_layer_norm.weight"] == (1e-4, 0.0)
    adapters = {value for name, value in told.items() if ".lora_" in name}
    assert adapters == {(1e-5, 0.05)}
    assert not any(name.startswith(("vae.", "text_encoder.")) for name in told)


def test_the_schedule_and_the_clipping_are_the_official_ones():
    stage = stage_of(steps=160_000)
    assert stage.clip_norm == 0.01
    assert stage.rate(0) == 1
    assert stage.rate(80_000) == pytest.approx(0.5**0.9)
    assert 0 < stage.rate(159_999) < 1e-4


def test_fresh_adapters_leave_scrs_features_as_they_are():
    plain = seeded(lambda: RassNetwork(CONFIG))
    adapted = network_of()
    pixels, context = batch_of().clean * 2 - 1, torch.randn(2, 24, 16)
    with torch.no_grad():
        wanted = plain.features(pixels, context, None)
        found = adapted.features(pixels, context, None)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_everything_that_learns_gets_a_gradient_but_what_begins_behind_zero(stage):
    """B of an adapter is zero at first: A has to wait, as deformable attention's offsets do not."""
    stage.train().zero_grad()
    sum(terms_of(stage).values()).backward()
    for name, one in stage.network.named_parameters():
        if not one.requires_grad:
            assert one.grad is None, name
        else:
            assert one.grad is not None, name
            assert one.grad.isfinite().all(), name
    adapters = [name for name, one in stage.network.named_parameters() if "lora_B" in name]
    grads = dict(stage.network.named_parameters())
    assert sum(bool(grads[name].grad.any()) for name in adapters) > 0.9 * len(adapters)


# What it is told


def test_the_tagger_sees_the_clean_crops():
    tagger, batch = Recording(), batch_of()
    stage = stage_of(dataclasses.replace(CONFIG, tagger="ram"), tagger)
    terms_of(stage, batch)
    assert len(tagger.shown) == 1 and torch.equal(tagger.shown[0], batch.clean)


def test_the_networks_see_the_degraded_crops(stage):
    batch = batch_of()
    worse = Batch(batch.clean, batch.low_quality.flip(0), batch.labels)
    assert float(sum(terms_of(stage, batch).values())) != float(
        sum(terms_of(stage, worse).values())
    )
    other = Batch(batch.clean.flip(0), batch.low_quality, batch.labels)
    assert terms_of(stage, batch) == terms_of(stage, other)


def test_labels_tell_the_classes_where_the_configuration_says_so():
    tagger = Recording()
    stage, asked = stage_of(dataclasses.replace(CONFIG, tagger=LABELS), tagger), []
    encode = stage._prompts.encode
    stage._prompts.encode = lambda prompts: asked.extend(prompts) or encode(prompts)
    terms_of(stage)
    assert asked == [f"{ADE.names[4]}  {ADE.names[2]}"] * 2
    assert not tagger.shown


def test_latents_are_drawn_where_the_configuration_says_so():
    for latent, equal in ((Latent.MODE, True), (Latent.SAMPLE, False)):
        stage = stage_of(dataclasses.replace(CONFIG, latent=latent))
        pixels = batch_of().low_quality * 2 - 1
        noises = [stage._noise(pixels) for _ in range(2)]
        if equal:
            assert noises == [None, None]
        else:
            assert noises[0].shape == (2, 4, 8, 8) and not torch.equal(*noises)


# The loss


def test_the_terms_are_mask2formers_added_up_over_the_layers(stage):
    batch = batch_of()
    terms = terms_of(stage, batch)
    assert terms.keys() == {"cross_entropy", "dice", "mask"}
    assert all(float(one) > 0 for one in terms.values())


def test_kinds_are_summed():
    one = torch.ones(())
    terms = {"loss_mask": one, "loss_mask_0": 2 * one, "loss_dice_0": 3 * one, "loss_dice": 4 * one}
    assert summed_by_kind(terms) == {"dice": 7, "mask": 3}


def test_a_few_steps_learn_a_batch():
    stage, batch = stage_of(), batch_of()
    learning = [one for one in stage.parameters() if one.requires_grad]
    optimizer, losses = torch.optim.AdamW(learning, 1e-3), []
    for _ in range(12):
        loss = sum(terms_of(stage, batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_gradient_checkpointing_gives_the_same_losses():
    values = []
    for checkpointing in (False, True):
        network = network_of()
        if checkpointing:
            network.unet.enable_gradient_checkpointing()
        terms = terms_of(stage_of(network=network).train())
        sum(terms.values()).backward()
        values.append({name: float(one.detach()) for name, one in terms.items()})
    assert values[1] == pytest.approx(values[0], rel=1e-5)


# Pictures


def test_pictures_show_the_prediction_of_the_highest_score(stage):
    batch = batch_of()
    stage.eval()
    with torch.no_grad():
        rows = stage.pictures(batch)
        pixels = (batch.low_quality[:1] * 255).round() / 255 * 2 - 1
        context = stage._prompts.encode(["tree  sky"])
        whole = Window(0, 0, 64, 64)
        features = stage.network.features(pixels, context, None)
        scores = stage.network.head(stage.network.levels([features], [whole], whole))[-1]
        masks = interpolate(scores.masks, size=(64, 64), mode="bilinear").sigmoid()
        classes = scores.classes.softmax(-1)[..., :-1]
        wanted = torch.einsum("nqc,nqhw->nchw", classes, masks)[0].argmax(0).numpy()
    assert len(rows) == 2
    maps = [panel.labels for panel in rows[0].panels if panel.labels is not None]
    assert len(maps) == 2
    assert (maps[0] == wanted).mean() > 0.99
    assert (maps[1] == batch.labels[0].numpy().astype(np.uint8)).all()
