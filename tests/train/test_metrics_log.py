"""The log of a training: every number comes back, and a kill leaves no trace in it."""

import csv
import math
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.train.metrics_log import MetricsLog, MetricsRow, read_metrics

NUMBERS = st.floats(allow_nan=False)


def row_at(step, **terms):
    """A row whose numbers need all their digits."""
    terms = terms or {"mse": math.pi / (step + 1), "scl": math.e * step}
    return MetricsRow(step, 0.1 + step, 5e-5 / 3, math.sqrt(step + 2), sum(terms.values()), terms)


def write_rows(folder, rows, resume_step=0):
    with MetricsLog(folder, resume_step) as log:
        for row in rows:
            log.write(row)
    return log.path


def curves(folder):
    """All scalars by tag, as TensorBoard shows them: (step, value) in order."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(*[NUMBERS] * 6), max_size=4))
def test_rows_come_back_bit_by_bit(tmp_path_factory, numbers):
    rows = tuple(
        MetricsRow(step, *values[:4], {"mse": values[4], "scl": values[5]})
        for step, values in enumerate(numbers)
    )
    path = write_rows(tmp_path_factory.mktemp("log"), rows)
    assert read_metrics(path) == rows


def test_the_file_is_plain_csv_with_a_column_a_term(tmp_path):
    path = write_rows(tmp_path, [row_at(0), row_at(1, scl=2.0, mse=float("inf"))])
    with path.open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert list(first) == [
        "step",
        "seconds",
        "learning_rate",
        "gradient_norm",
        "loss",
        "mse",
        "scl",
    ]
    assert float(first["mse"]) == math.pi
    assert second["step"] == "1", "not 1.0"
    assert (second["mse"], second["scl"]) == ("inf", "2.0"), "terms are told apart by name"


def test_numbers_of_numpy_and_torch_are_written_as_numbers(tmp_path):
    import numpy as np
    import torch

    row = MetricsRow(0, np.float64(0.1), 1, torch.tensor(0.5), np.float32(2), {"mse": float("nan")})
    [back] = read_metrics(write_rows(tmp_path, [row]))
    assert (back.seconds, back.learning_rate, back.gradient_norm, back.loss) == (0.1, 1.0, 0.5, 2.0)
    assert math.isnan(back.terms["mse"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_kill_and_resumption_leaves_the_uninterrupted_file(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("log")
    rows = [row_at(step) for step in range(6)]
    whole = write_rows(folder / "whole", rows).read_bytes()
    killed = folder / "killed"
    killed.mkdir()
    first_line = whole.index(b"\n") + 1
    # What is on the disk after a kill is some beginning of the file, cut at any byte.
    cut = data.draw(st.integers(0, len(whole)), label="bytes on the disk")
    rows_on_disk = max(0, whole[:cut].count(b"\n") - 1)
    checkpoint = data.draw(st.integers(0, rows_on_disk), label="step of the checkpoint")
    (killed / "metrics.csv").write_bytes(whole[:cut])
    path = write_rows(killed, rows[checkpoint:], resume_step=checkpoint)
    assert path.read_bytes() == whole
    assert whole[:first_line].startswith(b"step,seconds,")
    assert not list(killed.glob("*.tmp"))


@pytest.mark.parametrize("lost_bytes", [0, 7], ids=["whole", "half-written last event"])
def test_tensorboard_shows_each_step_once_after_a_resumption(tmp_path, lost_bytes):
    write_rows(tmp_path, [row_at(step, mse=1.0 + step) for step in range(5)])
    [events] = (tmp_path / "tensorboard").iterdir()
    os.truncate(events, events.stat().st_size - lost_bytes)
    write_rows(tmp_path, [row_at(step, mse=101.0 + step) for step in (3, 4, 5)], resume_step=3)
    shown = curves(tmp_path)
    assert shown.keys() == {"loss", "learning_rate", "gradient_norm", "terms/mse"}
    expected = [(0, 1.0), (1, 2.0), (2, 3.0), (3, 104.0), (4, 105.0), (5, 106.0)]
    assert shown["loss"] == shown["terms/mse"] == expected
    assert shown["learning_rate"][0] == (0, pytest.approx(5e-5 / 3))
    assert shown["gradient_norm"][5] == (5, pytest.approx(math.sqrt(7)))


def test_a_row_outlives_the_kill_that_follows_it(tmp_path):
    script = (
        "import os, pathlib, signal, sys\n"
        "from rass_bench.train.metrics_log import MetricsLog, MetricsRow\n"
        "log = MetricsLog(pathlib.Path(sys.argv[1]))\n"
        "for step in range(3):\n"
        "    log.write(MetricsRow(step, 1.0, 1e-4, 2.0, 0.5, {'mse': 0.5}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [row.step for row in read_metrics(tmp_path / "metrics.csv")] == [0, 1, 2]


def test_events_are_there_to_look_at_once_the_log_is_brought_to_the_disk(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.write(row_at(0, mse=2.0))
        log.sync()
        assert curves(tmp_path)["terms/mse"] == [(0, 2.0)]
        assert len(read_metrics(log.path)) == 1


def test_a_new_start_forgets_the_old_rows_and_their_terms(tmp_path):
    write_rows(tmp_path, [row_at(0), row_at(1)])
    path = write_rows(tmp_path, [row_at(0, cross_entropy=3.0)])
    assert [row.terms for row in read_metrics(path)] == [{"cross_entropy": 3.0}]
    assert curves(tmp_path)["loss"] == [(0, 3.0)]


@pytest.mark.parametrize("kept", [(), (0,), (1, 2), (0, 2), (0, 1, 1)])
def test_a_row_that_somebody_removed_is_told(tmp_path, kept):
    """What a training cost and came to is read from its rows."""
    path = write_rows(tmp_path, [row_at(step) for step in range(3)])
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *(rows[step] for step in kept)]))
    with pytest.raises(UserError, match="rows where steps 0 to 2 were made"):
        MetricsLog(tmp_path, resume_step=3)
    path.unlink()
    with pytest.raises(UserError, match=r"metrics\.csv"):
        MetricsLog(tmp_path, resume_step=3)


def test_a_loss_term_that_comes_or_goes_is_refused_and_not_written(tmp_path):
    path = write_rows(tmp_path, [row_at(0), row_at(1)])
    before = path.read_bytes()
    with MetricsLog(tmp_path, resume_step=2) as log:
        for terms in ({"mse": 1.0}, {"mse": 1.0, "scl": 1.0, "csd": 1.0}):
            with pytest.raises(UserError, match=r"terms .*; those of earlier steps are mse, scl"):
                log.write(row_at(2, **terms))
    assert path.read_bytes() == before


def test_a_step_is_written_once(tmp_path):
    with MetricsLog(tmp_path, resume_step=0) as log:
        log.write(row_at(0))
        with pytest.raises(ValueError, match="step 0 is written after step 0"):
            log.write(row_at(0))
    with MetricsLog(tmp_path, resume_step=1) as log, pytest.raises(ValueError, match="step 0"):
        log.write(row_at(0))


@pytest.mark.parametrize("name", ["loss", "a,b", "a\nb", "", "naïve"])
def test_a_terms_name_that_would_break_the_csv_is_refused(tmp_path, name):
    with MetricsLog(tmp_path) as log, pytest.raises(ValueError, match="cannot be named"):
        log.write(row_at(0, **{name: 1.0}))


@pytest.mark.parametrize(
    "content",
    [
        "epoch,loss\n1,2\n",
        "step,seconds,learning_rate,gradient_norm,loss,mse,mse\n0,1,1,1,1,1,1\n",
        "step,seconds,learning_rate,gradient_norm,loss,mse\n0,1,1,1,1\n",
        "step,seconds,learning_rate,gradient_norm,loss,mse\n0,1,1,one,1,1\n",
    ],
)
def test_a_file_of_another_kind_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    for read in (lambda: read_metrics(path), lambda: MetricsLog(tmp_path, resume_step=1)):
        with pytest.raises(UserError, match=r"metrics\.csv"):
            read()
    assert path.read_text() == content


def test_a_full_disk_is_a_users_mistake_and_resumable(tmp_path):
    script = (
        "import pathlib, resource, signal, sys\n"
        "from rass_bench.errors import UserError\n"
        "from rass_bench.train.metrics_log import MetricsLog, MetricsRow\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = MetricsLog(pathlib.Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "try:\n"
        "    for step in range(1000):\n"
        "        log.write(MetricsRow(step, 1.0, 1e-4, 2.0, 0.5, {'m' * 900: 0.5}))\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert "file-size limit" in done.stdout, done.stderr
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row.step for row in rows] == list(range(len(rows)))
    with MetricsLog(tmp_path, resume_step=len(rows)) as log:
        log.write(row_at(len(rows), **rows[0].terms))
    assert len(read_metrics(tmp_path / "metrics.csv")) == len(rows) + 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.csv"):
        read_metrics(tmp_path / "nowhere.csv")
