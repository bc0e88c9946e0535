"""Reading where masks come from, out of a file that somebody else may have written."""

from dataclasses import replace

import pytest

from rass_bench.annotate.policy import load_policy
from rass_bench.annotate.provenance import MaskProvenance, read_masks, write_provenance
from rass_bench.errors import UserError

MASK = MaskProvenance("p0", "0" * 64, "1" * 64, "single", None, (), ())


@pytest.fixture
def written(tmp_path):
    """Write the provenance of a data set, and tell where it lies."""

    def written(*masks, dataset="tiny@1.0"):
        write_provenance(tmp_path, dataset, None, load_policy(), masks=masks, left_out=())
        return tmp_path / "provenance.json"

    return written


def test_masks_are_found_by_their_sample(written):
    other = replace(MASK, sample="p1", prelabel="rass@1.0")
    assert read_masks(written(MASK, other), "tiny@1.0") == {"p0": MASK, "p1": other}


def test_a_sample_that_is_listed_twice_is_refused_by_name(written):
    """One of its two entries would be believed, and nobody could say which."""
    path = written(MASK, replace(MASK, sample="p1"), replace(MASK, prelabel="rass@1.0"))
    with pytest.raises(UserError, match="lists the sample 'p0' twice"):
        read_masks(path, "tiny@1.0")


@pytest.mark.parametrize(
    ("masks", "dataset"),
    [((), "x" * 3_000_000), ((replace(MASK, sample="x" * 3_000_000),) * 2, "tiny@1.0")],
    ids=["data set", "sample"],
)
def test_a_name_without_end_does_not_fill_the_screen(written, masks, dataset):
    path = written(*masks, dataset=dataset)
    with pytest.raises(UserError) as refused:
        read_masks(path, "tiny@1.0")
    assert len(str(refused.value)) < 300 + len(str(path))
