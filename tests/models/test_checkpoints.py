"""Checkpoint folders: what they say of themselves, and what is wrong with bad ones."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import numpy as np
import pytest
from safetensors.numpy import save_file

from rass_bench.errors import UserError
from rass_bench.labels import load_label_space
from rass_bench.models.checkpoints import find_label_space, open_checkpoint

ADE = {str(index): f"class {index}" for index in range(150)}


def _folder(path, *, config=None, processor=None, card=None):
    path.mkdir()
    config = {"model_type": "segformer", "id2label": ADE} if config is None else config
    path.joinpath("config.json").write_text(json.dumps(config))
    if processor is not None:
        path.joinpath("preprocessor_config.json").write_text(json.dumps(processor))
    if card is not None:
        path.joinpath("README.md").write_text(card)
    save_file({"weight": np.zeros(3, np.float32)}, path / "model.safetensors")
    return path


def test_a_local_folder_is_known_by_its_name_and_its_weights_hash(tmp_path):
    folder = _folder(tmp_path / "my-segformer")
    checkpoint = open_checkpoint(str(folder))
    digest = hashlib.sha256(folder.joinpath("model.safetensors").read_bytes()).hexdigest()
    assert checkpoint.weights_sha256 == digest
    assert (checkpoint.name, checkpoint.revision) == ("my-segformer", digest[:12])
    assert checkpoint.label_space == "ade20k-150"
    assert checkpoint.url is None


def test_mean_and_deviation_come_from_the_processor_or_are_imagenet(tmp_path):
    without = open_checkpoint(str(_folder(tmp_path / "without")))
    assert without.mean == (0.485, 0.456, 0.406)
    assert without.std == (0.229, 0.224, 0.225)
    halves = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    stated = open_checkpoint(str(_folder(tmp_path / "stated", processor=halves)))
    assert stated.mean == stated.std == (0.5, 0.5, 0.5)
    broken = _folder(tmp_path / "broken", processor={"image_mean": 0.5})
    with pytest.raises(UserError, match="Three numbers"):
        open_checkpoint(str(broken))


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\ntags: [a]\n---\n# Card", "mit"),
        ("# Card without a header", "not stated"),
        ("---\nlicense: [\n---\n", "not stated"),
        (None, "not stated"),
    ],
)
def test_the_licence_comes_from_the_model_card(tmp_path, card, licence):
    assert open_checkpoint(str(_folder(tmp_path / "net", card=card))).licence == licence


def test_label_spaces_are_found_by_count_or_by_names(tmp_path):
    camvid = load_label_space("camvid-11")
    names = {str(index): name.upper() for index, name in enumerate(camvid.names)}
    assert find_label_space({"id2label": names}, tmp_path) == "camvid-11"
    swapped = {**names, "0": names["1"], "1": names["0"]}
    with pytest.raises(UserError, match=r"its 11 classes .* are of no known label space"):
        find_label_space({"id2label": swapped}, tmp_path)
    with pytest.raises(UserError, match=r"its 2 classes \(label_0, label_1"):
        find_label_space({}, tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "segfomer"}, "model_type 'segfomer'.*Did you mean segformer"),
        ({}, "model_type None"),
        ([], "model_type None"),
        ({"model_type": ["segformer"]}, r"model_type \['segformer'\]"),
        ({"model_type": "segformer", "id2label": ["wall"]}, "id2label or num_labels is malformed"),
        ({"model_type": "segformer", "id2label": {"a": "wall"}}, "id2label or num_labels"),
        ({"model_type": "segformer", "num_labels": "many"}, "id2label or num_labels"),
    ],
)
def test_an_unknown_family(tmp_path, config, message):
    with pytest.raises(UserError, match=message):
        open_checkpoint(str(_folder(tmp_path / "net", config=config)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x99" * 64, "truncated"),
    ],
)
def test_bad_weights(tmp_path, content, message):
    folder = _folder(tmp_path / "net")
    folder.joinpath("model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_checkpoint(str(folder))


def test_pickled_weights_are_not_read(tmp_path):
    folder = _folder(tmp_path / "net")
    folder.joinpath("model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"no model.safetensors; found pytorch_model.bin"):
        open_checkpoint(str(folder))


def test_what_is_neither_a_folder_nor_an_id(tmp_path):
    with pytest.raises(UserError, match="neither a folder nor a Hub id"):
        open_checkpoint(str(tmp_path / "absent"))
    tmp_path.joinpath("empty").mkdir()
    with pytest.raises(UserError, match=r"no config\.json"):
        open_checkpoint(str(tmp_path / "empty"))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("own_cache")
def test_no_network(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match=r"the Hub cannot be reached.*transformers:nvidia/segformer"
    ):
        open_checkpoint("nvidia/segformer-b0-finetuned-ade-512-512")


@pytest.mark.server
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "RepoNotFound", "no such repository"),
        (403, "GatedRepo", "gated"),
        (404, "RevisionNotFound", "no revision 'v9'"),
        (418, "Teapot", "the Hub cannot be reached or refuses"),
    ],
)
def test_what_the_hub_refuses(monkeypatch, status, code, message):
    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    try:
        with pytest.raises(UserError, match=message):
            open_checkpoint("owner/net@v9")
    finally:
        server.shutdown()
        server.server_close()
