"""Perceptual losses: the formula in plain numpy, and what must hold of any distance of photos."""

import hashlib
import socket

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from rass_bench.data.scenes import render_scene
from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.metrics import iqa
from rass_bench.models.rass.config import VaeConfig
from rass_bench.models.rass.networks import build_vae
from rass_bench.train.perceptual import (
    FeatureLoss,
    LpipsVggLoss,
    Perceptual,
    build_perceptual,
    map_distance,
)

VAE = VaeConfig((8, 8, 16, 16), layers_per_block=1, norm_groups=4)


@pytest.fixture(autouse=True)
def _seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def vae():
    return build_vae(VAE)


@pytest.fixture
def photos():
    """Two pairs of photos in [-1, 1]."""
    return torch.rand(2, 2, 3, 32, 48) * 2 - 1


@pytest.fixture(scope="module")
def lpips_files(tmp_path_factory):
    """Both files of LPIPS under their published names, with random weights."""
    torchvision = pytest.importorskip("torchvision")
    pytest.importorskip("pyiqa")
    folder = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(1)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    features = {f"features.{name}": one for name, one in layers.state_dict().items()}
    linear = {
        f"lin{index}.model.1.weight": torch.rand(1, channels, 1, 1)
        for index, channels in enumerate([64, 128, 256, 512, 512])
    }
    torch.save(features, folder / iqa.VGG16.name)
    torch.save(linear, folder / iqa.LPIPS_VGG.name)
    return folder


@pytest.fixture
def _no_weights(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a loss tried to reach the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("RASS_BENCH_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def lpips(lpips_files):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASS_BENCH_WEIGHTS", str(lpips_files))
        return LpipsVggLoss()


@pytest.fixture(params=["vae", "lpips"])
def loss(request):
    if request.param == "lpips":
        return request.getfixturevalue("lpips")
    return FeatureLoss(request.getfixturevalue("vae"))


def as_tensor(image):
    return torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1)


def unit(maps):
    maps = maps.double().numpy()
    return maps / np.sqrt((maps**2).sum(axis=1, keepdims=True))


def test_features_are_compared_by_the_formula(vae, photos):
    restored, target = photos
    distances = []
    with torch.no_grad():
        one, other = vae.encoder.conv_in(restored), vae.encoder.conv_in(target)
        for block in vae.encoder.down_blocks:
            one, other = block(one), block(other)
            difference = (unit(one) - unit(other)) ** 2
            distances.append(difference.sum(axis=1).mean(axis=(1, 2)).mean())
    assert len(distances) == 4
    found = FeatureLoss(vae)(restored, target).item()
    assert found == pytest.approx(np.mean(distances), rel=1e-5)


def test_lpips_is_the_published_formula_on_the_files_given(lpips, lpips_files, photos):
    """Zhang et al. 2018, equation 1; scaling as the authors' code has it for photos in [-1, 1]."""
    torchvision = pytest.importorskip("torchvision")
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    state = torch.load(lpips_files / iqa.VGG16.name, weights_only=True)
    layers.load_state_dict({name.removeprefix("features."): one for name, one in state.items()})
    linear = torch.load(lpips_files / iqa.LPIPS_VGG.name, weights_only=True)
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    one, other = (photos - shift) / scale
    expected = 0.0
    taken = iter(linear.values())
    with torch.no_grad():
        for index, layer in enumerate(layers[:30]):
            one, other = layer(one.clone()), layer(other.clone())
            if index in (3, 8, 15, 22, 29):  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
                weights = next(taken).double().numpy()
                difference = weights * (unit(one) - unit(other)) ** 2
                expected += difference.sum(axis=1).mean(axis=(1, 2)).mean()
    assert lpips(*photos).item() == pytest.approx(expected, rel=1e-4)


def test_equal_photos_are_at_no_distance_and_others_are(loss, photos):
    restored, target = photos
    assert loss(restored, restored).item() == pytest.approx(0, abs=1e-6)
    assert loss(restored, target) > 1e-3


def test_the_distance_is_the_same_both_ways(loss, photos):
    restored, target = photos
    assert loss(restored, target).item() == pytest.approx(loss(target, restored).item(), rel=1e-5)


def test_the_distance_of_a_batch_is_the_mean_of_its_photos(loss, photos):
    restored, target = photos
    each = [loss(restored[[n]], target[[n]]).item() for n in range(2)]
    assert loss(restored, target).item() == pytest.approx(np.mean(each), rel=1e-4)


def test_the_gradient_reaches_the_restored_photo_alone(loss, photos):
    restored, target = (one.clone().requires_grad_() for one in photos)
    loss(restored, target).backward()
    assert restored.grad.any()
    assert target.grad is None
    assert all(one.grad is None and not one.requires_grad for one in loss.parameters())


def test_descending_the_gradient_brings_photos_nearer(loss, photos):
    restored, target = photos[0].clone().requires_grad_(), photos[1]
    before = loss(restored, target)
    (gradient,) = torch.autograd.grad(before, restored)
    with torch.no_grad():
        after = loss(restored - 0.02 * gradient.sign(), target)
    assert after < before


def test_training_changes_nothing_but_evaluation(loss, photos):
    """A stage that puts its modules into training mode gets no random channels dropped."""
    wanted = loss(*photos).item()
    assert loss.train()(*photos).item() == wanted


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 100), st.integers(0, 2**31))
def test_a_factor_common_to_all_channels_does_not_count(factor, seed):
    one, other = torch.randn(2, 2, 5, 3, 4, generator=torch.Generator().manual_seed(seed))
    wanted = map_distance(one, other)
    torch.testing.assert_close(map_distance(factor * one, other), wanted)
    # It may differ from place to place.
    torch.testing.assert_close(map_distance(one, other * (0.5 + torch.rand(2, 1, 3, 4))), wanted)


def test_opposite_features_are_farthest_and_features_without_length_have_a_gradient():
    one = torch.randn(3, 4, 2, 2)
    torch.testing.assert_close(map_distance(one, -one), torch.full((3,), 4.0))
    nothing = torch.zeros(1, 4, 2, 2, requires_grad=True)
    map_distance(nothing, one[:1]).sum().backward()
    assert torch.isfinite(nothing.grad).all()


@pytest.mark.parametrize("source", ["scene", "camvid"])
def test_more_blur_and_more_noise_are_farther(vae, source, shared_data):
    if source == "scene":
        image = render_scene("val", 0).image
    else:
        image = read_image(min(shared_data("camvid").glob("images/val/*.jpg")))[:256, :256]
    loss = FeatureLoss(vae)
    clean = as_tensor(image)
    noise = torch.randn_like(clean)

    blurred = [
        loss(as_tensor(gaussian_filter(image.astype(float), (sigma, sigma, 0))), clean).item()
        for sigma in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    noisy = [loss(clean + sigma * noise, clean).item() for sigma in (0.0, 0.02, 0.05, 0.1, 0.2)]
    for distances in (blurred, noisy):
        assert distances == sorted(distances)
        assert len(set(distances)) == 5


def test_under_autocast_the_distance_is_float32_and_nearly_the_same(loss, photos):
    wanted = loss(*photos).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(*photos)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(wanted, rel=0.05)


def test_the_record_names_the_encoders_weights(vae):
    source = FeatureLoss(vae).source()
    assert source.kind is Perceptual.VAE
    assert "4 down blocks" in source.features
    again = build_vae(VAE)
    again.load_state_dict(vae.state_dict())
    assert FeatureLoss(again).source() == source
    with torch.no_grad():
        again.encoder.down_blocks[2].resnets[0].conv1.weight[0, 0, 0, 0] += 1e-3
    assert FeatureLoss(again).source().weights_sha256 != source.weights_sha256


def test_the_record_names_the_weights_files(lpips, lpips_files):
    names = (iqa.LPIPS_VGG.name, iqa.VGG16.name)
    hashes = {name: hashlib.sha256((lpips_files / name).read_bytes()).hexdigest() for name in names}
    assert lpips.source().weights_sha256 == hashes


@pytest.mark.usefixtures("_no_weights")
def test_absent_weights_are_named_and_not_fetched():
    pytest.importorskip("pyiqa")
    with pytest.raises(UserError, match=r"LPIPS_v0\.1_vgg-a78928a0\.pth, vgg16-397923af\.pth"):
        LpipsVggLoss()


def test_each_kind_has_its_loss(vae, lpips_files, monkeypatch):
    monkeypatch.setenv("RASS_BENCH_WEIGHTS", str(lpips_files))
    assert isinstance(build_perceptual(Perceptual.VAE, vae), FeatureLoss)
    assert isinstance(build_perceptual(Perceptual.LPIPS_VGG, vae), LpipsVggLoss)
    assert build_perceptual(Perceptual.OFF, vae) is None
