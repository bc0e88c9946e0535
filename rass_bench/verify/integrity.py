"""What can be said of a run's files without its data: hashes, schema, and numbers that follow."""

from __future__ import annotations

import statistics
from datetime import datetime
from pathlib import Path

from rass_bench.data.manifest import load_manifest
from rass_bench.evaluate.folder import JOURNAL, PER_IMAGE, PLAN, PREDICTIONS
from rass_bench.evaluate.per_image import contradictions
from rass_bench.evaluate.protocol import PROTOCOLS
from rass_bench.evaluate.rescore import TOLERANCE
from rass_bench.files import inside, read_json, sha256_file
from rass_bench.sums import SUMS, check_sums
from rass_bench.verify.layout import MANIFEST
from rass_bench.verify.numbers import check_numbers, classes_from_table, close, from_table
from rass_bench.verify.png_header import read_png_header
from rass_bench.verify.stored import HASHED, StoredRun
from rass_bench.verify.verdict import VERDICT_NAME, Check, equal, no_faults, not_there


def check_integrity(run: StoredRun) -> list[Check]:
    """Check hashes and schema of every file of a run, and that its numbers follow from its images.

    What a leaderboard's record lacks, the predictions above all, is said in checks that could not
    be made.

    Raises:
        UserError: a malformed or hostile file.
    """
    checks = [
        *_check_sums(run.folder),
        _check_record(run),
        *_check_hashes(run),
        _check_predictions(run),
        _check_table(run),
        _check_plan(run),
        _check_journal(run),
        *_check_manifest(run),
    ]
    if run.table is not None:
        checks += check_numbers(
            run.record,
            from_table(run.record, run.table, run.request.seed),
            classes_from_table(run.table),
            PER_IMAGE,
            learned_tolerance=TOLERANCE,
        )
    return checks


def _check_record(run: StoredRun) -> Check:
    """Whether what the record says about itself fits together."""
    record, request = run.record, run.request
    faults = []
    if record.protocol not in PROTOCOLS or record.protocol != request.protocol:
        faults.append(f"protocol {record.protocol}, asked for {request.protocol}")
    if (record.restorer is None) != (request.restorer is None):
        faults.append("a restorer is described or asked for, not both")
    asked = min(request.limit or record.dataset.found_images, record.dataset.found_images)
    counted = record.scored + len(record.not_scored)
    if counted != asked:
        faults.append(f"{counted} images are scored or named as not scored, {asked} were there")
    defined = record.dataset.defined_images or record.dataset.found_images
    whole = record.scored == record.dataset.found_images >= defined
    if (
        not record.scored
        or record.status != ("complete" if whole else "partial")
        or whole == bool(record.partial_because)
    ):
        faults.append(
            f"status {record.status} of {record.scored} scored, {defined} defined images, with "
            f"{len(record.partial_because)} reasons"
        )
    lost = set(request.metrics or ()) - record.metrics.keys()
    faults += [f"{name} was asked for and is not there" for name in sorted(lost)]
    if not _in_order(record.started, record.finished):
        faults.append(f"started {record.started}, finished {record.finished}")
    return no_faults("what the record says of itself", "fits together", faults)


def _in_order(started: str, finished: str) -> bool:
    try:
        return datetime.fromisoformat(started) <= datetime.fromisoformat(finished)
    except (ValueError, TypeError):  # no time; one with a zone and one without
        return False


def _check_hashes(run: StoredRun) -> list[Check]:
    """The files that the record names by hash."""
    checks = []
    for name in HASHED:
        title = f"SHA-256 of {name}"
        path, expected = run.folder / name, run.record.files.get(name)
        if expected is None:
            checks.append(Check(title, False, "a hash", "none", "the record names no such file"))
        elif path.is_file():
            note = "changed since the run, or another run's"
            checks.append(equal(title, expected, sha256_file(path), note))
        elif name == PREDICTIONS and run.is_record_alone:
            checks.append(not_there(title, "no predictions in this folder"))
        else:
            checks.append(Check(title, False, expected, "missing"))
    return checks


def _check_predictions(run: StoredRun) -> Check:
    """Each prediction: listed, there, unchanged, and a picture of the protocol's kind."""
    title, expected = "predictions", "each there, unchanged, and a PNG of its kind"
    record, index = run.record, run.index
    if run.is_record_alone:
        return not_there(title, "none in this folder: `bundle` or the run's own folder has them")
    if index is None:
        return Check(title, False, expected, f"no {PREDICTIONS}")
    is_labels = record.protocol != "restore"
    kind = "labels" if is_labels else "images"
    faults = [] if index.kind == kind else [f"{PREDICTIONS} lists {index.kind}, not {kind}"]
    for key, entry in index.files.items():
        if entry.file != f"predictions/{key}.png":
            faults.append(f"{key}: its file is called {entry.file}")
            continue
        path = inside(run.folder, entry.file)
        if not path.is_file():
            faults.append(f"{key}: missing")
        elif sha256_file(path) != entry.sha256:
            faults.append(f"{key}: changed since the run")
        elif not _is_kind(path, is_labels=is_labels):
            faults.append(f"{key}: no 8-bit {'grey' if is_labels else 'RGB'} PNG")
    lost = record.scored - len(index.files.keys() - {entry.id for entry in record.not_scored})
    if lost > 0:
        faults.append(f"{lost} of {record.scored} scored images have no prediction")
    return no_faults(title, expected, faults)


def _is_kind(path: Path, *, is_labels: bool) -> bool:
    header = read_png_header(path)
    return header is not None and (header.is_grey if is_labels else header.is_rgb)


def _check_table(run: StoredRun) -> Check:
    title, expected = f"rows of {PER_IMAGE}", f"{run.record.scored} images of the record's metrics"
    if run.table is None:
        return Check(title, False, expected, "not usable", run.table_fault)
    twice = {entry.id for entry in run.record.not_scored} & set(run.table.ids)
    faults = [f"{key}: has a row and is named as not scored" for key in sorted(twice)]
    if list(run.table.ids) != sorted(run.table.ids):
        faults.append("rows are not in the order of their ids, which the intervals depend on")
    return no_faults(title, expected, [*faults, *contradictions(run.table)])


def _check_plan(run: StoredRun) -> Check:
    """Whether the plan that the run began with is the record's."""
    if not (run.folder / PLAN).is_file():
        return not_there(PLAN, "not in this folder")
    record, request = run.record, run.request
    plan = read_json(run.folder / PLAN)
    expected = {
        "protocol": record.protocol,
        "model": record.model.key,
        "model_weights_sha256": record.model.weights_sha256,
        "restorer": record.restorer.key if record.restorer else None,
        "dataset": f"{record.dataset.name}@{record.dataset.version}",
        "split": record.dataset.split,
        "limit": request.limit,
        "seed": request.seed,
    }
    found = plan if isinstance(plan, dict) else {}
    faults = [
        f"{key} is {found.get(key)!r}, in the record {value!r}"
        for key, value in expected.items()
        if found.get(key) != value
    ]
    return no_faults(PLAN, "the record's run", faults)


def _check_journal(run: StoredRun) -> Check:
    """Whether times and hashes are those that were written while the run went on."""
    record, index, journal, table = run.record, run.index, run.journal, run.table
    title, expected = JOURNAL, "the record's images, times and hashes"
    if not journal or index is None or table is None:
        return not_there(title, "not in this folder: times are not checked")
    faults = [f"{key}: not in it" for key in sorted(index.files.keys() - journal.keys())]
    faults += [
        f"{key}: another prediction"
        for key, entry in index.files.items()
        if key in journal and journal[key].sha256 != entry.sha256
    ]
    faults += [
        f"{key}: took {journal[key].seconds} s, in {PER_IMAGE} {seconds} s"
        for key, seconds in zip(table.ids, table.seconds, strict=True)
        if key in journal and not close(float(seconds), journal[key].seconds, TOLERANCE)
    ]
    timed = [journal[key].seconds for key in table.ids if key in journal and journal[key].timed]
    fps = 1 / statistics.median(timed) if timed and min(timed) > 0 else None
    if record.timing.timed_images != len(timed) or not close(record.timing.fps, fps, TOLERANCE):
        faults.append(
            f"{fps} images/s over {len(timed)}, in the record {record.timing.fps} over "
            f"{record.timing.timed_images}"
        )
    return no_faults(title, expected, faults)


def _check_manifest(run: StoredRun) -> list[Check]:
    """The manifest of the data that a bundle brings."""
    if not (run.folder / MANIFEST).is_file():
        return []
    manifest = load_manifest(run.folder / MANIFEST)
    hashed = equal(
        "data of the manifest",
        run.record.dataset.manifest_sha256,
        manifest.sha256(),
        "the bundle's manifest is not of the data that were scored",
    )
    images = {entry.id for entry in manifest.entries} ^ set(run.table.ids if run.table else ())
    faults = [f"{key}: only on one side" for key in sorted(images)]
    return [hashed, no_faults("images of the manifest", f"those of {PER_IMAGE}", faults)]


def _check_sums(folder: Path) -> list[Check]:
    """The list of hashes that a bundle brings: every file of it, and no other."""
    if not (folder / SUMS).is_file():
        return []
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    present = {name for name in files if name not in (SUMS, VERDICT_NAME)}
    wrong = check_sums(folder, present, "Pack or fetch the bundle again.")
    faults = [f"{name}: {problem}" for name, problem in wrong]
    return [no_faults(SUMS, "every file, unchanged", faults)]
