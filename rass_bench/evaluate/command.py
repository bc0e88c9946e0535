"""The command line that repeats a run."""

from __future__ import annotations

import shlex

from rass_bench.evaluate.resolve import RunRequest

_OPTIONS = {
    "model": "--model",
    "weights": "--weights",
    "options": "--option",
    "dataset": "--dataset",
    "data_root": "--data-root",
    "split": "--split",
    "protocol": "--protocol",
    "restorer": "--restorer",
    "restorer_weights": "--restorer-weights",
    "restorer_options": "--restorer-option",
    "upscale": "--upscale",
    "metrics": "--metric",
    "limit": "--limit",
    "on_error": "--on-error",
    "seed": "--seed",
    "device": "--device",
    "threads": "--threads",
}
"""Fields of a request as options of `rass-bench run`."""


def run_command(request: RunRequest) -> str:
    """The command line of a request, without what stands at its default."""
    words = ["rass-bench", "run"]
    for name, option in _OPTIONS.items():
        value = getattr(request, name)
        if value == getattr(RunRequest(model=""), name) and name != "dataset":
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [option, shlex.quote(str(one))]
    return " ".join(words)
