"""What the command line says where the extras are not installed."""

import subprocess
import sys

import pytest

from tests.builders import labelled_set
from tests.cli.command import ROOT

WITHOUT_EXTRAS = """
import importlib.metadata, sys

class NotInstalled:
    \"\"\"Finds no module of the extras, as an installation without them.\"\"\"

    names = set(sys.argv.pop(1).split(","))

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

def version(name, real=importlib.metadata.version):
    if name.replace("-", "_") in NotInstalled.names:
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)

sys.meta_path.insert(0, NotInstalled())
importlib.metadata.version = version
from rass_bench.cli.main import main
main()
"""

EXTRAS = {
    "models": "torch torchvision transformers diffusers peft accelerate tensorboard timm spandrel "
    "onnxruntime onnx safetensors",
    "iqa": "pyiqa",
    "annotate": "httpx psutil uv pycocotools label_studio_sdk",
    "hub": "datasets huggingface_hub mlcroissant",
    "report": "plotly matplotlib",
}


def in_the_core(*arguments, cwd):
    names = ",".join(" ".join(EXTRAS.values()).split())
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, names, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("extra", "command"),
    [
        ("models", "train vae --dataset scenes --out out"),
        ("models", "run --model rass --limit 1 --out out"),
        ("models", "run --model segformer-mini-scenes --limit 1 --out out"),
        ("models", "run --model onnx:model.onnx --limit 1 --out out"),
        ("models", "run --model nlm --restorer spandrel:model.pth --protocol r2s --out out"),
        ("models", "demo --out out"),
        ("models", "weights convert files out.safetensors"),
        ("iqa", "run --model nlm --protocol restore --metric piqe --limit 1 --out out"),
        ("annotate", "annotate serve --dir begun"),
        ("hub", "release build scenes --split val --out out"),
        ("report", f"report --root {ROOT}/leaderboards --out out"),
    ],
)
def test_a_missing_extra_is_named_and_nothing_is_begun(extra, command, tmp_path):
    for file in ("model.onnx", "model.pth", "begun/dataset.yaml", "begun/labeling_config.xml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    done = in_the_core(*command.split(), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert f"is not installed (extra '{extra}')" in done.stderr
    assert f"pip install 'rass-bench[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_core_degrades_measures_and_scores(tmp_path):
    labelled_set(tmp_path / "data", count=2, size=(48, 64))
    for command in (
        "degrade --dataset data --out lq --preset noise-3",
        "degrade verify lq",
        "run --model nlm --protocol restore --dataset lq --out run",
        "score run",
        "verify run --level rescore",
        "list models --detail",
        "doctor",
    ):
        done = in_the_core(*command.split(), cwd=tmp_path)
        assert done.returncode == 0, (command, done.stderr)
