"""Restoration checkpoints through spandrel, on the real weights."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from spandrel import ModelLoader

from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.models import spandrel_restorer
from rass_bench.models.catalog import load_restorer
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import restore

COMPACT = "weights/realesr-animevideov3.safetensors"
RRDB = "weights/RealESRGAN_x4plus.fp16.safetensors"


@pytest.fixture(scope="module")
def compact(shared_data):
    return load_restorer(f"spandrel:{shared_data(COMPACT)}")


@pytest.fixture(scope="module")
def crop(shared_data):
    return read_image(next(iter(sorted((shared_data("realsr") / "test_LR").iterdir()))))


def _reference(path, photo):
    """Spandrel called directly, the whole photo at once; float (H, W, 3) in 0..255."""
    model = ModelLoader("cpu").load_from_file(path).eval()
    batch = torch.from_numpy(photo.transpose(2, 0, 1).copy())[None].float() / 255
    with torch.no_grad():
        return model(batch)[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255


def test_a_crop_equals_spandrel_called_directly(compact, shared_data, crop):
    restored = restore(compact, [crop])[0]
    assert restored.shape == (512, 512, 3)
    difference = np.abs(restored - _reference(shared_data(COMPACT), crop))
    assert difference.max() <= 0.51  # rounding to whole grey levels


def test_tiles_show_no_seam(compact, shared_data, crop, monkeypatch):
    monkeypatch.setattr(spandrel_restorer, "OVERLAP", 64)
    tiled_model = load_restorer(f"spandrel:{shared_data(COMPACT)}")
    monkeypatch.setattr(tiled_model, "_tile", 96)
    # 16 convolutions of 3 x 3 look 17 pixels far; a quarter of 64 is 16.
    difference = np.abs(
        restore(tiled_model, [crop])[0].astype(int) - restore(compact, [crop])[0].astype(int)
    )
    assert difference.max() <= 1


def test_what_is_known_of_the_network(compact):
    assert compact.parameters.total == 621_424
    assert compact.spec.scale == 4
    assert compact.spec.name == "realesr-animevideov3"
    assert compact.spec.revision == compact.spec.weights_sha256[:12]


def test_half_precision_weights_compute_in_float32(shared_data, crop):
    model = load_restorer(f"spandrel:{shared_data(RRDB)}", Runtime(threads=2))
    assert model.parameters.total == 16_697_987
    small = crop[40:64, 40:64]
    restored = restore(model, [small])[0]
    assert restored.shape == (96, 96, 3)
    # x4plus sharpens, but keeps what an average over each 4 x 4 block shows.
    blocks = restored.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(blocks - small).mean() < 12


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.safetensors", b"<html>quota exceeded</html>", "web page"),
        ("net.pth", b"<html>quota exceeded</html>", "web page"),
        ("net.pth", b"\x00" * 100, "cannot be read|more than tensors"),
        ("net.bin", b"\x00" * 100, "of the kind .bin are not read"),
    ],
)
def test_unreadable_weights(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_restorer(f"spandrel:{path}")


@pytest.mark.parametrize("content", [[1, 2], {1: "x"}, torch.zeros(2)], ids=repr)
def test_a_pth_file_that_holds_no_weights(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"cannot be read.*net\.pth"):
        load_restorer(f"spandrel:{tmp_path / 'net.pth'}")


def test_a_header_that_lies_about_a_shape(tmp_path):
    header = b'{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4]}}'
    path = tmp_path / "net.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(UserError, match=r"cannot be read.*net\.safetensors"):
        load_restorer(f"spandrel:{path}")


def test_truncated_weights(tmp_path, shared_data):
    path = tmp_path / "net.safetensors"
    path.write_bytes(shared_data(COMPACT).read_bytes()[:100_000])
    with pytest.raises(UserError, match="truncated"):
        load_restorer(f"spandrel:{path}")


def test_an_unknown_architecture(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"my.weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(UserError, match="does not know an architecture"):
        load_restorer(f"spandrel:{path}")


class _Hostile:
    def __reduce__(self):
        return (print, ("this must never run",))


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_that_runs_code_is_refused(tmp_path, capsys, legacy):
    path = tmp_path / "net.pth"
    if legacy:
        path.write_bytes(pickle.dumps(_Hostile()))
    else:
        torch.save({"params": _Hostile()}, path)
    with pytest.raises(UserError, match=r"more than tensors|cannot be read"):
        load_restorer(f"spandrel:{path}")
    assert capsys.readouterr().out == ""


def test_a_pth_file_of_tensors_is_read(tmp_path, shared_data, compact, crop):
    from safetensors.torch import load_file

    path = tmp_path / "net.pth"
    torch.save({"params": load_file(shared_data(COMPACT))}, path)
    small = crop[:32, :32]
    found = restore(load_restorer(f"spandrel:{path}"), [small])[0]
    assert (found == restore(compact, [small])[0]).all()
