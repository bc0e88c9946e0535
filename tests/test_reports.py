"""The committed report is that of the committed boards: numbers, links and predictions."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from rass_bench.data_uri import distinct_palette
from rass_bench.labels import load_label_space
from rass_bench.leaderboard.board import find_boards
from rass_bench.leaderboard.table import load_table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "reports/index.html"
BOARDS = find_boards(ROOT / "leaderboards")
SCENES = "scenes-rass@1.0-preset1.0-seed0"
MEGABYTE = 1_000_000


class Embedded(HTMLParser):
    """The text of the page's script elements by id, and every address it loads or shows."""

    def __init__(self, html):
        super().__init__()
        self.text, self.addresses, self._id = {}, [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self._id = values.get("id") if tag == "script" else None
        self.addresses += [values[name] for name in ("src", "href") if values.get(name)]

    def handle_data(self, data):
        if self._id is not None:
            self.text[self._id] = self.text.get(self._id, "") + data


@pytest.fixture(scope="module")
def page():
    return Embedded(PAGE.read_text("utf-8"))


@pytest.fixture(scope="module")
def boards(page):
    return {board["name"]: board for board in json.loads(page.text["content"])["boards"]}


def test_it_shows_every_board_in_its_present_version(boards):
    versions = {name: board["version"] for name, board in boards.items()}
    tables = [load_table(board) for board in BOARDS]
    assert versions == {one.board: f"{one.version} ({one.date})" for one in tables}


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_its_numbers_are_those_of_the_tables(folder, boards):
    """Made again by `rass-bench report`, as reports/README.md says."""
    shown = [
        (line["model"], line["restorer"], line["protocol"], line["kind"], metric, cell["value"])
        for line in boards[folder.name]["lines"]
        for metric, cell in line["cells"].items()
    ]
    told = [
        (
            row.key.model,
            row.key.restorer,
            row.key.protocol,
            row.kind.value,
            row.key.metric,
            row.value,
        )
        for row in load_table(folder).rows
    ]
    assert sorted(shown, key=repr) == sorted(told, key=repr)


def test_its_links_lead_to_records(boards):
    links = [line["link"] for board in boards.values() for line in board["lines"] if line["link"]]
    assert len(links) == len(list((ROOT / "leaderboards").glob("*/records/*/record.json")))
    for link in links:
        assert (PAGE.parent / unquote(link)).is_file()


def test_the_predictions_that_it_shows_are_the_committed_ones(page, boards):
    board = boards[SCENES]
    palette = distinct_palette(load_label_space("ade20k-150"))
    (rass,) = [
        line["id"] for line in board["lines"] if line["link"].endswith("rass-mini/record.json")
    ]
    record = ROOT / "leaderboards" / SCENES / "records/rass-mini"
    assert board["pictures"]
    for number, picture in enumerate(board["pictures"]):
        uris = json.loads(page.text[f"picture-{board['id']}-{number}"])
        (uri,) = [
            uri
            for uri, layer in zip(uris, picture["layers"], strict=True)
            if layer["line"] == rass and layer["kind"] == "prediction"
        ]
        shown = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        ids = np.asarray(Image.open(record / "predictions" / f"{picture['id']}.png"))
        assert np.array_equal(np.asarray(shown.convert("RGB")), palette[ids])


def test_it_is_whole_in_itself(page):
    """It loads nothing; without scripts it leads to the tables beside it."""
    others = [one for one in page.addresses if not re.match(r"#|data:,", one)]
    assert {unquote(one) for one in others} == {
        f"../leaderboards/{folder.name}/table.md" for folder in BOARDS
    }
    assert PAGE.stat().st_size < 5 * MEGABYTE
