"""The report's page: one HTML file that shows everything gathered, with no network."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import require_package
from rass_bench.files import write_bytes
from rass_bench.report.content import BoardContent, Content, ImageScores

STYLES = ("app.css", "plots.css", "images.css")
SCRIPTS = (
    "app.js",
    "overview.js",
    "board.js",
    "columns.js",
    "controls.js",
    "table.js",
    "copy.js",
    "model.js",
    "line_words.js",
    "plot_signs.js",
    "plot_axes.js",
    "plot_labels.js",
    "plot_graphs.js",
    "plot_cost.js",
    "plot_strength.js",
    "plot_slopes.js",
    "plot_perception.js",
    "plots.js",
    "label_maps.js",
    "stage.js",
    "image_facts.js",
    "images.js",
)
"""In the order in which they stand in the page: ``app.js`` has what the others use."""

_STEPS = 65534
"""Between the lowest and the highest value of an image; one code more says undefined."""


def write_page(path: Path, content: Content) -> None:
    """Write a report's page, atomically.

    Raises:
        UserError: the extra ``report`` is not installed.
    """
    write_bytes(path, render_page(content).encode())


def render_page(content: Content) -> str:
    """The page as HTML.

    It asks no network for anything. Names of models, images and classes may come from strangers:
    they stand in it as data that is shown as text, and its own scripts alone may run.

    Raises:
        UserError: the extra ``report`` is not installed.
    """
    require_package("plotly", "report")
    # Imported here: `--help` renders no page.
    import jinja2
    import plotly.offline
    from markupsafe import Markup

    script = "\n".join(_resource(name) for name in SCRIPTS)
    plotly_script = plotly.offline.get_plotlyjs()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_resource("page.html")).render(
        title=content.title,
        boards=content.boards,
        # Our own files and what is JSON or base64 are the only text that is not escaped.
        style=Markup("\n".join(_resource(name) for name in STYLES)),
        script=Markup(script),
        script_hashes=[_script_hash(script), _script_hash(plotly_script)],
        data=[(name, kind, Markup(text)) for name, kind, text in _data(content)],
        plotly=Markup(_packed(plotly_script.encode())),
    )


def _data(content: Content) -> list[tuple[str, str, str]]:
    """Id, type and text of the elements that hold the report's numbers and pictures."""
    elements = [("content", "application/json", _json(_without_blobs(content)))]
    for board in content.boards:
        if board.scores is not None:
            text = _packed(_codes(board.scores.values).astype("<u2").tobytes())
            elements.append((f"scores-{board.id}", "text/plain", text))
        for index, picture in enumerate(board.pictures):
            uris = _json([layer.uri for layer in picture.layers])
            elements.append((f"picture-{board.id}-{index}", "application/json", uris))
    return elements


def _without_blobs(content: Content) -> dict[str, Any]:
    """Everything that the page reads when it opens."""
    small = dataclasses.replace(content, boards=())
    return dataclasses.asdict(small) | {"boards": [_board(board) for board in content.boards]}


def _board(board: BoardContent) -> dict[str, Any]:
    small = dataclasses.replace(board, scores=None)
    described = dataclasses.asdict(small)
    for picture in described["pictures"]:
        for layer in picture["layers"]:
            del layer["uri"]
    # Bars and curves show no more, and a large page is smaller by more than a megabyte.
    described["factors"] = _rounded(described["factors"])
    for line in described["lines"]:
        if line["details"] is not None:
            line["details"]["per_class"] = _rounded(line["details"]["per_class"])
    return described | {"scores": board.scores and _described(board.scores)}


def _rounded(value: Any) -> Any:
    """The same with six significant digits to each number."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _described(scores: ImageScores) -> dict[str, Any]:
    low, high = _range(scores.values)
    return {
        "metric": scores.metric,
        "ids": scores.ids,
        "lines": scores.lines,
        "low": low,
        "high": high,
    }


def _codes(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Each value as a step from the lowest to the highest of all, 65535 where undefined.

    Infinite values, such as the PSNR of equal images, count as undefined.
    """
    low, high = _range(values)
    known = np.where(np.isfinite(values), values, low)
    steps = np.rint((known - low) / ((high - low) or 1.0) * _STEPS)
    return np.where(np.isfinite(values), steps, _STEPS + 1).astype(np.uint16)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _json(value: Any) -> str:
    """JSON that no HTML parser takes for markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _script_hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _resource(name: str) -> str:
    return (resources.files("rass_bench.report") / "page" / name).read_text("utf-8")
