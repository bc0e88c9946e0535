"""What a report shows is what boards and runs say: every number, every image, every link."""

import base64
import dataclasses
import io
import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rass_bench.data.dataset import open_dataset
from rass_bench.data_uri import distinct_palette
from rass_bench.degrade.dataset import degrade_dataset
from rass_bench.degrade.recipe import describe, from_json
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.labels import load_label_space
from rass_bench.leaderboard.board import find_boards
from rass_bench.leaderboard.table import load_table
from rass_bench.record import load_record
from rass_bench.report.gather import IMAGES, gather
from tests.leaderboard.runs import (
    MIOU,
    READERS,
    make_board,
    make_runs,
    measure,
    put,
    put_reported,
    put_verdict,
)

BOARDS = find_boards(Path(__file__).resolve().parents[2] / "leaderboards")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of four readers on six photos, and a board that holds two of them."""
    root = tmp_path_factory.mktemp("gather")
    runs = make_runs(root, "Perfect", "Good", "Fair", "Poor")
    board = make_board(root / "boards")
    put(board, runs["Perfect"], "perfect")
    put_verdict(put(board, runs["Good"], "good"))
    put_reported(board, {"method": "Somebody's", "printed": "48.2"})
    return root, runs, board


@pytest.fixture(scope="module")
def degraded(tmp_path_factory):
    """A run on 24 degraded photos."""
    root = tmp_path_factory.mktemp("degraded")
    make_runs(root, count=24)
    source = open_dataset(str(root / "data"))
    degrade_dataset(source, "rass", 3, root / "degraded")
    run = measure(root, "Good", root / "good", dataset=str(root / "degraded"))
    return root / "degraded", run, gather([], [run], root / "page.html").boards[0]


def by_model(board):
    return {line.model.partition("@")[0]: line for line in board.lines}


def pixels(uri):
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_every_number_of_a_committed_board_is_in_the_report(folder, tmp_path):
    (board,) = gather([folder], [], tmp_path / "page.html").boards
    found = sorted(
        (line.model, line.protocol, line.kind, metric, cell.text, str(cell.value), cell.rank_text)
        for line in board.lines
        for metric, cell in line.cells.items()
    )
    expected = []
    for row in load_table(folder).rows:
        value, rank = row.value, row.rank
        unit = 100 if row.key.metric.startswith(("miou", "macc", "aacc", "fwiou")) else 1
        digits = 2 if unit == 100 or abs(value or 0) >= 10 else 4
        text = row.printed or ("–" if value is None else f"{value * unit:.{digits}f}")
        places = "" if rank is None or rank.of == 1 else f"{rank.first}–{rank.last}"
        if rank is not None and rank.of > 1 and rank.first == rank.last:
            places = str(rank.first)
        model, protocol = row.key.model, row.key.protocol
        expected.append((model, protocol, row.kind.value, row.key.metric, text, str(value), places))
    assert found == sorted(expected)
    assert len({line.id for line in board.lines}) == len(board.lines)


def test_ranked_measurements_stand_before_reported_numbers_before_what_stands_apart(made, tmp_path):
    (board,) = gather(BOARDS[-1:], [], tmp_path / "page.html").boards
    states = [
        (next(iter(line.cells.values())).rank is None, line.kind == "reported")
        for line in board.lines
    ]
    assert states == sorted(states)
    _, _, folder = made
    kinds = [line.kind for line in gather([folder], [], tmp_path / "p.html").boards[0].lines]
    assert kinds == ["measured", "verified", "reported"]


def test_a_run_is_ranked_among_the_measurements_of_its_board(made, tmp_path):
    _, runs, folder = made
    (board,) = gather([folder], [runs["Poor"]], tmp_path / "page.html").boards
    cells = {name: line.cells[MIOU] for name, line in by_model(board).items() if MIOU in line.cells}
    assert cells["perfect"].rank == (1, 1, 3)
    assert cells["poor"].rank == (3, 3, 3)
    assert board.version == "1.0.0 (2026-01-31)"
    assert len(board.pictures) == 6, "the run's predictions are at hand, the board's are not"


def test_a_run_that_its_board_holds_stands_there_once_and_lends_its_images(made, tmp_path):
    _, runs, folder = made
    (board,) = gather([folder], [runs["Good"]], tmp_path / "page.html").boards
    lines = by_model(board)
    assert len(board.lines) == 3
    assert lines["good"].kind == "verified"
    made_by = {layer.line for one in board.pictures for layer in one.layers} - {None}
    assert made_by == {lines["good"].id}


def test_runs_without_a_board_have_a_table_of_their_own(made, tmp_path):
    _, runs, _ = made
    (board,) = gather([], list(runs.values()), tmp_path / "page.html").boards
    assert (board.name, board.version, board.link) == ("tiny@1.0", "", None)
    assert [line.cells[MIOU].rank[:2] for line in board.lines] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_two_folders_of_one_name_are_two_measurements(made, tmp_path):
    root, _, _ = made
    again = measure(root, "Alike", tmp_path / "perfect")
    (board,) = gather([], [root / "perfect", again], tmp_path / "page.html").boards
    assert set(by_model(board)) == {"perfect", "alike"}


def test_each_line_leads_to_its_record(made, tmp_path):
    _, runs, folder = made
    page = tmp_path / "deep" / "page.html"
    page.parent.mkdir()
    (board,) = gather([folder], [runs["Poor"]], page).boards
    for line in board.lines:
        if line.kind == "reported":
            assert line.link is None
            assert line.source == "A paper: Table 1, mIoU"
        else:
            record = page.parent / unquote(line.link)
            assert load_record(record.parent).model.key == line.model


def test_a_folder_whose_name_looks_like_an_address_does_not_become_one(made, tmp_path):
    root, _, _ = made
    run = measure(root, "Alike", tmp_path / "javascript:alert(1)")
    (board,) = gather([], [run], tmp_path / "page.html").boards
    assert ":" not in board.lines[0].link


def test_images_have_photo_truth_and_prediction_pixel_for_pixel(made, tmp_path):
    root, runs, _ = made
    (board,) = gather([], [runs["Fair"]], tmp_path / "page.html").boards
    palette = distinct_palette(load_label_space("ade20k-150"))
    assert [one.id for one in board.pictures] == [f"p{number}" for number in range(6)]
    for picture in board.pictures:
        assert [layer.kind for layer in picture.layers] == ["photo", "truth", "prediction"]
        _, truth, prediction = (pixels(layer.uri) for layer in picture.layers)
        assert (picture.height, picture.width) == truth.shape[:2] == prediction.shape[:2]
        ids = np.asarray(Image.open(runs["Fair"] / "predictions" / f"{picture.id}.png"))
        assert np.array_equal(prediction[..., :3], palette[ids])
        raw = np.asarray(Image.open(root / "data/annotations/test" / f"{picture.id}.png"))
        assert np.array_equal(truth[..., 3] == 0, raw == 0)
        assert np.array_equal(truth[raw > 0][:, :3], palette[raw[raw > 0] - 1])


def test_of_many_images_some_are_shown_and_the_others_counted(degraded):
    _, _, board = degraded
    ids = [one.id for one in board.pictures]
    assert len(ids) == IMAGES
    assert board.images_left_out == 24 - IMAGES
    assert ids == sorted(ids)
    assert {"p0", "p9"} <= set(ids), "from the first id to the last"


def test_a_degraded_image_comes_with_its_clean_one_and_what_was_done_to_it(degraded):
    folder, _, board = degraded
    recipes = open_dataset(str(folder)).recipes
    for picture in board.pictures:
        kinds = [layer.kind for layer in picture.layers]
        assert kinds == ["photo", "reference", "truth", "prediction"]
        assert picture.recipe == tuple(describe(from_json(recipes[picture.id], "")))


def test_the_metric_is_plotted_against_the_degradation_that_the_name_states(degraded):
    _, run, board = degraded
    assert {one.name for one in board.factors} == {"blur", "resolution", "noise", "jpeg"}
    assert {curve.line for one in board.factors for curve in one.curves} == {board.lines[0].id}
    assert load_record(run).dataset.version == "1.0-preset1.0-seed3"


def test_per_image_scores_are_the_runs(made, tmp_path):
    _, runs, _ = made
    (board,) = gather([], [runs["Good"], runs["Poor"]], tmp_path / "page.html").boards
    for row, line in enumerate(board.scores.lines):
        model = next(one.model for one in board.lines if one.id == line)
        table = pd.read_parquet(runs[model.partition("@")[0].title()] / "per_image.parquet")
        assert board.scores.ids == tuple(table["id"])
        assert np.array_equal(board.scores.values[row], table[MIOU])


def test_what_a_run_was_is_told(made, tmp_path):
    _, runs, _ = made
    (board,) = gather([], [runs["Good"]], tmp_path / "page.html").boards
    details, record = board.lines[0].details, load_record(runs["Good"])
    assert details.per_class == record.per_class["iou"]
    assert details.command.startswith("rass-bench run --model ")
    assert dict(details.environment)["rass-bench"] == record.environment.rass_bench
    assert record.environment.device in dict(details.environment)["device"]


def test_scenes_are_said_to_be_a_demonstration(tmp_path):
    notices = {
        board.name.partition("@")[0]: board.notice
        for board in gather(BOARDS, [], tmp_path / "page.html").boards
    }
    assert "demonstration" in notices["scenes-rass"]
    assert notices["camvid-rass"] is None


def test_the_parameters_of_a_front_count_what_restores_in_front(made, tmp_path):
    root, _, _ = made
    restorer = root / "restorers.py"
    restorer.write_text(
        READERS
        + """
class Nothing:
    def __init__(self, runtime):
        self.spec = ModelSpec(name="nothing", revision="1", title="", licence="CC0-1.0")
        self.parameters = ParameterCount(total=100, trainable=0)

    def restore(self, images):
        return images
"""
    )
    run = measure(root, "Good", tmp_path / "r2s", protocol="r2s", restorer=f"{restorer}:Nothing")
    (board,) = gather([], [run], tmp_path / "page.html").boards
    (line,) = board.lines
    assert (line.parameters, line.all_parameters) == (7, 107)
    assert [layer.kind for layer in board.pictures[0].layers][2:] == ["restored", "prediction"]


class TestMistakes:
    def test_nothing_to_report_on(self, tmp_path):
        with pytest.raises(UserError, match="nothing to report on"):
            gather([], [], tmp_path / "page.html")

    def test_a_folder_without_a_run(self, tmp_path):
        with pytest.raises(UserError, match=r"no record\.json"):
            gather([], [tmp_path], tmp_path / "page.html")

    def test_data_that_are_gone(self, made, tmp_path):
        root, _, _ = made
        make_runs(tmp_path / "other")
        run = measure(root, "Good", tmp_path / "run", dataset=str(tmp_path / "other/data"))
        (tmp_path / "other/data").rename(tmp_path / "moved")
        with pytest.raises(UserError, match="data set of the run is not there"):
            gather([], [run], tmp_path / "page.html")

    def test_a_prediction_that_was_changed(self, made, tmp_path):
        root, _, _ = made
        run = measure(root, "Good", tmp_path / "run")
        Image.new("L", (16, 12)).save(run / "predictions/p0.png")
        with pytest.raises(UserError, match="prediction was changed"):
            gather([], [run], tmp_path / "page.html")

    def test_results_that_were_changed(self, made, tmp_path):
        root, _, _ = made
        run = measure(root, "Good", tmp_path / "run")
        table = pd.read_parquet(run / "per_image.parquet")
        table.assign(seconds=0.0).to_parquet(run / "per_image.parquet")
        with pytest.raises(UserError, match="changed since the run"):
            gather([], [run], tmp_path / "page.html")

    def test_a_run_given_twice_stands_once(self, made, tmp_path):
        _, runs, _ = made
        (board,) = gather([], [runs["Good"], runs["Good"]], tmp_path / "page.html").boards
        assert len(board.lines) == 1

    def test_a_repetition_with_other_predictions(self, made, tmp_path):
        """It is no second measurement, and neither is dropped for the other."""
        root, runs, _ = made
        run = measure(root, "Good", tmp_path / "again")
        record = load_record(run)
        files = record.files | {"predictions.json": "0" * 64}
        dataclasses.replace(record, files=files).save(run)
        with pytest.raises(UserError, match=r"two records of good@1\S* under dt have one key"):
            gather([], [runs["Good"], run], tmp_path / "page.html")

    def test_photos_that_were_changed(self, made, tmp_path):
        root, _, _ = made
        make_runs(tmp_path / "other")
        data = tmp_path / "other/data"
        run = measure(root, "Good", tmp_path / "run", dataset=str(data))
        Image.new("RGB", (16, 12), "red").save(data / "images/test/p1.png")
        with pytest.raises(UserError, match="the data differ from those of the run"):
            gather([], [run], tmp_path / "page.html")

    @pytest.mark.parametrize("kind", ["RGB", "LA", "I;16", "1"])
    def test_predictions_that_are_no_label_maps(self, made, tmp_path, kind):
        root, _, _ = made
        run = measure(root, "Good", tmp_path / "run")
        path = run / "predictions/p0.png"
        Image.new(kind, (16, 12)).save(path)
        index = json.loads((run / "predictions.json").read_text())
        index["files"]["p0"]["sha256"] = sha256_file(path)
        (run / "predictions.json").write_text(json.dumps(index))
        with pytest.raises(UserError, match="no 8-bit grey picture of its photo's size"):
            gather([], [run], tmp_path / "page.html")

    def test_results_of_other_images_than_those_it_is_ranked_with(self, degraded, tmp_path):
        folder, run, _ = degraded
        other = measure(run.parent, "Poor", tmp_path / "poor", dataset=str(folder))
        record, path = load_record(other), other / "per_image.parquet"
        table = pd.read_parquet(path)
        table.assign(id=[f"q{number}" for number in range(24)]).to_parquet(path, index=False)
        files = record.files | {path.name: sha256_file(path)}
        dataclasses.replace(record, files=files).save(other)
        with pytest.raises(UserError, match="its images are not those of the runs"):
            gather([], [run, other], tmp_path / "page.html")

    def test_values_of_another_number_of_classes(self, made, tmp_path):
        root, _, _ = made
        run = measure(root, "Good", tmp_path / "run")
        dataclasses.replace(load_record(run), per_class={"iou": (0.5, 0.5)}).save(run)
        with pytest.raises(UserError, match="2 values by class, of 150 classes"):
            gather([], [run], tmp_path / "page.html")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"protocol": "zz"}, "unknown protocol 'zz'"),
            ({"metrics": {}}, "the run has no number to show"),
        ],
    )
    def test_a_record_that_no_table_can_hold(self, made, tmp_path, changes, message):
        root, _, _ = made
        run = measure(root, "Good", tmp_path / "run")
        dataclasses.replace(load_record(run), **changes).save(run)
        with pytest.raises(UserError, match=message):
            gather([], [run], tmp_path / "page.html")

    @pytest.mark.parametrize("name", ["a/b", "a\0b", "a\x1b[2J"])
    def test_a_data_set_of_a_name_that_is_none(self, made, tmp_path, name):
        root, _, _ = made
        run = measure(root, "Good", tmp_path / "run")
        record = load_record(run)
        dataset = dataclasses.replace(record.dataset, name=name)
        dataclasses.replace(record, dataset=dataset).save(run)
        with pytest.raises(UserError, match="a data set named"):
            gather([], [run], tmp_path / "page.html")

    def test_a_record_that_says_it_is_another_run(self, made, tmp_path):
        """Equal predictions of equal models on equal photos are one measurement."""
        root, runs, _ = made
        run = measure(root, "Good", tmp_path / "again")
        record = load_record(run)
        dataclasses.replace(record, finished="2030-01-01T00:00:00+00:00").save(run)
        (board,) = gather([], [runs["Good"], run], tmp_path / "page.html").boards
        assert len(board.lines) == 1
