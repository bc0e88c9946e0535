"""One training step on the official fixture: matches, losses, gradients, changed weights."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file

from rass_bench.models.rass.network import QueryScores, RassNetwork
from rass_bench.models.rass.official import load_strictly, sort_official, translate
from rass_bench.models.rass.windows import Window
from rass_bench.train.rass_loss import RassLoss, mask_targets
from rass_bench.train.rass_optimizer import (
    CLIP_NORM,
    make_trainable,
    parameter_groups,
    polynomial,
)
from rass_bench.train.stage import build_optimizer

from .conftest import Tiny, hold

STEPS = 160_000
"""Of the official training."""

SEED = 4321
"""Of torch's generator just before the official criterion ran."""


@dataclass(frozen=True)
class Step:
    """The fixture, and what our network makes of it."""

    official: dict[str, torch.Tensor]
    meta: dict
    network: RassNetwork
    layers: list[QueryScores]
    draws: list[torch.Tensor]
    matches: list
    terms: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def step(tiny: Tiny, oracle_file) -> Step:
    official = load_file(oracle_file("tiny/train_step.safetensors"))
    network = RassNetwork(tiny.config)
    make_trainable(network)
    load_strictly(network, sort_official(tiny.state).network, "fixture")
    pixels = official["lq_01"] * 2 - 1
    whole = Window(0, 0, *pixels.shape[2:])
    features = network.features(pixels, official["prompt_embeds"], official["latent_noise"])
    layers = network.head(network.levels([features], [whole], whole))

    loss = RassLoss(tiny.config.head)
    matches: list = []
    loss._loss.matcher.register_forward_hook(lambda _, inputs, output: matches.append(output))
    labels = [official[name] for name in sorted(official) if name.startswith("labels_")]
    draws: list[torch.Tensor] = []
    torch.manual_seed(SEED)
    with Recorded(draws):
        terms = loss.terms(layers, [mask_targets(one) for one in labels])
    sum(terms.values()).backward()
    return Step(official, tiny.meta, network, layers, draws, matches, terms)


class Recorded(torch.overrides.TorchFunctionMode):
    """Keeps what torch.rand draws while the context is open."""

    def __init__(self, draws):
        super().__init__()
        self.draws = draws

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function is torch.rand:
            self.draws.append(result)
        return result


def test_the_points_are_drawn_in_the_official_order(step):
    recorded = [step.official[name] for name in sorted(step.official) if name.startswith("rand")]
    assert len(step.draws) == len(recorded) == len(step.meta["rand_shapes"])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(step.draws, recorded, strict=True))


def test_every_layers_answer(step):
    names = [f"aux{index}_" for index in range(len(step.layers) - 1)] + [""]
    for name, layer in zip(names, step.layers, strict=True):
        hold("training answers", layer.classes, step.official[f"{name}pred_logits"], absolute=1e-3)
        hold("training answers", layer.masks, step.official[f"{name}pred_masks"], absolute=1e-3)


def test_the_matcher_pairs_the_same_queries_and_masks(step):
    found = [[[queries.tolist(), masks.tolist()] for queries, masks in one] for one in step.matches]
    assert found == step.meta["train_match_indices"]


def test_every_loss_term_and_their_sum(step):
    official = step.meta["train_losses_weighted"]
    ours = {name.replace("cross_entropy", "ce"): one.item() for name, one in step.terms.items()}
    worst = max(abs(ours[name] - value) / value for name, value in official.items())
    print(f"parity | loss terms | relative | asked 1e-04 | reached {worst:.1e}")
    assert ours == pytest.approx(official, rel=1e-4)
    print(f"parity | total loss | value | asked 66.1075 | reached {sum(ours.values()):.4f}")
    assert sum(ours.values()) == pytest.approx(step.meta["train_total"], rel=1e-6)


def test_gradients(step):
    parameters = dict(step.network.named_parameters())
    official = {
        name.removeprefix("grad:"): tensor
        for name, tensor in step.official.items()
        if name.startswith("grad:")
    }
    assert official
    for name, gradient in official.items():
        ours = parameters[translate(name)].grad
        assert ours is not None, name
        hold("gradients", ours, gradient, relative=1e-3)


def test_what_is_trained(step):
    """All that the official step changed, and nothing else."""
    trained = {name for name, one in step.network.named_parameters() if one.requires_grad}
    assert trained == {ours for name in step.meta["delta_after_1_step"] for ours in _names(name)}


def test_the_change_of_every_parameter_after_one_step(step):
    parameters = {name: one for name, one in step.network.named_parameters() if one.requires_grad}
    before = {name: one.detach().clone() for name, one in parameters.items()}
    groups = parameter_groups(step.network)
    norm = torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP_NORM)
    build_optimizer(groups).step()

    assert norm.item() == pytest.approx(step.meta["grad_total_norm"], rel=1e-4)
    change = {name: (parameters[name].detach() - one).norm() for name, one in before.items()}
    worst = 0.0
    for name, official in step.meta["delta_after_1_step"].items():
        ours = torch.stack([change[part] for part in _names(name)]).norm().item()
        worst = max(worst, abs(ours - official) / official)
        assert ours == pytest.approx(official, rel=1e-3), name
    print(f"parity | change in one step | relative | asked 1e-03 | reached {worst:.1e}")


def test_the_learning_rates_of_both_groups_by_step(step):
    start = sorted({group.learning_rate for group in parameter_groups(step.network)})
    for iteration, ((backbone, head),) in step.meta[
        "lr_schedule_{iter:[backbone_lr,head_lr]}"
    ].items():
        ours = [rate * polynomial(int(iteration), STEPS) for rate in start]
        assert ours == pytest.approx([backbone, head], rel=1e-6)


def _names(official: str) -> list[str]:
    """Our parameters behind an official one: self attention's projections lie apart here."""
    name = translate(official)
    if ".self_attn.in_proj_" not in name:
        return [name]
    module, kind = name.rsplit("in_proj_", 1)
    return [f"{module}{part}_proj.{kind}" for part in "qkv"]
