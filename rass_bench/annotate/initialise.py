"""The beginning of an annotation project: what is labelled, how it is drawn, and the gates."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from rass_bench.annotate.guidelines import GUIDELINES_FILE, write_guidelines
from rass_bench.annotate.labeling_config import labeling_config
from rass_bench.annotate.policy import default_policy_file
from rass_bench.annotate.project import begin_command, config_path
from rass_bench.data.spec import (
    DEFINITION_FILE,
    DatasetSpec,
    Layout,
    definition_file,
    parse_spec,
)
from rass_bench.errors import UserError, from_os_error
from rass_bench.files import write_bytes
from rass_bench.labels import LabelSpace

_IGNORED = """\
# Passwords and tokens, the server's data, and photos that may not be passed on.
/credentials.json
/server/
/server.log
/files/
/imported/
/lock
/address.json
/.import/
"""


@dataclass(frozen=True)
class InitReport:
    """What became of each file, by its name.

    Attributes:
        written: files that were missing.
        kept: files that were there, whatever they hold: people edit them.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]


def initialise(folder: Path, dataset: str) -> InitReport:
    """Write what a project begins with: definition, labelling configuration, guidelines, policy.

    Files that exist are left alone; remove one to have it written anew.

    Args:
        folder: the project's folder; made when it is missing.
        dataset: the data set that is to be made: a shipped definition, or a folder with one.

    Raises:
        UserError: unknown data set, one without labels or with its own layout, a folder that was
            begun for another or is a file, or a failed write.
    """
    if folder.exists() and not folder.is_dir():
        raise _not_a_folder(folder)
    source = definition_file(dataset)
    space = _labels_of(parse_spec(source), dataset)
    path = definition_path(folder)
    if path.is_file() and _labelled(path).label_space != space.name:
        raise UserError(
            f"the folder was begun for {_labelled(path).label_space}, "
            f"{dataset} is labelled in {space.name}",
            str(path),
            "Use another folder (--dir) for another label space.",
        )
    contents = {
        path: source.read_bytes(),
        config_path(folder): labeling_config(space).encode(),
        policy_path(folder): default_policy_file().read_bytes(),
        folder / ".gitignore": _IGNORED.encode(),
    }
    guidelines = folder / GUIDELINES_FILE
    kept = [file for file in (*contents, guidelines) if file.exists()]
    written = [file for file in (*contents, guidelines) if file not in kept]
    try:
        for file in written:
            if file == guidelines:
                write_guidelines(folder, space)
            else:
                write_bytes(file, contents[file])
    except OSError as error:
        raise from_os_error(error, str(folder)) from None
    return InitReport(tuple(file.name for file in written), tuple(file.name for file in kept))


def check_begun(folder: Path) -> None:
    """Refuse a folder that is no annotation project, such as one whose name was mistyped.

    Raises:
        UserError: it is absent, a file, or was not begun by :func:`initialise`. A data set has a
            definition, too, but no labelling configuration.
    """
    is_defined = definition_path(folder).is_file()
    if is_defined and config_path(folder).is_file():
        return
    if is_defined:
        raise UserError(
            f"the folder has a {DEFINITION_FILE} and no {config_path(folder).name}: a data set, no "
            "annotation project",
            str(folder),
            "Name the project's folder with --dir. If it is this one and lost the file, have it "
            f"written anew: {begin_command(folder)}",
        )
    if folder.exists() and not folder.is_dir():
        raise _not_a_folder(folder)
    absent = "" if folder.is_dir() else ": there is no such folder"
    raise UserError(
        f"no annotation project was begun here{absent}",
        str(folder),
        "Name the project's folder with --dir, or begin one: "
        f"rass-bench annotate init --dataset reallq --dir {shlex.quote(str(folder))}",
    )


def load_definition(folder: Path) -> DatasetSpec:
    """The definition of the data set that a project makes.

    Raises:
        UserError: the project was not begun, or its definition is broken.
    """
    check_begun(folder)
    return _labelled(definition_path(folder))


def load_space(folder: Path) -> LabelSpace:
    """The classes that a project labels; see :func:`load_definition`."""
    return _labels_of(load_definition(folder), str(definition_path(folder)))


def definition_path(folder: Path) -> Path:
    """Where a project keeps the definition of the data set that it makes."""
    return folder / DEFINITION_FILE


def policy_path(folder: Path) -> Path:
    """Where a project keeps its gates."""
    return folder / "policy.yaml"


def _not_a_folder(path: Path) -> UserError:
    return UserError(
        "a file lies where the project's folder should be",
        str(path),
        "Name another folder with --dir.",
    )


def _labelled(path: Path) -> DatasetSpec:
    """A definition of a data set that can be labelled."""
    spec = parse_spec(path)
    _labels_of(spec, str(path))
    return spec


def _labels_of(spec: DatasetSpec, where: str) -> LabelSpace:
    """The classes to label.

    Raises:
        UserError: the data set has none, or a layout without label maps of its own.
    """
    if spec.labels is None or spec.layout is not Layout.ADE:
        raise UserError(
            f"{spec.name} has no label maps to make (layout {spec.layout})",
            where,
            "Name a data set of the layout `ade`, such as reallq, or write a dataset.yaml.",
        )
    return spec.labels
