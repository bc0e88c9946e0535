"""Learned metrics with stand-in weights: random tensors of a fixed seed in the real architectures.

The published weights are not part of the tests, so no published value is checked here. What is
checked: every file is found where the messages say, is read as data, decides the value, and stands
in the provenance; nothing is fetched; the same image scores the same twice.
"""

import pickle
import socket

import numpy as np
import pytest
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.metrics import iqa
from rass_bench.metrics.catalog import get_metric

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
pyiqa = pytest.importorskip("pyiqa")
scipy_io = pytest.importorskip("scipy.io")

FILES = {
    "lpips/alex": (iqa.LPIPS_ALEX, iqa.ALEXNET),
    "dists": (iqa.DISTS, iqa.VGG16),
    "niqe": (iqa.NIQE,),
    "musiq/koniq": (iqa.MUSIQ_KONIQ,),
    "maniqa/pipal": (iqa.MANIQA_PIPAL,),
    "maniqa/koniq": (iqa.MANIQA_KONIQ,),
    "clipiqa": (iqa.CLIP_RN50,),
}
SMALLEST = {"lpips/alex": 32, "dists": 16, "niqe": 96, "musiq/koniq": 32, "clipiqa": 32, "piqe": 16}


@pytest.fixture(autouse=True)
def _offline_and_alone(monkeypatch, tmp_path):
    """Refuse every connection, and hide the user's own caches of weights."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("a metric tried to reach the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("RASS_BENCH_WEIGHTS", raising=False)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def make_stand_in(tmp_path_factory):
    """Write the stand-in files of a metric for a seed, once, and return their folder."""
    made = {}

    def make(metric, seed=0):
        if (metric, seed) not in made:
            folder = tmp_path_factory.mktemp(f"{metric.replace('/', '-')}-{seed}")
            torch.manual_seed(seed)
            WRITERS[metric](folder)
            made[metric, seed] = folder
        return made[metric, seed]

    return make


def write_lpips(folder):
    widths = [64, 192, 384, 256, 256]
    lin = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(widths)}
    torch.save(lin, folder / iqa.LPIPS_ALEX.name)
    backbone = torchvision.models.alexnet(weights=None)
    torch.save(features_of(backbone), folder / iqa.ALEXNET.name)


def write_dists(folder):
    torch.save(
        {"alpha": torch.rand(1, 1475, 1, 1), "beta": torch.rand(1, 1475, 1, 1)},
        folder / iqa.DISTS.name,
    )
    backbone = torchvision.models.vgg16(weights=None)
    torch.save(features_of(backbone), folder / iqa.VGG16.name)


def features_of(network):
    return {k: v for k, v in network.state_dict().items() if k.startswith("features.")}


def write_niqe(folder):
    mean = torch.rand(1, 36, dtype=torch.float64).numpy()
    scipy_io.savemat(folder / iqa.NIQE.name, {"mu_prisparam": mean, "cov_prisparam": np.eye(36)})


def write_musiq(folder):
    network = pyiqa.create_metric("musiq", pretrained=False).net
    torch.save(network.state_dict(), folder / iqa.MUSIQ_KONIQ.name)


def write_maniqa(folder):
    with iqa._timm_untrained():
        network = pyiqa.create_metric("maniqa-pipal", pretrained=False).net
    torch.save(network.state_dict(), folder / iqa.MANIQA_PIPAL.name)


def write_clip(folder):
    """A narrow, shallow CLIP of the RN50 family, as the TorchScript archive that clip expects."""
    from pyiqa.archs.clip_model import CLIP

    network = CLIP(
        embed_dim=32,
        image_resolution=224,
        vision_layers=(1, 1, 1, 1),
        vision_width=16,
        vision_patch_size=None,
        context_length=77,
        vocab_size=49408,
        transformer_width=64,
        transformer_heads=1,
        transformer_layers=1,
    )
    archive = torch.nn.Module()
    for name, tensor in network.state_dict().items():
        *folders, leaf = name.split(".")
        place = archive
        for part in folders:
            if part not in dict(place.named_children()):
                place.add_module(part, torch.nn.Module())
            place = place.get_submodule(part)
        place.register_buffer(leaf, tensor)
    torch.jit.script(archive).save(str(folder / iqa.CLIP_RN50.name))


WRITERS = {
    "lpips/alex": write_lpips,
    "dists": write_dists,
    "niqe": write_niqe,
    "musiq/koniq": write_musiq,
    "maniqa/pipal": write_maniqa,
    "clipiqa": write_clip,
}


def picture(side, seed=0):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(256, size=(5, 5, 3)).astype(np.uint8))
    smooth = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)).astype(float)
    return np.clip(smooth + rng.normal(0, 9, smooth.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("metric", sorted(SMALLEST))
def test_the_weights_found_decide_the_value_and_stand_in_the_provenance(
    metric, make_stand_in, monkeypatch, capsys
):
    image, reference = picture(SMALLEST[metric], 0), picture(SMALLEST[metric], 1)
    values = []
    for seed in (0, 1):
        files = FILES.get(metric, ())
        if files:
            folder = make_stand_in(metric, seed)
            monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(folder))
        loaded = get_metric(metric).load()
        value = loaded.function(image, reference)
        assert isinstance(value, float)
        assert loaded.function(image, reference) == value  # the same image twice
        values.append(value)
        assert loaded.provenance == {
            "pyiqa": pyiqa.__version__,
            **{f"sha256:{file.name}": sha256_file(folder / file.name) for file in files},
        }
    if files:
        assert values[0] != values[1]
    assert capsys.readouterr().out == ""  # standard output belongs to --json


def test_lpips_equals_its_definition(make_stand_in, monkeypatch):
    folder = make_stand_in("lpips/alex")
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(folder))
    image, reference = picture(64, 0), picture(64, 1)
    lin = torch.load(folder / iqa.LPIPS_ALEX.name, weights_only=True)
    network = torchvision.models.alexnet(weights=None)
    network.load_state_dict(torch.load(folder / iqa.ALEXNET.name, weights_only=True), strict=False)

    def features(photo):
        planes = torch.from_numpy(photo).permute(2, 0, 1)[None] / 127.5 - 1
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        planes, taken = (planes - shift) / scale, []
        for index, layer in enumerate(network.features[:12]):
            planes = layer(planes)
            if index in (1, 4, 7, 9, 11):
                taken.append(planes / planes.norm(dim=1, keepdim=True))
        return taken

    with torch.no_grad():
        expected = sum(
            (lin[f"lin{i}.model.1.weight"] * (a - b) ** 2).sum(dim=1).mean()
            for i, (a, b) in enumerate(zip(features(image), features(reference), strict=True))
        )
    value = get_metric("lpips/alex").load().function(image, reference)
    assert value == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("metric", ["lpips/alex", "dists"])
def test_a_distance_of_an_image_to_itself_is_zero(metric, make_stand_in, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(make_stand_in(metric)))
    image = picture(48)
    assert get_metric(metric).load().function(image, image) == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_maniqa_scores_twenty_crops_alike_twice(make_stand_in, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(make_stand_in("maniqa/pipal")))
    loaded = get_metric("maniqa/pipal").load()
    value = loaded.function(picture(32), None)
    assert np.isfinite(value)
    assert loaded.function(picture(32), None) == value


@pytest.mark.parametrize("metric", ["maniqa/pipal", "maniqa/koniq"])
def test_maniqa_is_built_without_its_backbones_download_and_insists_on_a_whole_file(
    metric, tmp_path, monkeypatch
):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(tmp_path))
    torch.save({"conv1.bias": torch.zeros(768)}, tmp_path / FILES[metric][0].name)
    with pytest.raises(UserError, match=r"tensors are missing, vit\."):
        get_metric(metric).load()


@pytest.mark.parametrize("asked", ["load", "check_installed"])
@pytest.mark.parametrize("metric", sorted(FILES))
def test_missing_weights_are_named_with_the_command_that_fetches_them(metric, asked, tmp_path):
    with pytest.raises(UserError) as caught:
        getattr(get_metric(metric), asked)()
    message = str(caught.value)
    assert metric in message
    assert "RASS_BENCH_WEIGHTS" in message
    for file in FILES[metric]:
        target = tmp_path / "torch" / "hub" / file.cache / file.name
        assert f"curl -L --create-dirs -o '{target}' '{file.url}'" in message


def test_only_what_is_missing_is_asked_for_and_into_the_users_folder(
    make_stand_in, monkeypatch, tmp_path
):
    present = make_stand_in("lpips/alex") / iqa.ALEXNET.name
    (tmp_path / iqa.ALEXNET.name).write_bytes(present.read_bytes())
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError) as caught:
        get_metric("lpips/alex").load()
    assert f"-o '{tmp_path / iqa.LPIPS_ALEX.name}'" in str(caught.value)
    assert iqa.ALEXNET.name not in str(caught.value)


def test_the_libraries_own_caches_are_searched(make_stand_in, tmp_path):
    for file in FILES["lpips/alex"]:
        place = tmp_path / "torch" / "hub" / file.cache / file.name
        place.parent.mkdir(parents=True)
        place.write_bytes((make_stand_in("lpips/alex") / file.name).read_bytes())
    assert get_metric("lpips/alex").load().provenance["pyiqa"] == pyiqa.__version__


def test_the_addresses_are_those_that_the_libraries_know():
    from pyiqa.archs import (
        clip_model,
        dists_arch,
        lpips_arch,
        maniqa_arch,
        musiq_arch,
        niqe_arch,
    )

    assert lpips_arch.default_model_urls["0.1_alex"] == iqa.LPIPS_ALEX.url
    assert dists_arch.default_model_urls["url"] == iqa.DISTS.url
    assert niqe_arch.default_model_urls["url"] == iqa.NIQE.url
    assert musiq_arch.default_model_urls["koniq10k"] == iqa.MUSIQ_KONIQ.url
    assert maniqa_arch.default_model_urls["pipal"] == iqa.MANIQA_PIPAL.url
    assert maniqa_arch.default_model_urls["koniq"] == iqa.MANIQA_KONIQ.url
    assert clip_model._MODELS["RN50"] == iqa.CLIP_RN50.url
    assert torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url == iqa.ALEXNET.url
    assert torchvision.models.VGG16_Weights.IMAGENET1K_V1.url == iqa.VGG16.url


@pytest.mark.parametrize("metric", ["musiq/koniq", "niqe", "clipiqa"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "web page"),
        (b"", "empty"),
        (b"PK\x03\x04 but not for long", "Download the file again"),
    ],
)
def test_a_file_that_is_no_weights_file_is_called_so(
    metric, content, message, tmp_path, monkeypatch
):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(tmp_path))
    path = tmp_path / FILES[metric][0].name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        get_metric(metric).load()
    assert str(path) in str(caught.value)


class _RunsWhenUnpickled:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def test_code_hidden_in_a_weights_file_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(tmp_path))
    trace = tmp_path / "ran"
    path = tmp_path / iqa.MUSIQ_KONIQ.name
    path.write_bytes(pickle.dumps({"head.weight": _RunsWhenUnpickled(trace)}, 2))
    with pytest.raises(UserError, match="no readable state dict"):
        get_metric("musiq/koniq").load()
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0.3, 0.99])
@pytest.mark.parametrize("metric", ["lpips/alex", "niqe", "clipiqa"])
def test_a_truncated_file_is_refused(metric, kept, make_stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(tmp_path))
    for file in FILES[metric]:
        content = (make_stand_in(metric) / file.name).read_bytes()
        (tmp_path / file.name).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match="Download the file again"):
        get_metric(metric).load()


def test_weights_of_another_network_are_refused(make_stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(tmp_path))
    other = make_stand_in("dists") / iqa.DISTS.name
    (tmp_path / iqa.MUSIQ_KONIQ.name).write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="do not fit the network"):
        get_metric("musiq/koniq").load()


def test_torchvision_and_timm_are_as_before_once_a_metric_is_loaded(make_stand_in, monkeypatch):
    import timm

    before = torchvision.models.alexnet, timm.create_model
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(make_stand_in("lpips/alex")))
    get_metric("lpips/alex").load()
    assert (torchvision.models.alexnet, timm.create_model) == before


@pytest.mark.parametrize("metric", sorted(SMALLEST))
def test_an_image_under_the_smallest_side_is_refused(metric, make_stand_in, monkeypatch):
    if metric in FILES:
        monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(make_stand_in(metric)))
    side = SMALLEST[metric]
    image = picture(side)[: side - 1]
    with pytest.raises(UserError, match=f"needs {side} pixels a side"):
        get_metric(metric).load().function(image, image)


def test_a_distance_needs_a_reference_of_the_same_size(make_stand_in, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(make_stand_in("lpips/alex")))
    function = get_metric("lpips/alex").load().function
    with pytest.raises(UserError, match="40 x 40 and its reference 48 x 48"):
        function(picture(40), picture(48))
    with pytest.raises(ValueError, match="none"):
        function(picture(40), None)


def test_noise_raises_piqe():
    function = get_metric("piqe").load().function
    clean = picture(128)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 60, clean.shape), 0, 255)
    assert function(noisy.astype(np.uint8), None) > function(clean, None)
