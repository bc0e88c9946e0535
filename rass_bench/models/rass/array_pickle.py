"""Pickled NumPy arrays from strangers: an unpickler that knows numbers and containers alone."""

from __future__ import annotations

import _codecs
import pickle
import re
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray


# Written in Python: the one in C sizes a table by a number that the stream states, and a stream of
# nine bytes can ask it for all memory.
class ArrayUnpickler(pickle._Unpickler):
    """Resolves containers and what stands for NumPy's arrays, and no other global.

    Raises:
        pickle.UnpicklingError: ``GLOBAL module.name`` for any other.
    """

    def find_class(self, module: str, name: str, /) -> Any:
        """See :meth:`pickle.Unpickler.find_class`."""
        known = GLOBALS | {
            "collections.OrderedDict": OrderedDict,
            "_codecs.encode": _codecs.encode,  # how protocol 2 writes bytes
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name}")
        return known[f"{module}.{name}"]


class _Stateless:
    """Without a ``__setstate__``, a stream could set attributes on the class itself."""

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(f"{type(self).__name__} takes no state")


class _Dtype:
    """Stands for numpy.dtype, whose own ``__setstate__`` lets a stream forge memory layouts."""

    def __init__(self, kind: str, *_: Any) -> None:
        self._kind, self._order = kind, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = {"<": "<", ">": ">", "|": "="}[state[1]]

    def checked(self) -> np.dtype[Any]:
        """The type of a number."""
        if not re.fullmatch(r"b1|[iu][1248]|f[248]", self._kind):
            raise ValueError(f"an array of the type {self._kind!r:.40} is no array of numbers")
        return np.dtype(self._order + self._kind)


class _Array(np.ndarray[Any, Any]):
    """An array that admits numbers alone when a stream fills it."""

    def __new__(cls, *_: Any) -> _Array:
        return super().__new__(cls, 0, np.uint8)

    def __setstate__(self, state: tuple[Any, ...], /) -> None:
        version, shape, dtype, by_column, values = state
        super().__setstate__((version, shape, dtype.checked(), by_column, values))


class _ArrayFromBuffer(_Stateless):
    """Stands for what rebuilds arrays in pickle protocol 5."""

    def __new__(cls, buffer: bytes, dtype: _Dtype, shape: Any, order: Any) -> NDArray[Any]:  # type: ignore[misc]
        """Make an array instead of an instance."""
        return np.frombuffer(buffer, dtype.checked()).reshape(shape, order=order)


class _Number(_Stateless):
    """Stands for what rebuilds NumPy's numbers; they become Python's."""

    def __new__(cls, dtype: _Dtype, value: bytes) -> Any:
        """Make a number instead of an instance."""
        [number] = np.frombuffer(value, dtype.checked())
        return number.item()


GLOBALS: dict[str, Any] = {
    "numpy.dtype": _Dtype,
    "numpy.ndarray": _Array,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _Number,
    "numpy._core.multiarray.scalar": _Number,
    "numpy.core.numeric._frombuffer": _ArrayFromBuffer,
    "numpy._core.numeric._frombuffer": _ArrayFromBuffer,
}
"""What stands for NumPy's globals, old and new names."""
