"""What `check` finds: each kind of damage, named, where checksums alone would not tell."""

import hashlib
import io
import json
import shutil
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.files import canonical_json, sha256_bytes, sha256_file
from rass_bench.release.build import build_release
from rass_bench.release.check import check_release
from rass_bench.release.source import open_source
from rass_bench.release.sums import write_release_sums
from tests.builders import labelled_set
from tests.cli.command import rass_bench
from tests.release.edits import edit_card, edit_croissant, edit_rows

SHARD = "data/test-00000-of-00002.parquet"
"""Holds the samples p0 and p1."""


@pytest.fixture
def own(release, tmp_path):
    """A copy of the release that a test may change."""
    return shutil.copytree(release, tmp_path / "own")


def problems(folder, source=None):
    return [str(difference) for difference in check_release(folder, source)]


def one_pixel_off(png):
    pixels = np.array(Image.open(io.BytesIO(png)))
    pixels.flat[7] ^= 1
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def test_a_release_holds_by_itself_and_against_its_source(release, tiny):
    assert problems(release) == []
    assert problems(release, open_source(str(tiny))) == []


def test_every_sample_is_told_to_the_progress_bar(release):
    seen = []
    check_release(release, advance=lambda: seen.append(1))
    assert len(seen) == 4


def test_a_folder_that_is_no_release_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no SHA256SUMS.*release build"):
        check_release(tmp_path)


def test_a_changed_file_is_named(own):
    (own / "dataset.yaml").write_text((own / "dataset.yaml").read_text() + "\n")
    assert problems(own) == ["dataset.yaml: the file's hash is not that of SHA256SUMS"]


def test_missing_and_surplus_files_are_named(own):
    (own / "data/test-00001-of-00002.parquet").unlink()
    (own / "data/notes.txt").write_text("mine")
    found = problems(own)
    assert "data/test-00001-of-00002.parquet: missing" in found
    assert "data/notes.txt: not listed in SHA256SUMS" in found
    assert "test: its shards hold 2 rows, the manifest lists 4" in found


def test_what_the_hub_adds_to_a_download_is_no_difference(own):
    (own / ".gitattributes").write_text("*.parquet filter=lfs")
    (own / ".cache/huggingface").mkdir(parents=True)
    (own / ".cache/huggingface/README.md.lock").write_text("")
    assert problems(own) == []


@pytest.mark.parametrize("column", ["image", "label"])
def test_one_changed_pixel_is_named_by_sample(own, tiny, column):
    def change(rows):
        rows[1][column]["bytes"] = one_pixel_off(rows[1][column]["bytes"])

    edit_rows(own, SHARD, change)
    assert problems(own) == [f"test/p1: the hash of its {column} is not the manifest's"]
    assert f"test/p1: 1 pixels of its {column} are not those of the source" in problems(
        own, open_source(str(tiny))
    )


def test_a_pixel_that_was_changed_in_the_source_since_is_named(release, tmp_path):
    data = labelled_set(tmp_path / "tiny")
    photo = data / "images/test/p2.png"
    photo.write_bytes(one_pixel_off(photo.read_bytes()))
    assert problems(release, open_source(str(data))) == [
        "test/p2: its image_sha256 is not that of the source",
        "test/p2: 1 pixels of its image are not those of the source",
    ]


def test_samples_of_one_side_alone_are_named(release, tmp_path):
    data = labelled_set(tmp_path / "tiny")
    for folder in ("images/test", "annotations/test"):
        (data / folder / "p3.png").rename(data / folder / "p9.png")
    assert problems(release, open_source(str(data))) == [
        "test/p9: not in the release",
        "test/p3: not in the source",
    ]


def test_another_data_set_is_named(release, tmp_path):
    data = labelled_set(tmp_path / "tiny")
    definition = data / "dataset.yaml"
    definition.write_text(definition.read_text().replace("'1.0'", "'2.0'"))
    assert problems(release, open_source(str(data))) == [
        "the data set: it is tiny@1.0, the source tiny@2.0"
    ]


def test_an_image_that_is_a_path_alone_is_never_opened(own, tiny, tmp_path):
    secret = tmp_path / "secret.png"
    shutil.copy(tiny / "images/test/p0.png", secret)

    def change(rows):
        rows[0]["image"] = {"bytes": None, "path": str(secret)}

    edit_rows(own, SHARD, change)
    assert problems(own, open_source(str(tiny))) == ["test/p0: its image is missing in the row"]


def test_an_image_that_cannot_be_decoded_is_named(own):
    """The hashes fit, as they would in a release that somebody else built."""
    torn = b"\x89PNG\r\n\x1a\n torn"
    digest = hashlib.sha256(torn).hexdigest()

    def change(rows):
        rows[0]["image"]["bytes"] = torn
        rows[0]["image_sha256"] = digest

    edit_rows(own, SHARD, change)
    manifest = own / "manifest-test.json"
    document = json.loads(manifest.read_text())
    document["entries"][0]["image_sha256"] = digest
    restate(document)
    manifest.write_text(json.dumps(document))
    write_release_sums(own)
    (found,) = problems(own)
    assert found.startswith("test/p0: its image cannot be decoded")


def restate(document):
    """Give an edited manifest the identity that fits its entries."""
    facts = [
        [entry["id"], entry["image_sha256"], entry.get("label_sha256"), None]
        for entry in document["entries"]
    ]
    document["sha256"] = sha256_bytes(canonical_json(facts))


def test_a_row_that_tells_another_size_is_named(own):
    edit_rows(own, SHARD, lambda rows: rows[0].update(width=17))
    assert problems(own) == ["test/p0: its width is 17, beside the parquet files 16"]


def test_rows_in_another_order_are_named(own):
    edit_rows(own, SHARD, lambda rows: rows.reverse())
    assert problems(own) == ["test: its samples are not those of the manifest, in order"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda card: card["dataset_info"]["splits"][0].update(num_examples=5),
            "it states {'test': 5} samples, the manifests {'test': 4}",
        ),
        (lambda card: card.update(license="mit"), "its license is 'mit', not 'cc0-1.0'"),
        (
            lambda card: card["configs"][0]["data_files"][0].update(path="https://example.org/x"),
            "its configs are not the release's parquet files alone",
        ),
        (lambda card: card.pop("dataset_info"), "no card with metadata: KeyError: 'dataset_info'"),
    ],
    ids=["samples", "licence", "files", "no sizes"],
)
def test_a_card_that_says_something_else_is_named(own, change, told):
    edit_card(own, change)
    assert problems(own) == [f"README.md: {told}"]


def test_a_card_whose_features_are_not_the_rows_is_named(own):
    edit_card(own, lambda card: card["dataset_info"]["features"][-1].update(dtype="string"))
    (found,) = problems(own)
    assert "width" in found or "cannot load" in found


@pytest.mark.parametrize("features", [True, [None], [{}], [{"name": "id", "dtype": "nothing"}]])
def test_a_card_whose_features_are_none_is_named(own, features):
    edit_card(own, lambda card: card["dataset_info"].update(features=features))
    (found,) = problems(own)
    assert "`datasets` cannot load it" in found


def test_text_that_is_no_unicode_is_named(own):
    path = own / SHARD
    before, digest = sha256_file(path), json.loads((own / "manifest-test.json").read_text())
    words = digest["entries"][0]["image_sha256"].encode()
    content = path.read_bytes()
    assert words in content
    path.write_bytes(content.replace(words, b"\xff" + words[1:]))
    croissant = own / "croissant.json"
    croissant.write_text(croissant.read_text().replace(before, sha256_file(path)))
    write_release_sums(own)
    (found,) = problems(own)
    assert "a row cannot be read: UnicodeDecodeError" in found


def test_a_croissant_file_that_is_not_valid_is_named(own):
    def change(document):
        document["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] = "nowhere"

    edit_croissant(own, change)
    (found,) = problems(own)
    assert found.startswith("croissant.json: not valid")
    assert "nowhere" in found


def first_file(document):
    return next(one for one in document["distribution"] if "sha256" in one)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda document: document.update(name="huge"), "its name: 'huge', not 'tiny'"),
        (lambda document: document.pop("recordSet"), "its record_sets: (), not ('test',)"),
        (
            lambda document: first_file(document).update(sha256="0" * 64),
            f"its files: {{'{SHARD}': '0",
        ),
        (lambda document: document.update(license="MIT"), "its licences: ('MIT',), not ('https"),
    ],
    ids=["name", "records", "hash", "licence"],
)
def test_a_croissant_file_that_describes_something_else_is_named(own, change, told):
    edit_croissant(own, change)
    (found,) = problems(own)
    assert found.startswith(f"croissant.json: {told}")


@pytest.mark.parametrize("text", ["", "[]", "7", '{"name": 3}', "{", "null"])
def test_a_croissant_file_that_is_something_else_is_named(own, text):
    (own / "croissant.json").write_text(text)
    write_release_sums(own)
    (found,) = problems(own)
    assert found.startswith("croissant.json")


def test_a_croissant_field_that_contains_itself_is_named(own):
    edit_croissant(own, lambda document: document["recordSet"][0]["field"].append({}))
    (found,) = problems(own)
    assert found.startswith("croissant.json: not valid")


@pytest.fixture
def asked():
    """Where a stranger might want to be called from, and what was asked for there."""
    paths = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/context", paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "change",
    [
        lambda document, url: document["@context"].update({"@import": url}),
        lambda document, url: document["@context"]["field"].update({"@context": url}),
        lambda document, url: document["recordSet"][0].update({"@context": url}),
        lambda document, url: document.update({"@context": url}),
        lambda document, url: document.update({"@context": [url, document["@context"]]}),
    ],
    ids=["imported", "of a term", "of a part", "alone", "among others"],
)
def test_a_croissant_file_sends_nobody_onto_the_network(own, asked, change):
    url, paths = asked

    def with_url(document):
        document["@context"]["field"] = {"@id": "cr:field"}
        change(document, url)

    edit_croissant(own, with_url)
    (found,) = problems(own)
    assert found.startswith("croissant.json: not valid") and paths == []


def test_a_croissant_file_that_is_an_address_sends_nobody_there(own, asked):
    url, paths = asked
    (own / "croissant.json").write_text(json.dumps(url))
    write_release_sums(own)
    (found,) = problems(own)
    assert found.startswith("croissant.json: not valid") and paths == []


def test_a_checksum_file_that_leads_out_of_the_folder_is_refused(own):
    with (own / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  ../secret\n")
    with pytest.raises(UserError, match="leads out of the folder"):
        check_release(own)


def test_a_manifest_of_another_data_set_is_named(own):
    manifest = own / "manifest-test.json"
    manifest.write_text(manifest.read_text().replace("tiny@1.0", "huge@1.0"))
    write_release_sums(own)
    (found,) = problems(own)
    assert "the manifest is that of huge@1.0, split test" in found


def test_what_a_release_says_stays_text_on_a_terminal(own):
    manifest = own / "manifest-test.json"
    manifest.write_text(manifest.read_text().replace("tiny@1.0", r"\u001b[2J[/red]"))
    write_release_sums(own)
    done = rass_bench("release", "check", own)
    assert done.returncode == 1, done.stderr
    assert r"the manifest is that of \x1b[2J[/red]" in done.stdout


def test_a_release_without_pixels_is_checked_by_its_hashes(tmp_path):
    data = labelled_set(tmp_path / "tiny")
    definition = data / "dataset.yaml"
    definition.write_text(definition.read_text().replace("CC0-1.0", "all rights reserved"))
    out = tmp_path / "out"
    build_release(open_source(str(data)), out)
    assert problems(out) == []
    assert problems(out, open_source(str(data))) == []
    mask = data / "annotations/test/p1.png"
    mask.write_bytes(one_pixel_off(mask.read_bytes()))
    assert problems(out, open_source(str(data))) == [
        "test/p1: its label_sha256 is not that of the source"
    ]
