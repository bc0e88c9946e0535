"""What the card of a degraded data set says of its degradation, and whether it holds."""

import io
import json
import re
import shlex

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.degrade.preset import PRESETS
from rass_bench.degrade.preset_words import describe_preset
from rass_bench.errors import UserError
from rass_bench.release.build import build_release
from rass_bench.release.source import open_source
from tests.builders import labelled_set
from tests.cli.command import rass_bench


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "tiny")


def degrade(data, preset, seed=7):
    out = data.with_name(f"{data.name}-degraded")
    degrade_dataset(open_dataset(str(data)), preset, seed, out)
    return out


def told(folder, out):
    """What the card of a folder's release says of its degradation; None without a section."""
    build_release(open_source(str(folder)), out)
    found = re.search(
        r"\n## Degradation\n\n(.*?)\n\n## ", (out / "README.md").read_text(), re.DOTALL
    )
    return found[1] if found else None


def redefine(folder, **entries):
    definition = folder / "dataset.yaml"
    definition.write_text(yaml.safe_dump(yaml.safe_load(definition.read_text()) | entries))


def edit_recipes(folder, change):
    """Let ``change`` alter the recipe of each photo, which gets its number and its recipe."""
    path = folder / "manifest-test.json"
    manifest = json.loads(path.read_text())
    for number, entry in enumerate(manifest["entries"]):
        change(number, entry["recipe"])
    path.write_text(json.dumps(manifest))


def test_clean_photos_have_no_such_section(data, tmp_path):
    assert told(data, tmp_path / "out") is None


def test_it_says_from_what_by_which_preset_and_seed(data, tmp_path):
    text = told(degrade(data, "rass"), tmp_path / "out")
    assert text.startswith(
        "All 4 photos are clean photos of `tiny@1.0` that were degraded with the preset `rass@1.0`"
    )
    assert "and seed 7. The column `recipe` holds" in text


@pytest.mark.parametrize("name", ["rass", "blur-2", "noise-3", "jpeg-4", "resize-5"])
def test_the_list_is_the_presets_own_in_its_order(data, tmp_path, name):
    text = told(degrade(data, name), tmp_path / "out")
    sentences = [one for order in describe_preset(PRESETS.get(name)) for one in order]
    numbered = [f"{number}. {one}" for number, one in enumerate(sentences, start=1)]
    assert [line for line in text.splitlines() if re.match(r"\d+\. ", line)] == numbered
    assert ("Order 2 of 2:" in text) == (name == "rass")


def test_real_esrgan_is_to_be_cited_where_the_degradation_is_its(data, tmp_path):
    text = told(degrade(data, "rass"), tmp_path / "out")
    assert re.search(r"cite.*Real-ESRGAN.*arXiv:2107\.10833", text)


def test_a_plain_blur_cites_nobody(data, tmp_path):
    assert "cite" not in told(degrade(data, "blur-2"), tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "version", "split"),
    [("tiny", "1.0", "test"), ("ade20k", "1.0", "validation"), ("scenes", "9.0", "val")],
)
def test_its_commands_make_the_released_pixels_again(data, tmp_path, name, version, split):
    """From a folder of one's own, the files of a data set that the package knows, or a namesake."""
    data = data.rename(data.with_name(name))
    for folder in ("images", "annotations"):
        (data / folder / "test").rename(data / folder / split)
    redefine(data, name=name, version=version, splits={split: 4})
    out = tmp_path / "out"
    text = told(degrade(data, "rass"), out)
    commands = re.search(r"```sh\n(.*?)\n```", text, re.DOTALL)[1].splitlines()
    assert len(commands) == 2
    for command in commands:
        words = command.replace("CLEAN_FILES", name).replace("FOLDER", "out")
        done = rass_bench(*shlex.split(words)[1:], cwd=tmp_path)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    (shard,) = (out / "data").iterdir()
    for row in pq.read_table(shard).to_pylist():
        again = tmp_path / "DEGRADED" / split / "images" / split / f"{row['id']}.png"
        released = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        assert np.array_equal(np.asarray(Image.open(again)), released)


def test_of_rendered_scenes_no_folder_is_asked_for(data, tmp_path):
    for folder in ("images", "annotations"):
        (data / folder / "test").rename(data / folder / "val")
    redefine(data, name="scenes", splits={"val": 4})
    text = told(degrade(data, "jpeg-1", seed=3), tmp_path / "out")
    command = "rass-bench degrade --dataset scenes --split val --preset jpeg-1 --seed 3 --out "
    assert f"```sh\n{command}DEGRADED/val\n" in text
    assert "stands for the folder" not in text


def test_without_a_telling_name_the_definition_says_how_to_get_the_photos(data, tmp_path):
    degraded = degrade(data, "rass")
    redefine(degraded, name="renamed", obtain="Ask the authors.")
    (degraded / "manifest-test.json").write_text(
        (degraded / "manifest-test.json").read_text().replace("tiny-rass@", "renamed@")
    )
    text = told(degraded, tmp_path / "out")
    assert text.startswith("All 4 photos are clean photos that were degraded with")
    assert "Ask the authors." in text
    assert "```" not in text


def test_photos_of_another_seed_are_told_apart(data, tmp_path):
    degraded = degrade(data, "rass")
    edit_recipes(degraded, lambda number, recipe: recipe.update(seed=9 if number == 2 else 7))
    text = told(degraded, tmp_path / "out")
    first, second = text.split("1 of the 4 photos are clean photos that were")
    assert first.startswith("3 of the 4 photos are clean photos of `tiny@1.0`")
    assert "rass-bench degrade" in first
    assert re.search(r"and seed 9\.", second)
    assert "rass-bench degrade" not in second  # it would make photos of seed 7


def test_one_draw_of_several_is_not_compared_with_the_whole_release(data, tmp_path):
    degraded = degrade(data, "rass")
    edit_recipes(degraded, lambda number, recipe: recipe.update(seed=9 if number == 2 else 7))
    text = told(degraded, tmp_path / "out")
    assert "release check" not in text
    assert "compare them" not in text


def test_where_the_name_states_no_draw_the_definition_is_quoted_once(data, tmp_path):
    degraded = degrade(data, "rass")
    redefine(degraded, obtain="Ask the authors.")
    edit_recipes(degraded, lambda number, recipe: recipe.update(seed=9 if number == 2 else 8))
    text = told(degraded, tmp_path / "out")
    assert text.count("Ask the authors.") == 1
    assert "```" not in text


def test_of_a_preset_in_another_version_no_range_is_told(data, tmp_path):
    degraded = degrade(data, "rass")
    edit_recipes(degraded, lambda _, recipe: recipe.update(preset_version="0.9"))
    text = told(degraded, tmp_path / "out")
    assert "`rass@0.9`" in text
    assert "lacks that preset" in text
    assert "JPEG" not in text


def test_words_of_a_recipe_stay_words(data, tmp_path):
    degraded = degrade(data, "rass")
    edit_recipes(degraded, lambda _, recipe: recipe.update(preset="a`\n## <b>b"))
    assert "`a'\\n## <b>b@1.0`" in told(degraded, tmp_path / "out")


def test_a_malformed_recipe_is_refused_by_name(data, tmp_path):
    degraded = degrade(data, "rass")
    edit_recipes(degraded, lambda number, recipe: number == 1 and recipe.update(steps=[{}]))
    with pytest.raises(UserError, match=r"malformed recipe.*test/p1"):
        build_release(open_source(str(degraded)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_croissant_says_it_by_title_and_version(data, tmp_path):
    told(degrade(data, "rass"), tmp_path / "out")
    document = json.loads((tmp_path / "out/croissant.json").read_text())
    assert "degraded: two-order Real-ESRGAN degradation" in document["description"]
    assert document["version"] == "1.0-preset1.0-seed7"
