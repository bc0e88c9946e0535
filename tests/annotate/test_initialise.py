"""The beginning of a project: what is written, what is kept, what cannot be begun."""

import subprocess

import pytest
import yaml

from rass_bench.annotate.guidelines import GUIDELINES_FILE
from rass_bench.annotate.initialise import (
    definition_path,
    initialise,
    load_definition,
    load_space,
    policy_path,
)
from rass_bench.annotate.labeling_config import config_labels
from rass_bench.annotate.policy import load_policy
from rass_bench.annotate.project import config_path, load_config
from rass_bench.data.spec import load_spec
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from tests.builders import labelled_set

FILES = {"dataset.yaml", "labeling_config.xml", "policy.yaml", ".gitignore", GUIDELINES_FILE}


@pytest.fixture
def folder(tmp_path):
    """An empty project but for its guidelines, whose pictures take seconds."""
    made = tmp_path / "project"
    made.mkdir()
    (made / GUIDELINES_FILE).write_text("our own")
    return made


def test_a_new_folder_gets_all_that_a_project_begins_with(tmp_path):
    made = tmp_path / "a" / "project"
    report = initialise(made, "camvid")
    assert (set(report.written), report.kept) == (FILES, ())
    assert load_definition(made) == load_spec("camvid")
    assert load_space(made) == load_label_space("camvid-11")
    assert load_policy(policy_path(made)) == load_policy()
    names = {label.title for label in config_labels(load_config(made))}
    assert names == {*load_label_space("camvid-11").names, "ignore"}
    assert "- bicyclist\n" in (made / GUIDELINES_FILE).read_text("utf-8")
    again = initialise(made, "camvid")
    assert (again.written, set(again.kept)) == ((), FILES)


def test_what_people_edited_is_kept_and_what_they_removed_is_written_anew(folder):
    initialise(folder, "reallq")
    policy_path(folder).write_text("min_annotators: 1\n")
    config_path(folder).unlink()
    report = initialise(folder, "reallq")
    assert report.written == ("labeling_config.xml",)
    assert load_policy(policy_path(folder)).min_annotators == 1
    assert (folder / GUIDELINES_FILE).read_text() == "our own"


def test_a_folder_with_a_definition_is_a_data_set_to_make(folder, tmp_path):
    data = labelled_set(tmp_path / "data")
    initialise(folder, str(data))
    assert load_definition(folder).name == "tiny"
    assert definition_path(folder).read_bytes() == (data / "dataset.yaml").read_bytes()


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("photos", "has no label maps to make"),
        ("realsr", "has no label maps to make"),
        ("scenes", "has no label maps to make"),
        ("realq", "Did you mean reallq"),
    ],
)
def test_a_data_set_that_nobody_can_label_is_refused_and_nothing_made(tmp_path, dataset, words):
    with pytest.raises(UserError, match=words):
        initialise(tmp_path / "project", dataset)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_labels_one_thing(folder):
    initialise(folder, "reallq")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="begun for ade20k-150, camvid is labelled in camvid-11"):
        initialise(folder, "camvid")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    # Another set of the same labels changes nothing that was begun.
    assert initialise(folder, "ade20k").written == ()
    assert load_definition(folder).name == "reallq"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        initialise(tmp_path / "file" / "project", "reallq")


def test_before_the_beginning_the_command_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no annotation project was begun here.*annotate init"):
        load_space(tmp_path)


def test_a_definition_that_lost_its_labels_is_refused(folder):
    initialise(folder, "reallq")
    spec = yaml.safe_load(definition_path(folder).read_text())
    for key in ("label_space", "label_encoding"):
        del spec[key]
    definition_path(folder).write_text(yaml.safe_dump(spec))
    with pytest.raises(UserError, match="has no label maps to make") as caught:
        load_definition(folder)
    assert str(definition_path(folder)) in str(caught.value)


def test_git_would_not_take_up_secrets_or_photos(folder):
    initialise(folder, "reallq")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    kept_out = (
        "credentials.json",
        "server.log",
        "server/label_studio.sqlite3",
        "files/photos/a.png",
    )
    for name in kept_out:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    listed = subprocess.run(
        ["git", "-C", folder, "ls-files", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert not {*kept_out} & {*listed}
    assert {"policy.yaml", "dataset.yaml"} <= {*listed}
