"""Whether an annotation can be used, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as short_repr
from typing import Any

from rass_bench.annotate.labeling_config import (
    IMAGE_TAG,
    LABELS_TAG,
    SAMPLE_KEY,
    config_differences,
    config_fingerprint,
    config_labels,
)
from rass_bench.annotate.photos import photo_url
from rass_bench.annotate.project import Task
from rass_bench.annotate.regions import Region, read_regions
from rass_bench.errors import UserError


@dataclass(frozen=True)
class Acceptance:
    """What an annotation must fit.

    Attributes:
        aliases: the labels of the project's configuration.
        config_differences: how the server's configuration differs from it; while it does, nothing
            that is annotated there can be used.
    """

    aliases: frozenset[str]
    config_differences: tuple[str, ...]

    def problem(
        self, annotation: Mapping[str, Any], task: Task, data: Mapping[str, Any]
    ) -> str | None:
        """Why an annotation cannot be used, or None.

        Args:
            annotation: as the server gave it.
            task: the task as it was pushed.
            data: the task's data as they are on the server.
        """
        if self.config_differences:
            return f"the labelling configuration differs: {self.config_differences[0]}"
        if (data.get(IMAGE_TAG), data.get(SAMPLE_KEY)) != (photo_url(task.photo), task.sample):
            return "the task was changed on the server: it shows another photo or sample"
        result = annotation.get("result")
        try:
            where = f"sample {task.sample}, annotation {annotation.get('id')}"
            regions = read_regions(result, task.height, task.width, where)
        except UserError as error:
            return f"{error.where}: {error.what}"
        wrong_labels = (self._label_problem(region) for region in regions)
        wrong_controls = (
            f"a result comes from the unknown control {short_repr(entry.get('from_name'))}"
            for entry in result or ()
            if entry.get("from_name") != LABELS_TAG
        )
        return next((one for one in (*wrong_labels, *wrong_controls) if one is not None), None)

    def _label_problem(self, region: Region) -> str | None:
        if region.label is None:
            return f"region {region.region_id!r} has no label"
        if region.label not in self.aliases:
            return f"region {region.region_id!r} has the unknown label {region.label!r}"
        return None


def acceptance(ours: str, theirs: str) -> Acceptance:
    """What annotations must fit.

    Args:
        ours: the labelling configuration that the project was made with.
        theirs: the one that the server has.

    Raises:
        UserError: ours is broken.
    """
    aliases = frozenset(label.alias for label in config_labels(ours))
    try:
        same = config_fingerprint(theirs) == config_fingerprint(ours)
        return Acceptance(aliases, () if same else tuple(config_differences(ours, theirs)))
    except UserError as error:
        return Acceptance(aliases, (error.what,))
