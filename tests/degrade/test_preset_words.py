"""A preset in words: its own numbers, all of them, stage by stage and order by order."""

from dataclasses import fields, is_dataclass, replace

import pytest

from rass_bench.degrade.kernels import KernelKind
from rass_bench.degrade.preset import PRESETS, BlurStage, JpegStage, NoiseStage, Preset, Range
from rass_bench.degrade.preset_words import describe_preset


def changed_numbers(value):
    """Copies of a preset, a stage or a tuple of them, each with one number another."""
    if isinstance(value, bool | str):
        return
    if isinstance(value, float | int):
        yield value * 0.9 if isinstance(value, float) else value + 1
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            for other in changed_numbers(one):
                yield (*value[:index], other, *value[index + 1 :])
    elif is_dataclass(value):
        for field in fields(value):
            for other in changed_numbers(getattr(value, field.name)):
                yield replace(value, **{field.name: other})


def test_every_number_of_the_preset_is_told():
    preset = PRESETS.get("rass")
    others = list(changed_numbers(preset))
    assert len(others) > 90
    for other in others:
        assert describe_preset(other) != describe_preset(preset), other


@pytest.mark.parametrize("name", PRESETS.names())
def test_every_stage_has_a_sentence(name):
    preset = PRESETS.get(name)
    sentences = [one for order in describe_preset(preset) for one in order]
    assert len(sentences) == len(preset.stages)
    assert all(one.endswith(".") and "=" not in one for one in sentences)


def test_real_esrgans_degradation_has_two_orders_of_four():
    """The ranges are those that the RASS authors publish in their configuration."""
    first, second = describe_preset(PRESETS.get("rass"))
    assert [len(first), len(second)] == [4, 4]
    assert first[0].startswith("Blur of all photos. The kernel has 7, 9, 11, 13, 15, 17, 19 or 21 ")
    assert "45 % isotropic Gaussian, 25 % anisotropic Gaussian" in first[0]
    assert "Standard deviation: 0.2 to 3 px" in first[0]
    assert "1 to 1.5 times for 20 %, 0.15 to 1 times for 70 %, 1 times for 10 %" in first[1]
    assert "area, bilinear or bicubic" in first[1]
    assert "standard deviation of 1 to 30 of 255 grey levels" in first[2]
    assert "Poisson of scale 0.05 to 3. For 40 % it is grey" in first[2]
    assert first[3] == "JPEG compression of quality 30 to 95."
    assert second[0].startswith("Blur of 80 % of the photos.")
    assert "Standard deviation: 0.2 to 1.5 px" in second[0]
    assert second[1].startswith("Resize to a multiple of the clean photo's size: 1 to 1.2 times")
    assert "1 to 25 of 255" in second[2]
    assert "80 % of the photos, a sinc filter" in second[3]
    assert "JPEG compression of quality 30 to 95, after both for 50 %" in second[3]


def test_what_a_preset_never_does_is_not_told():
    plain = ((KernelKind.ISO, 1.0),)
    blur = BlurStage(1.0, (5,), 0.0, plain, sigma=Range(2, 2))
    noise = NoiseStage(1.0, Range(6, 6), Range(9, 9), 0.0)
    ((blurred, noisy, compressed),) = describe_preset(
        Preset("own", "1", "own", (blur, noise, JpegStage(Range(50, 50))))
    )
    assert blurred == (
        "Blur of all photos. The kernel has 5 px a side. The kernels are: 100 % isotropic "
        "Gaussian. Standard deviation: 2 px."
    )
    assert "Poisson" not in noisy
    assert compressed == "JPEG compression of quality 50."


def test_a_third_order_is_told_as_one():
    stages = (JpegStage(Range(50, 60)), JpegStage(Range(40, 50)), JpegStage(Range(30, 40)))
    assert [len(order) for order in describe_preset(Preset("own", "1", "own", stages))] == [1, 1, 1]
