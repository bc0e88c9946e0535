"""The test protocols: what is run, and which metrics apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rass_bench.errors import UserError, suggest
from rass_bench.metrics.catalog import get_metric
from rass_bench.metrics.registry import Family


@dataclass(frozen=True)
class Protocol:
    """How a model is tested; two numbers of different protocols are never compared.

    Attributes:
        name: the word on the command line and in records.
        title: one line for people.
        model_is: ``segmenter`` or ``restorer``: what ``--model`` names.
        needs_restorer: whether ``--restorer`` names a restorer in front of the model.
    """

    name: str
    title: str
    model_is: str
    needs_restorer: bool

    def families(self, *, has_reference: bool) -> tuple[Family, ...]:
        """The metric families that apply to data with or without a reference photo."""
        if self.model_is == "segmenter":
            return (Family.SEGMENTATION,)
        if has_reference:
            return (Family.FULL_REFERENCE, Family.NO_REFERENCE)
        return (Family.NO_REFERENCE,)

    def check_metrics(self, metric_ids: Iterable[str], *, has_reference: bool) -> None:
        """Check that metrics exist and apply.

        Raises:
            UserError: an unknown metric, or one of a family that does not apply.
        """
        families = self.families(has_reference=has_reference)
        for metric_id in metric_ids:
            family = get_metric(metric_id).info.family
            if family not in families:
                raise UserError(
                    f"{metric_id} is a {family} metric, which does not apply here",
                    f"--protocol {self.name}",
                    f"Metrics that apply are of the families {', '.join(families)}.",
                )


DT = Protocol("dt", "direct test: segment the photo as it is", "segmenter", needs_restorer=False)
R2S = Protocol("r2s", "restore, then segment", "segmenter", needs_restorer=True)
FT = Protocol(
    "ft", "trained on degraded photos, then tested as it is", "segmenter", needs_restorer=False
)
RESTORE = Protocol("restore", "restore, and score the image", "restorer", needs_restorer=False)

PROTOCOLS = {protocol.name: protocol for protocol in (DT, R2S, FT, RESTORE)}


def find_protocol(name: str, restorer: str | None) -> Protocol:
    """The protocol of that name, checked against the presence of a restorer.

    Raises:
        UserError: unknown protocol, or a restorer missing or out of place.
    """
    if name not in PROTOCOLS:
        raise UserError(f"unknown protocol {name!r}", "--protocol", suggest(name, PROTOCOLS))
    protocol = PROTOCOLS[name]
    if protocol.needs_restorer and restorer is None:
        raise UserError(
            f"protocol {name} restores before it segments, but no restorer is named",
            "--restorer",
            "Name one, such as --restorer nlm.",
        )
    if restorer is not None and not protocol.needs_restorer:
        raise UserError(
            f"protocol {name} takes no restorer",
            "--restorer",
            "Use --protocol r2s, or name the restorer as --model under --protocol restore.",
        )
    return protocol
