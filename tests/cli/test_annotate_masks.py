"""`annotate import` and `annotate export` from the command line."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from rass_bench.annotate.guidelines import GUIDELINES_FILE
from rass_bench.annotate.imports import load_imports
from rass_bench.annotate.initialise import initialise
from rass_bench.cli.annotate_masks import (
    EXPORT_EXAMPLES,
    IMPORT_EXAMPLES,
    export_command,
    import_command,
)
from rass_bench.errors import UserError
from tests.builders import labelled_set

app = typer.Typer(rich_markup_mode="rich")
app.command("import", epilog=IMPORT_EXAMPLES)(import_command)
app.command("export", epilog=EXPORT_EXAMPLES)(export_command)


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "data")


@pytest.fixture
def project(tmp_path, data):
    """The default project of the working folder."""
    folder = tmp_path / "annotation"
    folder.mkdir()
    (folder / GUIDELINES_FILE).touch()
    initialise(folder, str(data))
    return folder


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Call a command in the folder that holds the project; return what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")

    def call(*arguments):
        result = CliRunner().invoke(app, [str(one) for one in arguments])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return call


def test_masks_are_imported_and_photos_without_one_are_named(call, data, project):
    images, masks = data / "images/test", data / "annotations/test"
    (masks / "p1.png").unlink()
    name = f"[red]{'long ' * 20}"
    (images / "p1.png").rename(images / f"{name}.png")
    command = ("import", "--images", images, "--masks", masks, "--annotator", "ann")
    printed = call(*command).splitlines()
    assert printed[0] == "masks of ann: 3 added, 0 replaced, 0 unchanged"
    assert printed[1:] == [f"  no mask: {name}"]
    assert [one.sample for one in load_imports(project)] == ["p0", "p2", "p3"]
    assert call(*command).startswith("masks of ann: 0 added, 0 replaced, 3 unchanged")


@pytest.mark.parametrize("mask_format", ["coco", "panoptic"])
def test_masks_that_are_exported_are_imported_into_any_folder(
    call, data, project, tmp_path, mask_format
):
    out, elsewhere = tmp_path / "masks.json", tmp_path / "elsewhere"
    project.rename(elsewhere)
    options = ("--format", mask_format)
    printed = call("export", "--dataset", data, "--split", "test", "--out", out, *options)
    assert " ".join(printed.split()) == f"4 masks written to {out}"
    assert len(json.loads(out.read_text())["images"]) == 4
    if mask_format == "panoptic":
        (tmp_path / "masks").rename(tmp_path / "moved")
        options += ("--segments", tmp_path / "moved")
    images = data / "images/test"
    command = ("--images", images, "--masks", out, "--annotator", "bob", "--dir", elsewhere)
    assert "4 added" in call("import", *command, *options)
    assert {one.source for one in load_imports(elsewhere)} == {f"{mask_format} masks.json"}


def test_coco_is_written_where_nothing_is_said(call, data, tmp_path):
    call("export", "--dataset", data, "--out", tmp_path / "masks.json")
    assert "bbox" in json.loads((tmp_path / "masks.json").read_text())["annotations"][0]
    assert not (tmp_path / "masks").exists()


def test_a_mistake_reaches_the_entry_point(call, data, project):
    with pytest.raises(UserError, match="is no name for an annotator"):
        call("import", "--images", data / "images/test", "--masks", data, "--annotator", "../ann")


@pytest.mark.parametrize("command", ["import", "export"])
def test_help_names_the_options_and_gives_examples(call, command):
    printed = call(command, "--help")
    assert f"rass-bench annotate {command}" in printed.split("Examples", 1)[1]
    options = {
        "import": ("--dir", "--images", "--masks", "--format", "--annotator", "--segments"),
        "export": ("--dataset", "--data-root", "--split", "--format", "--out"),
    }
    assert all(option in printed for option in options[command])


def test_the_commands_load_nothing_heavy_before_they_run():
    script = (
        "import sys, rass_bench.cli.annotate_masks\n"
        "print({'numpy', 'PIL', 'cv2', 'pycocotools', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
