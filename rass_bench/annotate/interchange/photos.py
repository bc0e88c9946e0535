"""What masks of other tools belong to: photos of a known size, and classes by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from reprlib import repr as short_repr

import numpy as np
from numpy.typing import NDArray

from rass_bench.errors import UserError, suggest
from rass_bench.labels import IGNORE, LabelSpace


@dataclass(frozen=True)
class Photo:
    """A photo that masks can be drawn on.

    Attributes:
        file_name: its path below the folder of photos, with forward slashes.
        height: rows, EXIF orientation applied.
        width: columns.
    """

    file_name: str
    height: int
    width: int

    @property
    def sample_id(self) -> str:
        """The file name without suffix, as ids of samples are made."""
        return sample_id_of(self.file_name)


def sample_id_of(file_name: str) -> str:
    """A file's path without its suffix."""
    folder, slash, name = file_name.rpartition("/")
    return f"{folder}{slash}{PurePosixPath(name).stem}"


def photos_by_id(photos: Iterable[Photo]) -> dict[str, Photo]:
    """Photos by sample id.

    Raises:
        UserError: two photos have one id.
    """
    found: dict[str, Photo] = {}
    for photo in photos:
        if photo.sample_id in found:
            raise UserError(
                f"two photos have the id {photo.sample_id!r}", photo.file_name, "Rename one."
            )
        found[photo.sample_id] = photo
    return found


def photo_named(sample_id: str, photos: dict[str, Photo], where: str) -> Photo:
    """The photo that a mask is of.

    Raises:
        UserError: there is no such photo.
    """
    if sample_id not in photos:
        raise UserError(
            f"no photo is named {short_repr(sample_id)}",
            where,
            "Masks belong to photos by their path below the folder, without suffix.",
        )
    return photos[sample_id]


def check_size(stated: tuple[object, object], photo: Photo, where: str) -> None:
    """Refuse a mask whose (height, width) is not the photo's.

    Raises:
        UserError: they differ, or are no numbers.
    """
    if stated != (photo.height, photo.width):
        height, width = (short_repr(side) for side in stated)
        raise UserError(
            f"the mask is {width} x {height} pixels, its photo {photo.width} x {photo.height}",
            where,
            "Label the photo itself, upright and not scaled.",
        )


def files_below(folder: Path, suffix: str) -> list[tuple[str, Path]]:
    """Sample ids and files of a folder and its subfolders, sorted by id.

    Raises:
        UserError: no such folder, no file in it, a file of another suffix, a link, or two files
            of one id.
    """
    if not folder.is_dir():
        raise UserError("no such folder", str(folder), "Check the path.")
    found: dict[str, Path] = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise UserError("a link instead of a file", str(path), "Copy the file itself.")
        if path.is_dir():
            continue
        if path.suffix.lower() != suffix:
            raise UserError(f"no {suffix} file", str(path), "Move it out of the folder of masks.")
        sample_id = sample_id_of(path.relative_to(folder).as_posix())
        if sample_id in found:
            names = " and ".join(sorted((found[sample_id].name, path.name)))
            raise UserError(f"two masks of one photo: {names}", str(folder), "Keep one of them.")
        found[sample_id] = path
    if not found:
        raise UserError(f"the folder holds no {suffix} file", str(folder), "Check the path.")
    return sorted(found.items())


def class_titles(space: LabelSpace) -> tuple[str, ...]:
    """Names by class id that are unique: the class's name, with all synonyms where it is not.

    ADE20K-150 has two classes ``screen``; their titles are ``screen;silver screen;...`` and
    ``screen;CRT screen``, as the official table writes them.
    """
    counts = Counter(space.names)
    return tuple(
        entry.name if counts[entry.name] == 1 else ";".join((entry.name, *entry.synonyms))
        for entry in space.classes
    )


def class_ids(space: LabelSpace) -> dict[str, int]:
    """Class ids by every text that means one class alone, and 255 for ``ignore``.

    Titles, all names of a class joined by semicolons, and names and synonyms that no other class
    has; a title wins over another class's synonym.
    """
    holders: dict[str, set[int]] = {}
    for entry in space.classes:
        for name in (entry.name, *entry.synonyms):
            holders.setdefault(name, set()).add(entry.id)
    unique = {name: min(classes) for name, classes in holders.items() if len(classes) == 1}
    joined = {";".join((entry.name, *entry.synonyms)): entry.id for entry in space.classes}
    titles = {title: index for index, title in enumerate(class_titles(space))}
    return unique | joined | titles | {"ignore": IGNORE}


def class_named(name: str, ids: dict[str, int], space: LabelSpace, where: str) -> int:
    """The class id of a name in a file of another tool.

    Raises:
        UserError: no class, or more than one, has that name.
    """
    if name in ids:
        return ids[name]
    sharing = [str(entry.id) for entry in space.classes if name in (entry.name, *entry.synonyms)]
    if sharing:
        raise UserError(
            f"the name {name!r} means the classes {' and '.join(sharing)} of {space.name}",
            where,
            "Write all names of the class, joined by semicolons.",
        )
    raise UserError(
        f"no class of {space.name} is named {short_repr(name)}",
        where,
        suggest(name[:100], class_titles(space)),
    )


def empty_labels(photo: Photo) -> NDArray[np.uint8]:
    """A label map, uint8 (H, W), that is ignore everywhere."""
    return np.full((photo.height, photo.width), IGNORE, dtype=np.uint8)
