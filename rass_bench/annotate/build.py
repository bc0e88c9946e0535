"""The finished data set of a project: photos, one mask each, and where every mask comes from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rass_bench.annotate.assess import Assessment, read_works
from rass_bench.annotate.handed_in import Drawn, Photo
from rass_bench.annotate.initialise import load_definition
from rass_bench.annotate.photos import read_served
from rass_bench.annotate.policy import Consensus, Policy
from rass_bench.annotate.provenance import MaskProvenance, contribution, write_provenance
from rass_bench.annotate.qa.consensus import majority, staple
from rass_bench.annotate.qa.findings import Decision, Verdict
from rass_bench.annotate.raw import load_state
from rass_bench.data.dataset import Dataset, build_manifest, manifest_name
from rass_bench.data.manifest import Manifest, Sample
from rass_bench.data.spec import DEFINITION_FILE, DatasetSpec, SplitSpec, definition_text
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import inside, sha256_bytes, write_bytes
from rass_bench.images import label_png
from rass_bench.labels import LabelEncoding, LabelSpace, encode_labels


@dataclass(frozen=True)
class BuildReport:
    """What was built.

    Attributes:
        manifest: of the new data set.
        left_out: photos that did not pass, with the reasons.
    """

    manifest: Manifest
    left_out: tuple[Verdict, ...]


def build_dataset(
    folder: Path,
    assessment: Assessment,
    out: Path,
    *,
    on_error: Literal["fail", "skip"] = "fail",
    advance: Callable[[], None] = lambda: None,
) -> BuildReport:
    """Write the photos that passed, with their masks, in the ``ade`` layout.

    The folder holds images/<split>/ and annotations/<split>/ (numbered as the definition says),
    dataset.yaml, the manifest and provenance.json. It appears whole or not at all.

    Args:
        folder: the project's folder.
        assessment: of that project.
        out: the folder to make.
        on_error: ``fail`` refuses while any photo did not pass; ``skip`` leaves those out.
        advance: called once for each photo that is written.

    Raises:
        UserError: the folder exists, a photo did not pass, none did, a file was changed since it
            was pulled or pushed, or the disk is full.
    """
    judged = list(zip(assessment.photos, assessment.verdicts, strict=True))
    passed = [photo for photo, verdict in judged if verdict.decision is Decision.PASS]
    left_out = tuple(verdict for _, verdict in judged if verdict.decision is not Decision.PASS)
    _check(folder, out, passed, left_out, on_error)
    spec = _definition(folder, len(passed))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
            made = Path(temporary) / "set"
            masks = []
            for photo in passed:
                masks.append(_write_sample(folder, photo, assessment, spec, made))
                advance()
            manifest = _write_manifest(made, spec, passed)
            write_bytes(made / DEFINITION_FILE, definition_text(spec).encode())
            write_provenance(
                made,
                spec.key,
                load_state(folder),
                assessment.policy,
                masks=tuple(masks),
                left_out=left_out,
            )
            made.rename(out)
    except OSError as error:
        raise from_os_error(error, str(out)) from None
    return BuildReport(manifest, left_out)


def consensus(
    drawn: Sequence[Drawn], photo: Photo, policy: Policy, space: LabelSpace
) -> tuple[NDArray[np.uint8], str]:
    """The mask of a photo, and how it was made, as its :class:`MaskProvenance` says.

    Args:
        drawn: the works in the order of :func:`~rass_bench.annotate.assess.read_works`.
        photo: the photo.
        policy: says how several annotations become one.
        space: the classes.

    Returns:
        uint8 (H, W), class ids and 255 = ignore, and one of ``adjudicator``, ``single``,
        ``majority`` and ``staple``.
    """
    opinions = [one.opinion for one in drawn]
    if photo.decided is not None:
        return opinions[-1].labels, "adjudicator"
    if len(opinions) == 1:
        return opinions[0].labels, "single"
    maps, covered = [one.labels for one in opinions], [one.covered for one in opinions]
    if policy.consensus is Consensus.STAPLE:
        return staple(maps, covered, space.size).labels, str(Consensus.STAPLE)
    return majority(maps, covered, space.size), str(Consensus.MAJORITY)


def _check(
    folder: Path,
    out: Path,
    passed: Sequence[Photo],
    left_out: Sequence[Verdict],
    on_error: Literal["fail", "skip"],
) -> None:
    """Refuse a folder that exists, and a set that is unfinished or empty."""
    if out.exists() or out.is_symlink():
        raise UserError("the folder exists", str(out), "Name a new one: --out DIR.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            "the data set would lie in the project's own folder", str(out), "Name one beside it."
        )
    if left_out and on_error == "fail":
        names = ", ".join(verdict.sample for verdict in left_out[:3])
        raise UserError(
            f"{len(left_out)} of {len(passed) + len(left_out)} photos did not pass: {names}"
            + (" ..." if len(left_out) > 3 else ""),
            "annotate build",
            "See `rass-bench annotate qa` for the reasons; --on-error skip leaves them out.",
        )
    if not passed:
        raise UserError(
            "no photo passed", "annotate build", "See `rass-bench annotate qa` for the reasons."
        )


def _definition(folder: Path, count: int) -> DatasetSpec:
    """The definition of what is built: the project's, with one split of that many photos."""
    spec = load_definition(folder)
    return replace(spec, splits=(SplitSpec(spec.splits[0].name, count),))


def _write_sample(
    folder: Path, photo: Photo, assessment: Assessment, spec: DatasetSpec, made: Path
) -> MaskProvenance:
    """Write one photo and its mask."""
    split = spec.splits[0].name
    drawn = read_works(folder, photo, assessment.space)
    labels, made_by = consensus(drawn, photo, assessment.policy, assessment.space)
    encoding = spec.label_encoding or LabelEncoding.CONTIGUOUS
    content = label_png(encode_labels(labels, encoding))
    write_bytes(inside(made / "annotations" / split, f"{photo.sample}.png"), content)
    image = inside(made / "images" / split, f"{photo.sample}{photo.path.suffix}")
    write_bytes(image, read_served(photo.path))
    parts = tuple(contribution(*pair) for pair in zip(photo.all_works, drawn, strict=True))
    is_decided = photo.decided is not None
    return MaskProvenance(
        sample=photo.sample,
        mask_sha256=sha256_bytes(content),
        source_sha256=photo.source_sha256,
        made_by=made_by,
        prelabel=photo.prelabel,
        contributions=parts[-1:] if is_decided else parts,
        overruled=parts[:-1] if is_decided else (),
    )


def _write_manifest(made: Path, spec: DatasetSpec, passed: Sequence[Photo]) -> Manifest:
    split = spec.splits[0]
    samples = tuple(
        Sample(
            photo.sample,
            made / "images" / split.name / f"{photo.sample}{photo.path.suffix}",
            made / "annotations" / split.name / f"{photo.sample}.png",
        )
        for photo in passed
    )
    manifest = build_manifest(Dataset(spec=spec, split=split, root=made, samples=samples))
    manifest.save(made / manifest_name(split.name))
    return manifest
