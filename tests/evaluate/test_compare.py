"""`compare`: which columns stand side by side, and what is no ranking."""

import dataclasses
import json

import pytest

from rass_bench.errors import UserError
from rass_bench.evaluate.compare import columns, why_not_comparable
from rass_bench.record import load_record
from tests.test_record import SCHEMA_1


@pytest.fixture
def record(tmp_path):
    (tmp_path / "record.json").write_text(json.dumps(SCHEMA_1))
    return load_record(tmp_path)


def on(record, **changes):
    return dataclasses.replace(record, dataset=dataclasses.replace(record.dataset, **changes))


def test_the_main_metrics_are_shown_unless_others_are_wanted(record):
    assert columns([record], None) == ["miou/gt-present"]
    assert columns([record], ["macc"]) == ["macc"]


def test_a_metric_that_no_run_has_brings_a_suggestion(record):
    with pytest.raises(UserError, match=r"no run has 'miou/gt'.*Did you mean miou"):
        columns([record], ["miou/gt"])


def test_clean_and_degraded_photos_of_one_split_compare(record):
    assert why_not_comparable([record, on(record, name="degraded", manifest_sha256="1")]) == []


@pytest.mark.parametrize("changes", [{"split": "training"}, {"label_space": "camvid-11"}])
def test_other_photos_or_classes_do_not_compare(record, changes):
    (reason,) = why_not_comparable([record, on(record, **changes)])
    assert next(iter(changes.values())) in reason
