"""Every command that the README shows is run, block by block, as a reader would type it.

Each command once in a process of its own, where the README first shows it; then in this one, which
has imported by then what a new process would import for seconds.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rass_bench.images import read_image
from rass_bench.labels import load_label_space
from rass_bench.models.rass.loading import Part, convert
from tests.annotate.labelling import label_everything
from tests.cli.command import in_a_process, rass_bench
from tests.models.rass.toy import write_official

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [block for block in BLOCKS if block.startswith("rass-bench")]
SERVING = "rass-bench annotate serve"
"""The one command that runs until it is stopped."""

ALONE = [block for block in COMMANDS if SERVING not in block]
FIRST: dict[str, str] = {}
"""By command: the first line that shows it."""
for shown in "".join(COMMANDS).splitlines():
    FIRST.setdefault(shlex.split(shown)[1], shown)

INSTALLING = [block for block in BLOCKS if not block.startswith("rass-bench")]


def fenced(language, containing):
    """The README's code block of that language that contains a word."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if containing in block]
    return block


@pytest.fixture
def reader(tmp_path, shared_data):
    """A folder with what the README's reader has: data, weights, a photo and a plug-in."""

    def prepare(block):
        (tmp_path / "my_model.py").write_text(fenced("python", "class Sky"))
        (tmp_path / "deeplabv3.yaml").write_text(fenced("yaml", "letterbox"))
        if "ADEChallengeData2016" in block:
            (tmp_path / "ADEChallengeData2016").symlink_to(shared_data("ade20k150"))
            weights = shared_data("weights") / "deeplabv3_mnv2_ade20k.onnx"
            (tmp_path / "deeplabv3.onnx").symlink_to(weights)
        if "RealSR" in block:
            (tmp_path / "RealSR").symlink_to(shared_data("realsr"))
            weights = shared_data("weights") / "realesr-animevideov3.safetensors"
            (tmp_path / weights.name).symlink_to(weights)
        if "leaderboards/" in block or "rass-bench report" in block:
            shutil.copytree(ROOT / "leaderboards", tmp_path / "leaderboards")
        if "official-files" in block:
            write_official(tmp_path / "official-files")
        if "photo.jpg" in block:
            shutil.copy(ROOT / "reports/scenes.png", tmp_path / "photo.jpg")
        return tmp_path

    return prepare


def run_line(line, folder):
    program, command, *arguments = shlex.split(line)
    assert program == "rass-bench"
    call = in_a_process if FIRST[command] == line else rass_bench
    done = call(command, *arguments, cwd=folder)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("block", ALONE, ids=lambda block: shlex.split(block)[1])
def test_the_commands_of_a_block_work_one_after_the_other(block, reader):
    folder = reader(block)
    for line in block.splitlines():
        run_line(line, folder)


def serving(folder):
    """The server's process, which runs until it is stopped."""
    return subprocess.Popen(
        [sys.executable, "-m", "rass_bench.cli.main", *shlex.split(SERVING)[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.server
def test_photos_are_annotated_as_the_readme_shows(reader, installation):
    (block,) = [block for block in COMMANDS if SERVING in block]
    folder = reader(block)
    before, after = block.split(SERVING)
    for line in before.splitlines():
        run_line(line, folder)
    with serving(folder) as server:
        try:
            assert server.stdout.readline().startswith("Label Studio: http://127.0.0.1:")
            for line in after.strip().splitlines():
                if line.endswith("annotate pull"):
                    space = load_label_space("ade20k-150")
                    emails = ["ann@example.org", "bob@example.org"]
                    label_everything(folder / "annotation", emails, space)
                run_line(line, folder)
        finally:
            server.terminate()
            said, _ = server.communicate()
    assert (server.returncode, said.splitlines()[-1][:8]) == (0, "Stopped.")
    record = json.loads((folder / "runs/my-set/record.json").read_text())
    assert record["scored"] == 4


def test_the_python_example(reader, monkeypatch):
    folder = reader("official-files photo.jpg")
    convert(folder / "official-files", tuple(Part), folder / "rass.safetensors")
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(fenced("python", "load_segmenter"), names)
    assert names["labels"].shape == read_image(folder / "photo.jpg").shape[:2]


def test_every_command_of_the_package_is_shown():
    shown = {shlex.split(line)[1] for block in COMMANDS for line in block.splitlines()}
    assert shown >= {
        "run",
        "score",
        "compare",
        "degrade",
        "data",
        "list",
        "doctor",
        "train",
        "weights",
        "annotate",
        "verify",
        "bundle",
        "leaderboard",
        "release",
        "report",
    }


def test_the_two_commands_come_first_and_are_what_ci_runs():
    assert BLOCKS[0].split("\n")[:2] == ["make demo", "make test"]
    ci = (ROOT / ".ci/run").read_text()
    assert ci.index("make test") < ci.index("make demo")
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)


def test_the_installation_shown_is_the_one_that_make_does():
    assert [block.strip() for block in INSTALLING[1:]] == [
        "pip install -c constraints.txt -e '.[models,report]'"
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert "--constraints constraints.txt" in makefile
    assert "--editable '.[models,report]'" in makefile


LINKS = sorted(set(re.findall(r"\]\(([^)#][^)]*)\)", README)))


@pytest.mark.parametrize("target", LINKS)
def test_every_picture_and_file_that_it_leads_to_is_there(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([^)]+)\)", README))))
def test_every_section_that_it_leads_to_is_there(anchor):
    """As GitHub makes anchors: lower case, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
