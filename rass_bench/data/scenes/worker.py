"""One rendering process: ``python -m rass_bench.data.scenes.worker ROOT SPLIT INDEX...``.

It tells its parent in lines on standard output: ``done INDEX`` after each scene, or ``failed
ERRNO FILE`` when a file cannot be written.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from rass_bench.data.scenes.store import write_scene


def main(arguments: list[str]) -> int:
    """Render the scenes named. Returns the exit code."""
    root, split, *indices = arguments
    for index in indices:
        try:
            write_scene(Path(root), split, int(index))
        except OSError as error:
            sys.stdout.write(f"failed {error.errno or 0} {error.filename or root}\n")
            return 1
        sys.stdout.write(f"done {index}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    # When the parent is gone there is nobody to tell: end without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
