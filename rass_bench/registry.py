"""Named things that a decorator, an installed package or a file can add."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from rass_bench.errors import UserError, suggest

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries of one kind by unique name.

    Args:
        kind: what an entry is called in messages, such as ``"model"``.
        entry_points: the entry-point group through which installed packages add entries. The
            group is read when a name is not found or the entries are listed, not before.
    """

    def __init__(self, kind: str, entry_points: str | None = None) -> None:
        self.kind = kind
        self._group = entry_points
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register ``entry`` under ``name``.

        Raises:
            ValueError: the name is taken. The registry is left as it was.
        """
        if name in self._entries:
            raise ValueError(
                f"two {self.kind} entries are named {name!r}: {self._entries[name]!r} and {entry!r}"
            )
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator form of :meth:`add`."""
        return lambda entry: self.add(name, entry)

    def get(self, name: str) -> T:
        """The entry of that name.

        Raises:
            UserError: no such name; near names are suggested.
        """
        if name not in self._entries:
            self._load_entry_points()
        if name not in self._entries:
            raise UserError(
                f"unknown {self.kind} {name!r}", f"{self.kind}s", suggest(name, self._entries)
            )
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load_entry_points()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Names and entries in the order of registration."""
        self._load_entry_points()
        yield from self._entries.items()

    def _load_entry_points(self) -> None:
        if self._group is None:
            return
        group, self._group = self._group, None
        for point in importlib.metadata.entry_points(group=group):
            self.add(point.name, point.load())


def load_from_file(reference: str) -> Any:
    """Import the object named by ``path/to/file.py:Name``.

    Raises:
        UserError: the file or the name in it does not exist. An error inside the file is the
            plug-in author's and keeps its traceback.
    """
    file, _, name = reference.rpartition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise UserError("plug-in file not found", file, "Write it as path/to/file.py:ClassName.")
    spec = importlib.util.spec_from_file_location(f"rass_bench_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError("no Python file", file, "Write it as path/to/file.py:ClassName.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise UserError(f"no {name!r} in the plug-in", file, suggest(name, public))
    return getattr(module, name)
