"""Random numbers that depend on what is drawn, never on when or where it is drawn."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, sample_id: str, purpose: str) -> np.random.Generator:
    """A Philox generator keyed by (seed, sample id, purpose).

    Equal keys give equal streams whatever the order, the number of workers or the batch. Two
    purposes of one sample are independent streams, so that adding a draw to one leaves the other.

    Args:
        seed: the run's seed, any integer.
        sample_id: the sample's id in its data set.
        purpose: what the numbers are for, such as ``"recipe"`` or ``"noise"``.
    """
    # A JSON-like framing would do as well; lengths keep ("a", "bc") and ("ab", "c") apart.
    text = f"{seed}|{len(sample_id)}|{sample_id}|{purpose}"
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))
