"""Verification names every file that is not what its manifest says, and by how much."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.degrade.verify import verify_degraded
from rass_bench.errors import UserError

DEFINITION = """
name: yard
version: "1.0"
title: A few made-up photos
layout: ade
splits: {val: 4}
label_space: ade20k-150
label_encoding: zero-is-ignore
licence: CC0-1.0
homepage: https://example.org/yard
obtain: Make them.
"""


@pytest.fixture(scope="module")
def sound_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("yard")
    (root / "images/val").mkdir(parents=True)
    (root / "annotations/val").mkdir(parents=True)
    (root / "dataset.yaml").write_text(DEFINITION)
    rng = np.random.Generator(np.random.Philox(0))
    for name in "abcd":
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize((50, 40)).save(root / f"images/val/{name}.jpg")
        Image.new("L", (50, 40), 7).save(root / f"annotations/val/{name}.png")
    out = tmp_path_factory.mktemp("out") / "degraded"
    degrade_dataset(open_dataset(str(root)), "rass", 3, out)
    return out


@pytest.fixture
def folder(sound_folder, tmp_path):
    shutil.copytree(sound_folder, tmp_path / "degraded")
    return tmp_path / "degraded"


def told(folder, **options):
    return [str(difference) for difference in verify_degraded(folder, **options)]


def edit_recipe(folder, change):
    path = folder / "manifest-val.json"
    document = json.loads(path.read_text())
    change(document["entries"][1]["recipe"])
    path.write_text(json.dumps(document))


def test_a_sound_folder_has_no_difference(folder):
    steps = []
    assert verify_degraded(folder, advance=lambda: steps.append(1), workers=2) == []
    assert len(steps) == 4


def test_a_change_of_one_pixel_is_found_and_measured(folder):
    path = folder / "images/val/b.png"
    image = np.array(Image.open(path))
    image[5, 7, 1] ^= 64
    Image.fromarray(image).save(path)
    (difference,) = verify_degraded(folder)
    assert difference.file == "images/val/b.png"
    assert difference.largest == 64
    assert difference.share == pytest.approx(1 / 2000)
    assert "up to 64 grey levels, 0.05 % of the pixels" in str(difference)


def test_other_bytes_with_the_same_pixels_are_told_apart(folder):
    path = folder / "images/val/b.png"
    Image.open(path).save(path, compress_level=9)
    (difference,) = verify_degraded(folder)
    assert difference.largest is None
    assert "though its pixels are right" in difference.problem


def test_missing_and_surplus_files_are_named(folder):
    for name in ("images/val/a.png", "clean/val/b.jpg", "annotations/val/c.png"):
        (folder / name).unlink()
    shutil.copy(folder / "images/val/d.png", folder / "images/val/e.png")
    assert told(folder) == [
        "annotations/val/c.png: missing",
        "clean/val/b.jpg: missing",
        "images/val/a.png: missing",
        "images/val/b.png: cannot be made again without its clean photo",
        "images/val/e.png: not in the manifest",
    ]


def test_a_changed_label_and_an_unreadable_image_are_named(folder):
    Image.new("L", (50, 40), 8).save(folder / "annotations/val/a.png")
    (folder / "images/val/c.png").write_bytes(b"no image")
    first, second = told(folder)
    assert first == "annotations/val/a.png: the file's hash is not the manifest's"
    assert second.startswith("images/val/c.png: no image")


def test_an_edited_step_is_found_by_the_draw_and_by_the_pixels(folder):
    def stronger(recipe):
        recipe["steps"].append({"step": "jpeg", "quality": 5})

    edit_recipe(folder, stronger)
    by_pixels, by_draw = verify_degraded(folder)
    assert (by_pixels.file, by_draw.file) == ("images/val/b.png", "images/val/b.png")
    assert by_pixels.problem == "clean photo and recipe give other pixels"
    assert by_pixels.largest > 0
    assert by_draw.problem == "its recipe is not what rass@1.0 draws for b with seed 3"


def test_an_edited_seed_is_found(folder):
    edit_recipe(folder, lambda recipe: recipe.update(seed=4))
    assert any("rass@1.0 draws for b with seed 4" in line for line in told(folder))


def test_a_senseless_recipe_is_named_and_not_applied(folder):
    def enlarge(recipe):
        step = next(step for step in recipe["steps"] if step["step"] == "resize")
        step["scale"] = 1e9

    edit_recipe(folder, enlarge)
    (line,) = told(folder)
    assert line.startswith("images/val/b.png: malformed recipe: scale 1000000000.0 is outside")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"step": "resize", "scale": 16, "of_original": False, "mode": "area"}] * 5, "enlarges"),
        ([{"step": "resize", "scale": 2, "of_original": True, "mode": "area"}], "does not end at"),
        ([{"step": "jpeg", "quality": 50}] * 101, "number of steps 101 is outside 0..100"),
    ],
    ids=["a million times as large", "another size", "many steps"],
)
def test_a_recipe_that_eats_the_machine_is_named(folder, steps, message):
    edit_recipe(folder, lambda recipe: recipe.update(preset="strange", steps=steps))
    (line,) = told(folder)
    assert line.startswith("images/val/b.png: ")
    assert message in line


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no manifest"):
        verify_degraded(tmp_path)
