"""Which licences allow a data set's pixels to be passed on. A word that is not here forbids it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A licence under which everybody may pass on unchanged copies.

    Attributes:
        spdx: identifier of the SPDX licence list.
        hub: identifier on the Hugging Face Hub.
    """

    spdx: str
    hub: str

    @property
    def url(self) -> str:
        """Where the licence's text can be read."""
        return f"https://spdx.org/licenses/{self.spdx}.html"


REDISTRIBUTABLE = (
    Licence("Apache-2.0", "apache-2.0"),
    Licence("BSD-2-Clause", "bsd-2-clause"),
    Licence("BSD-3-Clause", "bsd-3-clause"),
    Licence("CC-BY-3.0", "cc-by-3.0"),
    Licence("CC-BY-4.0", "cc-by-4.0"),
    Licence("CC-BY-NC-4.0", "cc-by-nc-4.0"),
    Licence("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0"),
    Licence("CC-BY-SA-3.0", "cc-by-sa-3.0"),
    Licence("CC-BY-SA-4.0", "cc-by-sa-4.0"),
    Licence("CC0-1.0", "cc0-1.0"),
    Licence("CDLA-Permissive-2.0", "cdla-permissive-2.0"),
    Licence("MIT", "mit"),
    Licence("ODC-By-1.0", "odc-by"),
    Licence("ODbL-1.0", "odbl"),
    Licence("PDDL-1.0", "pddl"),
)
"""The licences that allow it. Those without derivatives (ND) are left out: whether parquet files
with degraded photos beside clean ones are a derivative is a question for a lawyer."""


def redistribution_licence(words: str) -> Licence | None:
    """The licence that a definition's words name, when it allows pixels to be passed on.

    The whole text must be one identifier of :data:`REDISTRIBUTABLE`, in any case, with spaces for
    hyphens if one likes. More words, such as ``CC BY-NC 4.0, research use``, are a restriction
    that a program cannot weigh: None.
    """
    wanted = re.sub(r"[\s-]+", "-", words.strip()).casefold()
    return next((one for one in REDISTRIBUTABLE if one.spdx.casefold() == wanted), None)
