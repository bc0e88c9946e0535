"""Where a run takes place: versions, device, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import rass_bench
from rass_bench.record import Environment

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "numba",
    "simplejpeg",
    "torch",
    "torchvision",
    "transformers",
    "diffusers",
    "peft",
    "accelerate",
    "timm",
    "spandrel",
    "onnxruntime",
    "pyiqa",
)
"""The packages that numbers depend on; those not installed are left out of a record."""


def installed_packages() -> dict[str, str]:
    """Versions of the installed packages among ``PACKAGES``, without importing them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe_environment(device: str, threads: int) -> Environment:
    """The environment of this process, for a record."""
    commit, dirty = git_state(Path(rass_bench.__file__).parents[1])
    return Environment(
        rass_bench=rass_bench.__version__,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages=installed_packages(),
        device=_device_name(device),
        threads=threads,
        git_commit=commit,
        git_dirty=dirty,
    )


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({_processor()}, {os.cpu_count()} cores)"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform == "linux" and cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def git_state(checkout: Path) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout that holds this package; (None, None) elsewhere.

    Changes count where they could change a number: in the package. What a user puts beside it,
    runs and bundles say, does not.
    """
    if not (checkout / ".git").exists():
        return None, None
    try:
        commit = _git(checkout, "rev-parse", "HEAD")
        changes = _git(checkout, "status", "--porcelain", "--", "rass_bench")
    except (OSError, subprocess.CalledProcessError):
        return None, None  # no git on this machine, or a checkout without a commit
    return commit, bool(changes)


def _git(checkout: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
