"""Imports go down the floors of the house only, and importing the package is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rass_bench"
FLOORS = {
    "cli": 3,
    "annotate": 2,
    "evaluate": 2,
    "leaderboard": 2,
    "release": 2,
    "report": 2,
    "train": 2,
    "verify": 2,
    "models": 1,
    "metrics": 1,
    "degrade": 1,
    "data": 1,
}
"""The floor of each part; a module of none of them stands on the ground, floor 0."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] == "rass_bench"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_from_its_own_floor_or_below(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(path):
        assert FLOORS.get(part_of(module), 0) <= FLOORS.get(own, 0), module


@pytest.mark.parametrize(("part", "stranger"), [("metrics", "models"), ("models", "data")])
def test_a_metric_knows_no_model_and_a_model_no_data_set(part, stranger):
    for path in (PACKAGE / part).rglob("*.py"):
        assert stranger not in {part_of(module) for module in imports(path)}, path


def test_the_main_flow_stays_short():
    assert len((PACKAGE / "evaluate/run.py").read_text().splitlines()) < 300


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_its_purpose(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_importing_the_package_is_light():
    heavy = "{'torch', 'numpy', 'transformers'}"
    script = f"import sys, rass_bench; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_datasets_folder_is_no_package():
    assert not (PACKAGE.parent / "datasets/__init__.py").exists()
