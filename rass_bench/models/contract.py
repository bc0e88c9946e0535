"""What a model returns, checked: a plug-in's author must learn at once what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from rass_bench.models.protocols import (
    Image,
    ModelSpec,
    ParameterCount,
    Prediction,
    Restorer,
    ScoreWindow,
    Segmenter,
    SizeRule,
    ToldSegmenter,
)


def check_description(model: Segmenter | Restorer) -> None:
    """Check what a record will say of a model, before hours are spent on it.

    Raises:
        UserError: its ``spec`` or ``parameters`` holds a value of another type than stated.
    """
    spec, parameters = model.spec, model.parameters
    wanted = {
        **dict.fromkeys(("name", "revision", "title", "licence"), str),
        **dict.fromkeys(("weights_url", "weights_sha256", "paper"), str | None),
        "size_rule": SizeRule,
        "scale": int,
        "told_classes": bool,
    }
    for name, kind in wanted.items():
        if not isinstance(getattr(spec, name), kind):
            raise _broken(spec, f"{name} = {getattr(spec, name)!r} in its spec")
    if spec.told_classes and not isinstance(model, ToldSegmenter):
        raise _broken(spec, "told_classes in its spec, but no predict_told")
    if spec.scale < 1:
        raise _broken(spec, f"scale = {spec.scale} in its spec")
    if parameters is not None and not (
        isinstance(parameters, ParameterCount)
        and isinstance(parameters.total, int)
        and isinstance(parameters.trainable, int | None)
    ):
        raise _broken(spec, f"parameters = {parameters!r}, not a ParameterCount of whole numbers")


def check_count(spec: ModelSpec, answers: Any, images: Sequence[Image]) -> None:
    """Check that there is one answer for each photo.

    Raises:
        UserError: there is not, or no list at all; the message names the model.
    """
    if not isinstance(answers, Sequence | np.ndarray):
        raise _broken(spec, f"a {type(answers).__name__} instead of a list")
    if len(answers) != len(images):
        raise _broken(spec, f"{len(answers)} answers for {len(images)} photos")


def checked_prediction(spec: ModelSpec, prediction: Any, size: tuple[int, int]) -> Prediction:
    """Check a prediction's type, shape and classes.

    Args:
        spec: the segmenter's description.
        prediction: what it returned for one photo.
        size: rows and columns of the photo that it was given.

    Raises:
        UserError: it breaks the contract of ``Segmenter.predict``; the message names the model.
    """
    classes = load_label_space(spec.label_space or "").size
    if isinstance(prediction, tuple):
        return _checked_windows(spec, prediction, size, classes)
    if not isinstance(prediction, np.ndarray):
        raise _broken(spec, f"a {type(prediction).__name__} instead of an array")
    found = f"{prediction.dtype} {prediction.shape}"
    if prediction.ndim == 2 and prediction.dtype == np.uint8:
        if prediction.shape != size:
            raise _broken(spec, f"labels {found} for a photo of {size}")
        highest = int(prediction.max())
        if highest >= classes:
            raise _broken(spec, f"class id {highest}; {spec.label_space} has 0..{classes - 1}")
        return prediction
    if prediction.ndim == 3 and prediction.dtype == np.float32:
        if prediction.shape[0] != classes or not prediction.size:
            raise _broken(spec, f"scores {found}; {spec.label_space} has {classes} classes")
        return prediction
    raise _broken(spec, f"{found}; labels are uint8 (H, W), scores float32 (K, h, w)")


def checked_output(spec: ModelSpec, output: Any, size: tuple[int, int]) -> Image:
    """Check a restored photo's type and shape.

    Args:
        spec: the restorer's description.
        output: what it returned for one photo.
        size: rows and columns of the photo that it was given.

    Raises:
        UserError: it breaks the contract of ``Restorer.restore``; the message names the model.
    """
    expected = (size[0] * spec.scale, size[1] * spec.scale, 3)
    if not isinstance(output, np.ndarray):
        raise _broken(spec, f"a {type(output).__name__} instead of an array")
    if output.dtype != np.uint8 or output.shape != expected:
        raise _broken(spec, f"{output.dtype} {output.shape} instead of uint8 {expected}")
    return output


def _checked_windows(
    spec: ModelSpec, windows: tuple[Any, ...], size: tuple[int, int], classes: int
) -> tuple[ScoreWindow, ...]:
    covered = np.zeros(size, dtype=bool)
    for window in windows:
        if not isinstance(window, ScoreWindow):
            raise _broken(spec, f"a tuple with a {type(window).__name__} instead of ScoreWindow")
        _check_scores(spec, window.values, 3)
        if window.classes is not None:
            _check_scores(spec, window.classes, 2)
        queries = len(window.values)
        scored = queries if window.classes is None else window.classes.shape[1]
        if scored != classes:
            raise _broken(spec, f"{scored} classes; {spec.label_space} has {classes}")
        if window.classes is not None and len(window.classes) != queries:
            raise _broken(spec, f"{queries} masks, {len(window.classes)} class distributions")
        edges = (window.top, window.left, window.height, window.width)
        if not all(isinstance(edge, Integral) for edge in edges):
            raise _broken(spec, f"a window at {edges}, which are not whole numbers")
        bottom, right = window.top + window.height, window.left + window.width
        if min(window.top, window.left) < 0 or bottom > size[0] or right > size[1]:
            raise _broken(spec, f"a window that leaves the photo of {size}")
        covered[window.top : bottom, window.left : right] = True
    if not covered.all():
        raise _broken(spec, f"windows that leave {int((~covered).sum())} pixels uncovered")
    return windows


def _check_scores(spec: ModelSpec, scores: Any, dimensions: int) -> None:
    if not isinstance(scores, np.ndarray):
        raise _broken(spec, f"a window with a {type(scores).__name__} instead of an array")
    if scores.dtype != np.float32 or scores.ndim != dimensions or not scores.size:
        raise _broken(spec, f"a window with {scores.dtype} {scores.shape}; see ScoreWindow")


def _broken(spec: ModelSpec, returned: str) -> UserError:
    return UserError(
        f"the model does not keep its contract: {returned}",
        spec.key,
        "See rass_bench.models.protocols for what a model returns.",
    )
