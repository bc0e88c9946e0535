"""The networks that travel in the package: whole, described, small, and loaded by name alone."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from rass_bench.models.catalog import load_restorer, load_segmenter
from rass_bench.models.contract import check_description
from rass_bench.models.rass.loading import Part, check_weights, open_weights
from rass_bench.models.rass.weights import load_weights
from rass_bench.models.registry import Runtime
from rass_bench.models.shipped import (
    BASELINE,
    FINE_TUNED,
    REFERENCE,
    reference_weights,
    shipped_folder,
)
from rass_bench.models.sizing import restore, segment

FILES = {
    BASELINE: {"config.json", "model.safetensors", "preprocessor_config.json"},
    FINE_TUNED: {"config.json", "model.safetensors", "preprocessor_config.json"},
    REFERENCE: {"rass-mini.json", "rass-mini.safetensors"},
}
PHOTO = np.random.default_rng(0).integers(0, 256, (96, 120, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_those_that_the_checksums_say(name):
    folder = shipped_folder(name)
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {file for _, file in lines} >= FILES[name]
    for digest, file in lines:
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
    assert (folder / "README.md").is_file()


@pytest.mark.parametrize(("name", "limit"), [(BASELINE, 3e6), (FINE_TUNED, 3e6), (REFERENCE, 15e6)])
def test_they_are_small(name, limit):
    assert sum(path.stat().st_size for path in shipped_folder(name).iterdir()) <= limit


def test_the_reference_holds_rass_and_scr_in_half_precision():
    weights = load_weights(reference_weights())
    check_weights(weights, str(reference_weights()))
    for tensors in (weights.rass, weights.scr):
        assert {str(one.dtype) for one in tensors.values() if one.is_floating_point()} == {
            "torch.float16"
        }


def test_rass_without_weights_is_the_shipped_one():
    model = load_segmenter("rass")
    check_description(model)
    weights = open_weights(str(reference_weights()), Part.RASS, tagger=None, tags=None)
    assert model.spec.revision == f"mini-{weights.fingerprint[:12]}"
    assert model.spec.weights_sha256 == weights.sha256
    assert model.spec.licence == "Apache-2.0"
    assert segment(model, [PHOTO])[0].shape == PHOTO.shape[:2]


def test_scr_without_weights_is_the_shipped_one():
    model = load_restorer("scr")
    check_description(model)
    assert model.spec.revision.startswith("mini-")
    assert model.spec.licence == "Apache-2.0"
    assert restore(model, [PHOTO])[0].shape == PHOTO.shape


def test_choices_are_taken_without_weights_too():
    chosen = load_restorer("scr", Runtime(options=("colour_fix=none",)))
    assert chosen.spec.revision == f"{load_restorer('scr').spec.revision}+colour_fix=none"


def test_ones_own_mini_weights_claim_no_licence_of_another():
    named = load_segmenter("rass", Runtime(weights=str(reference_weights())))
    assert named.spec.licence == "not stated"
    assert named.spec.revision == load_segmenter("rass").spec.revision


def test_the_fine_tuned_baseline_is_loaded_by_name():
    model = load_segmenter(FINE_TUNED)
    check_description(model)
    assert model.spec.name == FINE_TUNED
    assert segment(model, [PHOTO])[0].shape == PHOTO.shape[:2]


@pytest.mark.parametrize("name", [BASELINE, FINE_TUNED])
def test_shipped_files_tell_no_place_of_the_machine_they_were_made_on(name):
    config = json.loads((shipped_folder(name) / "config.json").read_text("utf-8"))
    assert not Path(config["_name_or_path"]).is_absolute()
