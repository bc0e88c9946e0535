"""What a model thinks of every class in a photo, as probabilities at its own stride."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.qa.quality import class_probabilities
from rass_bench.errors import UserError
from rass_bench.models.contract import check_count, checked_prediction
from rass_bench.models.protocols import Image, Logits, ScoreWindow, Segmenter
from rass_bench.models.sizing import Fitted, fit

STRIDE = 4
"""Pixels of the model's size to one probability, where windows are put together."""


@dataclass(frozen=True)
class Probabilities:
    """Class probabilities of one photo.

    Attributes:
        values: float32 (K, h, w) in 0..1, summing to 1 over classes.
        valid: the fraction (vertical, horizontal) of their field of view that the photo covers,
            from the top left corner; the rest is padding.
    """

    values: NDArray[np.float32]
    valid: tuple[float, float]


def predict_probabilities(segmenter: Segmenter, image: Image) -> Probabilities:
    """Ask a segmenter for class probabilities instead of labels.

    Class scores become probabilities by softmax. Networks that answer with queries give sums of
    P(class | query) * sigmoid(mask), which become probabilities by their sum over classes.

    Args:
        segmenter: the model.
        image: RGB uint8 (H, W, 3).

    Raises:
        UserError: the model answers with labels alone, or breaks its contract.
    """
    fitted = fit(image, segmenter.spec.size_rule)
    predictions = segmenter.predict([fitted.pixels])
    check_count(segmenter.spec, predictions, [image])
    prediction = checked_prediction(segmenter.spec, predictions[0], fitted.size)
    if isinstance(prediction, tuple):
        return Probabilities(_of_windows(prediction, fitted), (1.0, 1.0))
    if prediction.ndim != 3:
        raise UserError(
            "the model answers with labels and tells no class scores",
            segmenter.spec.key,
            "Use a model that answers with class scores, such as a transformers one.",
        )
    valid = fitted.valid[0] / fitted.size[0], fitted.valid[1] / fitted.size[1]
    return Probabilities(class_probabilities(cast(Logits, prediction)), valid)


def _of_windows(windows: tuple[ScoreWindow, ...], fitted: Fitted) -> NDArray[np.float32]:
    """Probabilities of the photo's own pixels, float32 (K, h, w)."""
    # Imported here: it needs torch, which labels alone do not.
    from rass_bench.models.queries import class_scores

    rows, columns = (max(1, side // STRIDE) for side in fitted.valid)
    scores = class_scores(windows, fitted.valid, rows, columns)
    if windows[0].classes is None:
        return class_probabilities(scores)
    total = scores.sum(axis=0)
    # Where every query's mask is empty, no class is likelier than another.
    shares = np.full_like(scores, 1 / len(scores))
    np.divide(scores, total, out=shares, where=total > 0)
    return shares
