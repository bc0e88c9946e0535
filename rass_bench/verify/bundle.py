"""Packing what a reviewer needs: record, results, predictions, manifest and commands."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rass_bench.data.dataset import Dataset, build_manifest, open_dataset
from rass_bench.data.manifest import Manifest
from rass_bench.data.spec import definition_text
from rass_bench.errors import UserError
from rass_bench.evaluate.command import run_command
from rass_bench.evaluate.folder import JOURNAL, PER_IMAGE, PLAN, PREDICTIONS
from rass_bench.evaluate.rescore import locate_data
from rass_bench.files import sha256_bytes, sha256_file
from rass_bench.record import RECORD_NAME
from rass_bench.sums import SUMS, sums_bytes
from rass_bench.verify.archive import write_archive
from rass_bench.verify.integrity import check_integrity
from rass_bench.verify.layout import COMMANDS, DEFINITION, MANIFEST
from rass_bench.verify.stored import StoredRun, read_run
from rass_bench.verify.verify import describe


def write_bundle(folder: Path, out: Path, *, data_root: str | None) -> int:
    """Pack a finished run into one file; equal runs give equal bytes.

    Args:
        folder: the run's folder.
        out: the archive to write.
        data_root: where the data lie; None looks where the run looked.

    Returns:
        How many files were packed.

    Raises:
        UserError: the run is not whole, its data are not at hand or are others, or ``out`` is
            there already.
    """
    if out.exists():
        raise UserError("the file is there already", str(out), "Choose another name.")
    run = read_run(folder)
    failed = [check for check in check_integrity(run) if check.holds is False]
    if failed or run.is_record_alone or run.table is None or run.index is None:
        what = f"{failed[0].name}: {failed[0].note}" if failed else "no predictions are there"
        raise UserError(
            f"the run is not whole: {what}",
            str(folder),
            "`rass-bench verify` lists all that is wrong with it.",
        )
    request = locate_data(run.request, data_root, run.record.dataset)
    dataset = open_dataset(request.dataset, request.data_root, request.split)
    manifest = _manifest(dataset, run, run.table.ids)
    names = (RECORD_NAME, PER_IMAGE, PREDICTIONS, PLAN, JOURNAL)
    stored = (*names, *(entry.file for entry in run.index.files.values()))
    files: dict[str, Path | bytes] = {
        name: folder / name for name in stored if (folder / name).is_file()
    }
    files |= {
        MANIFEST: _manifest_bytes(manifest),
        DEFINITION: definition_text(dataset.spec).encode(),
        COMMANDS: _commands(run, dataset).encode(),
    }
    hashes = {
        name: sha256_bytes(one) if isinstance(one, bytes) else sha256_file(one)
        for name, one in files.items()
    }
    write_archive(out, {**files, SUMS: sums_bytes(hashes)})
    return len(files) + 1


def _manifest(dataset: Dataset, run: StoredRun, ids: tuple[str, ...]) -> Manifest:
    """The manifest of the images that were scored, with their recipes."""
    scored = set(ids)
    manifest = build_manifest(
        dataset, [sample for sample in dataset.samples if sample.id in scored]
    )
    if manifest.sha256() != run.record.dataset.manifest_sha256:
        raise UserError(
            "the data differ from those of the run",
            str(dataset.root),
            "Give the data root that the run used with --data-root.",
        )
    return manifest


def _manifest_bytes(manifest: Manifest) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rass-bench-") as folder:
        path = Path(folder, MANIFEST)
        manifest.save(path)
        return path.read_bytes()


def _commands(run: StoredRun, dataset: Dataset) -> str:
    """How to repeat and check the run, for a person with a terminal."""
    record, then = run.record, run.record.environment
    commit = then.git_commit or "not known"
    packages = " ".join(f"{name}=={version}" for name, version in sorted(then.packages.items()))
    return f"""{describe(record)}
{record.scored} images scored, {len(record.not_scored)} not scored

Code: rass-bench {then.rass_bench}, commit {commit}{" with changes" if then.git_dirty else ""}
    pip install -c constraints.txt -e '.[models]'
It ran with Python {then.python} on {then.device}, {then.threads} threads, and with
    {packages}

Data: {dataset.spec.title}
Licence: {record.dataset.licence}
{dataset.spec.obtain}
{MANIFEST} lists every file with its SHA-256 and, for degraded photos, what was done to each.

Repeat the run; paths are those of the machine that it ran on:
    {run_command(run.request)}

Check it, THIS being this file or the folder that it was unpacked to, DIR where the data lie:
    rass-bench verify THIS
    rass-bench verify THIS --level rescore --data-root DIR
    rass-bench verify THIS --level sample --samples 5 --data-root DIR
    rass-bench verify THIS --level full --data-root DIR
"""
