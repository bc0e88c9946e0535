"""One rendering process: ``python -m rass_bench.data.scenes.worker ROOT SPLIT INDEX...``."""

from __future__ import annotations

import sys
from pathlib import Path

from rass_bench.data.scenes.store import write_scene
from rass_bench.errors import from_os_error


def main(arguments: list[str]) -> int:
    """Render the scenes named, printing one line after each. Returns the exit code."""
    root, split, *indices = arguments
    for index in indices:
        try:
            write_scene(Path(root), split, int(index))
        except OSError as error:
            sys.stderr.write(f"{from_os_error(error, root)}\n")
            return 1
        sys.stdout.write(f"{index}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
