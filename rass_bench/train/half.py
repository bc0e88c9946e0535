"""Trained weights in half precision, as they are stored."""

from __future__ import annotations

from torch import Tensor

from rass_bench.errors import UserError


def halved(name: str, weight: Tensor) -> Tensor:
    """A weight in 16 bits on the CPU; whole numbers stay as they are.

    Args:
        name: of the weight, for messages.
        weight: of any type.

    Raises:
        UserError: it holds a number that 16 bits cannot, which would become infinite in silence.
    """
    kept = weight.detach().cpu()
    if not kept.is_floating_point():
        return kept
    if not kept.half().isfinite().all():
        raise UserError(
            f"{name} holds {float(kept.abs().max()):g}, beyond the range of 16-bit floats",
            "training",
            "The training diverged: use a lower learning rate.",
        )
    return kept.half()
