"""Real runs of tiny models on tiny photos, and boards made of them."""

import dataclasses
from contextlib import nullcontext
from pathlib import Path

from rass_bench.evaluate.resolve import RunRequest
from rass_bench.evaluate.run import run
from rass_bench.files import sha256_file
from rass_bench.leaderboard.board import load_board
from rass_bench.leaderboard.build import build_table
from rass_bench.leaderboard.reported import COLUMNS
from rass_bench.record import load_record
from rass_bench.verify.verdict import VERDICT_SCHEMA, Check, Level, Verdict
from tests.builders import labelled_set

MIOU = "miou/gt-present"

READERS = '''
import numpy as np
from rass_bench.models.protocols import ModelSpec, ParameterCount, SizeRule


class Reader:
    """Reads each pixel's class off its red value, but for some columns at the right."""

    wrong = 0

    def __init__(self, runtime):
        self.spec = ModelSpec(
            name=type(self).__name__.lower(), revision="1", title="reads red", licence="CC0-1.0",
            label_space="ade20k-150", size_rule=SizeRule(multiple_of=1),
        )
        self.parameters = ParameterCount(total=7, trainable=3)

    def predict(self, images):
        found = [np.minimum(image[:, :, 0], 149) for image in images]
        for labels in found:
            labels[:, labels.shape[1] - self.wrong :] = 99
        return found


class Perfect(Reader):
    pass


class Good(Reader):
    wrong = 2


class Alike(Reader):
    wrong = 2


class Fair(Reader):
    wrong = 3


class Poor(Reader):
    wrong = 12
'''


def make_runs(root: Path, *models: str, count: int = 6) -> dict[str, Path]:
    """Measure some of the readers on the data set tiny@1.0; a run's folder by the model's name."""
    labelled_set(root / "data", count=count)
    (root / "readers.py").write_text(READERS)
    return {model: measure(root, model, root / model.lower()) for model in models}


def measure(root: Path, model: str, out: Path, **changes: object) -> Path:
    """Measure one reader."""
    request = RunRequest(
        **{"model": f"{root / 'readers.py'}:{model}", "dataset": str(root / "data"), **changes}
    )
    run(
        request,
        out,
        resume=False,
        arguments_given={},
        progress=lambda what, total: nullcontext(lambda: None),
    )
    return out


def make_board(root: Path, name: str = "tiny@1.0", version: str = "1.0.0") -> Path:
    """An empty board."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "CHANGELOG.md").write_text(f"# Changes\n\n## {version} - 2026-01-31\n\n- Begun.\n")
    return folder


def put(board: Path, run_folder: Path, name: str, **changes: object) -> Path:
    """Put a run onto a board by hand, with some of the record's fields replaced."""
    target = board / "records" / name
    target.mkdir(parents=True)
    (target / "per_image.parquet").write_bytes((run_folder / "per_image.parquet").read_bytes())
    dataclasses.replace(load_record(run_folder), **changes).save(target)
    return target


def model_facts(run_folder: Path, **changes: object):
    """A run's model with some facts replaced, for :func:`put`."""
    return dataclasses.replace(load_record(run_folder).model, **changes)


def metrics(run_folder: Path, **changes: object):
    """A run's metrics, the main one with some fields replaced, for :func:`put`."""
    found = load_record(run_folder).metrics
    return found | {MIOU: dataclasses.replace(found[MIOU], **changes)}


def put_verdict(record: Path, *, holds: bool = True, level: str = "rescore", sha256=None) -> None:
    """Write a verdict on a board's record."""
    verdict = Verdict(
        schema_version=VERDICT_SCHEMA,
        holds=holds,
        level=Level(level),
        run="a run",
        record_sha256=sha256 or sha256_file(record / "record.json"),
        checks=(Check("something", holds, "a number", "a number"),),
        differences=(),
        seed=None,
        samples=(),
        finished="2026-01-31T12:00:00+00:00",
        environment=load_record(record).environment,
    )
    verdict.save(record.parents[1] / f"verdicts/{record.name}.json")


def put_reported(board: Path, *numbers: dict[str, str]) -> None:
    """Write reported.csv; what a number leaves out is a default, or empty."""
    import csv

    defaults = {
        "method": "Method",
        "protocol": "dt",
        "metric": MIOU,
        "printed": "50.0",
        "unit": "%",
        "source": "A paper",
        "column": "Table 1, mIoU",
        "source_kind": "paper",
    }
    with (board / "reported.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([defaults | number for number in numbers])


def rows(board: Path, metric: str = MIOU):
    """The rows of one metric of a board's table, by record, or by method of reported numbers."""
    table = build_table(load_board(board))
    return {
        (row.record or row.key.model).removeprefix("records/"): row
        for row in table.rows
        if row.key.metric == metric
    }
