"""The rendered data set on disk: in the user's cache, in the ``ade`` layout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rass_bench
from rass_bench.data.manifest import Manifest, ManifestEntry
from rass_bench.data.scenes.camera import SIZE
from rass_bench.data.scenes.render import render_scene, scene_id
from rass_bench.data.spec import DatasetSpec, SplitSpec
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import cache_dir, read_json, sha256_file, write_bytes, write_json
from rass_bench.images import label_png, write_image
from rass_bench.labels import LabelEncoding, encode_labels

MOST_WORKERS = 8


def render_split(spec: DatasetSpec, split: SplitSpec) -> Path:
    """Make sure that a split is rendered in the cache, and return its data root.

    Every file is written whole, the manifest last: it is there exactly when the split is. A
    killed run leaves whole files, and the next one renders only what is missing. Two runs at once
    write the same bytes. While all files exist with the sizes noted, nothing is rendered and
    nothing is hashed.

    Args:
        spec: the definition of ``scenes``.
        split: a split with a count.

    Raises:
        UserError: the split has no count, or the cache cannot be written.
    """
    if split.count is None:
        raise UserError(f"split {split.name!r} has no number of images", spec.key, "Give it one.")
    root = cache_dir() / spec.name / spec.version
    manifest_path = root / f"manifest-{split.name}.json"
    missing = _missing(root, split.name, split.count)
    if not missing and manifest_path.is_file():
        return root
    try:
        root.mkdir(parents=True, exist_ok=True)
        manifest_path.unlink(missing_ok=True)
        _render_missing(root, split.name, missing)
        entries = tuple(_entry(root, split.name, index) for index in range(split.count))
        sizes = {file: (root / file).stat().st_size for e in entries for file in (e.image, e.label)
                 if file is not None}  # fmt: skip
        write_json(_sizes_path(root, split.name), sizes)
        Manifest(dataset=spec.key, split=split.name, entries=entries).save(manifest_path)
    except OSError as error:
        raise from_os_error(error, str(root)) from error
    return root


def write_scene(root: Path, split: str, index: int) -> None:
    """Render one scene and write its two files."""
    image, label = _files(split, index)
    scene = render_scene(split, index)
    write_bytes(root / label, label_png(encode_labels(scene.labels, LabelEncoding.ZERO_IS_IGNORE)))
    write_image(root / image, scene.image)


def _files(split: str, index: int) -> tuple[str, str]:
    """Photo and label map of a scene, relative to the data root."""
    name = f"{split}/{scene_id(index)}.png"
    return f"images/{name}", f"annotations/{name}"


def _sizes_path(root: Path, split: str) -> Path:
    return root / f"sizes-{split}.json"


def _missing(root: Path, split: str, count: int) -> list[int]:
    """Scenes of which a file is absent or has another size than was noted."""
    noted = _sizes_path(root, split)
    sizes = read_json(noted) if noted.is_file() else {}

    def whole(file: str) -> bool:
        path = root / file
        return path.is_file() and path.stat().st_size == sizes.get(file, path.stat().st_size)

    return [i for i in range(count) if not all(whole(file) for file in _files(split, i))]


def _entry(root: Path, split: str, index: int) -> ManifestEntry:
    image, label = _files(split, index)
    return ManifestEntry(
        id=scene_id(index),
        image=image,
        image_sha256=sha256_file(root / image),
        width=SIZE,
        height=SIZE,
        label=label,
        label_sha256=sha256_file(root / label),
    )


def _render_missing(root: Path, split: str, indices: list[int]) -> None:
    """Render scenes in processes of their own, one for each core.

    Plain child processes instead of a pool: a pool either forks, which breaks callers that hold
    threads (torch, OpenCV), or imports the caller's main module again, which breaks scripts.
    """
    workers = min(os.cpu_count() or 1, MOST_WORKERS, len(indices))
    package = str(Path(rass_bench.__file__).parent.parent)
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "rass_bench.data.scenes.worker", str(root), split]
            + [str(index) for index in indices[worker::workers]],
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is this process's to answer; it ends its children itself
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        for worker in range(workers)
    ]
    try:
        with _progress(f"rendering scenes {split}", len(indices)) as advance:
            _follow(children, advance)
    finally:
        for child in children:
            child.kill()
            child.wait()


def _follow(children: list[subprocess.Popen[bytes]], advance: Callable[[], None]) -> None:
    """Read what the workers tell until all have ended well.

    Raises:
        OSError: a worker could not write a file.
    """
    for child in children:
        for line in child.stdout or ():
            word, _, rest = line.decode().rstrip("\n").partition(" ")
            if word == "failed":
                number, _, file = rest.partition(" ")
                raise OSError(int(number), os.strerror(int(number)), file)
            advance()
        if child.wait() != 0:
            raise RuntimeError(f"a rendering process ended with code {child.returncode}")


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr when that is a terminal."""
    if not sys.stderr.isatty() or total == 0:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
