"""The projection whose shortcut is the identity, on the official stage."""

import torch
from safetensors.torch import load_file

from rass_bench.models.rass.official import translate
from rass_bench.models.rass.projection import Projection

from .conftest import hold


def test_a_stage_that_keeps_its_channels_has_an_identity_shortcut(oracle_file):
    fixture = load_file(oracle_file("projection_stage.safetensors"))
    prefix = "in512.weight.0."
    own = "backbone.feature_extractor.feature_projections.0.0."
    weights = {
        translate(own + name.removeprefix(prefix)).removeprefix("projections.0."): tensor.float()
        for name, tensor in fixture.items()
        if name.startswith(prefix)
    }
    stage = Projection(512, bottleneck=128, out_channels=512)
    stage.load_state_dict(weights)
    with torch.no_grad():
        ours = stage(fixture["in512.x"].float())
    hold("identity shortcut", ours, fixture["in512.y"], relative=1e-6)
