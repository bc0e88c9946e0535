"""Recipes: their distribution is the preset's, and they survive JSON and strangers."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rass_bench.degrade.kernels import Kernel, KernelKind
from rass_bench.degrade.preset import PRESETS, ResizeMode
from rass_bench.degrade.recipe import (
    Blur,
    GaussianNoise,
    Jpeg,
    PoissonNoise,
    Recipe,
    Resize,
    describe,
    from_json,
    sample,
    to_json,
)
from rass_bench.errors import UserError

RASS = PRESETS.get("rass")
SIZES = list(range(7, 22, 2))

# About 60 tests are made of one fixed draw of 2,000 recipes: a threshold of 1e-4 leaves a right
# sampler a chance of 0.6 % to fail for some seed, and the seed is fixed.
ALPHA = 1e-4


@pytest.fixture(scope="module")
def recipes():
    return [sample(RASS, 2026, f"photo-{i}") for i in range(2000)]


@pytest.fixture(scope="module")
def parts(recipes):
    """Each recipe's steps by their role in the two-order degradation."""
    return [split(recipe.steps) for recipe in recipes]


def split(steps):
    rest = list(steps)
    roles = {"blur1": rest.pop(0), "resize1": rest.pop(0), "noise1": rest.pop(0)}
    roles["jpeg1"] = rest.pop(0)
    roles["blur2"] = rest.pop(0) if isinstance(rest[0], Blur) else None
    roles["resize2"], roles["noise2"] = rest.pop(0), rest.pop(0)
    roles["jpeg_last"] = isinstance(rest[-1], Jpeg)
    roles["jpeg2"] = rest.pop(-1 if roles["jpeg_last"] else 0)
    roles["back"] = rest.pop(0)
    roles["sinc"] = rest.pop(0) if rest else None
    assert rest == []
    return roles


def assert_probabilities(outcomes, expected):
    """Chi-square test of counted outcomes against probabilities by outcome."""
    counts = Counter(outcomes)
    assert counts.keys() <= expected.keys()
    total = sum(counts.values())
    observed = [counts[key] for key in expected]
    p_value = stats.chisquare(observed, [total * share for share in expected.values()]).pvalue
    assert p_value > ALPHA, (p_value, counts)


def assert_uniform(values, low, high):
    """Kolmogorov-Smirnov test against the uniform distribution over [low, high]."""
    assert low <= min(values) <= max(values) <= high
    p_value = stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue
    assert p_value > ALPHA, p_value


@pytest.mark.parametrize(("role", "sigma"), [("blur1", (0.2, 3)), ("blur2", (0.2, 1.5))])
def test_blur_kernels_follow_the_preset(parts, role, sigma):
    kernels = [part[role].kernel for part in parts if part[role]]
    assert_probabilities([kernel.size for kernel in kernels], dict.fromkeys(SIZES, 1 / 8))
    shares = {"iso": 0.45, "aniso": 0.25, "generalized_iso": 0.12, "generalized_aniso": 0.03}
    shares |= {"plateau_iso": 0.12, "plateau_aniso": 0.03}
    kinds = {kind: 0.9 * share for kind, share in shares.items()} | {"sinc": 0.1}
    assert_probabilities([kernel.kind.value for kernel in kernels], kinds)
    shaped = [kernel for kernel in kernels if kernel.kind is not KernelKind.SINC]
    turned = [kernel for kernel in shaped if kernel.kind.is_anisotropic]
    assert_uniform([kernel.sigma_x for kernel in shaped], *sigma)
    assert_uniform([kernel.sigma_y for kernel in turned], *sigma)
    assert_uniform([kernel.theta for kernel in turned], -math.pi, math.pi)


@pytest.mark.parametrize("role", ["blur1", "blur2"])
def test_sinc_cutoffs_depend_on_the_size(parts, role):
    kernels = [part[role].kernel for part in parts if part[role]]
    sinc = [kernel for kernel in kernels if kernel.kind is KernelKind.SINC]
    small = [kernel.cutoff for kernel in sinc if kernel.size < 13]
    large = [kernel.cutoff for kernel in sinc if kernel.size >= 13]
    assert_uniform(small, math.pi / 3, math.pi)
    assert_uniform(large, math.pi / 5, math.pi)


@pytest.mark.parametrize("role", ["blur1", "blur2"])
def test_shapes_lie_below_and_above_one_equally_often(parts, role):
    kernels = [part[role].kernel for part in parts if part[role]]
    generalized = [k.beta for k in kernels if k.kind.value.startswith("generalized")]
    assert_probabilities([beta < 1 for beta in generalized], {True: 0.5, False: 0.5})
    assert_uniform([beta for beta in generalized if beta < 1], 0.5, 1)
    assert_uniform([beta for beta in generalized if beta > 1], 1, 4)
    plateau = [k.beta for k in kernels if k.kind.value.startswith("plateau")]
    assert_probabilities([beta == 1 for beta in plateau], {True: 0.5, False: 0.5})
    assert_uniform([beta for beta in plateau if beta != 1], 1, 2)


@pytest.mark.parametrize(
    ("role", "range_", "of_original", "probabilities"),
    [
        ("resize1", (0.15, 1.5), False, {"up": 0.2, "down": 0.7, "keep": 0.1}),
        ("resize2", (0.3, 1.2), True, {"up": 0.3, "down": 0.4, "keep": 0.3}),
    ],
)
def test_resizes_follow_the_preset(parts, role, range_, of_original, probabilities):
    steps = [part[role] for part in parts]
    scales = [step.scale for step in steps]
    directions = ["keep" if s == 1 else "up" if s > 1 else "down" for s in scales]
    assert_probabilities(directions, probabilities)
    assert_uniform([scale for scale in scales if scale > 1], 1, range_[1])
    assert_uniform([scale for scale in scales if scale < 1], range_[0], 1)
    assert {step.of_original for step in steps} == {of_original}
    assert_probabilities([step.mode for step in steps], dict.fromkeys(ResizeMode, 1 / 3))


@pytest.mark.parametrize(
    ("role", "sigma", "scale"),
    [("noise1", (1, 30), (0.05, 3)), ("noise2", (1, 25), (0.05, 2.5))],
)
def test_noise_follows_the_preset(parts, role, sigma, scale):
    steps = [part[role] for part in parts]
    gaussian = [step for step in steps if isinstance(step, GaussianNoise)]
    poisson = [step for step in steps if isinstance(step, PoissonNoise)]
    assert_probabilities([isinstance(s, GaussianNoise) for s in steps], {True: 0.5, False: 0.5})
    for kind in (gaussian, poisson):
        assert_probabilities([step.grey for step in kind], {True: 0.4, False: 0.6})
    assert_uniform([step.sigma for step in gaussian], *sigma)
    assert_uniform([step.scale for step in poisson], *scale)


@pytest.mark.parametrize("role", ["jpeg1", "jpeg2"])
def test_jpeg_qualities_follow_the_preset(parts, role):
    qualities = [part[role].quality for part in parts]
    # Uniform over 30..95 and rounded: half the share for the two ends.
    shares = dict.fromkeys(range(31, 95), 1 / 65) | {30: 0.5 / 65, 95: 0.5 / 65}
    assert_probabilities(qualities, shares)
    assert_uniform(qualities, 30, 95)


def test_last_steps_follow_the_preset(parts):
    assert_probabilities([part["jpeg_last"] for part in parts], {True: 0.5, False: 0.5})
    assert_probabilities([part["blur2"] is None for part in parts], {True: 0.2, False: 0.8})
    assert_probabilities([part["sinc"] is None for part in parts], {True: 0.2, False: 0.8})
    kernels = [part["sinc"].kernel for part in parts if part["sinc"]]
    assert {kernel.kind for kernel in kernels} == {KernelKind.SINC}
    assert_probabilities([kernel.size for kernel in kernels], dict.fromkeys(SIZES, 1 / 8))
    assert_uniform([kernel.cutoff for kernel in kernels], math.pi / 3, math.pi)
    back = [part["back"] for part in parts]
    assert {(step.scale, step.of_original) for step in back} == {(1.0, True)}
    assert_probabilities([step.mode for step in back], dict.fromkeys(ResizeMode, 1 / 3))


def test_choices_are_independent_of_each_other(parts):
    for first, second in (("noise1", "noise2"), ("noise1", "jpeg_last"), ("noise2", "jpeg_last")):
        table = np.zeros((2, 2))
        for part in parts:
            row, column = (
                part[role] is True or isinstance(part[role], GaussianNoise)
                for role in (first, second)
            )
            table[int(row), int(column)] += 1
        assert stats.chi2_contingency(table).pvalue > ALPHA
    columns = [
        [part["resize1"].scale for part in parts],
        [part["jpeg1"].quality for part in parts],
        [part["jpeg2"].quality for part in parts],
    ]
    correlations = np.corrcoef(columns)[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(2000)


def test_one_factor_presets_do_one_thing_and_get_worse():
    first_step = {
        "blur": lambda step: step.kernel.sigma_x,
        "noise": lambda step: step.sigma,
        "jpeg": lambda step: -step.quality,
        "resize": lambda step: -step.scale,
    }
    for factor, strength in first_step.items():
        drawn = [sample(PRESETS.get(f"{factor}-{level}"), 0, "a") for level in range(1, 6)]
        strengths = [strength(recipe.steps[0]) for recipe in drawn]
        assert strengths == sorted(set(strengths)), factor
        assert {len(recipe.steps) for recipe in drawn} == {2 if factor == "resize" else 1}
        other = sample(PRESETS.get(f"{factor}-3"), 7, "b")
        assert other.steps == drawn[2].steps, "nothing but the noise is random"


def test_every_preset_has_a_version_a_title_and_a_table():
    assert set(PRESETS.names()) == {"rass"} | {
        f"{factor}-{level}"
        for factor in ("blur", "noise", "jpeg", "resize")
        for level in range(1, 6)
    }
    for name, preset in PRESETS:
        assert preset.key == f"{name}@{preset.version}"
        assert preset.title
        assert all(stage and parameter and value for stage, parameter, value in preset.table())
    rows = {(stage, parameter): value for stage, parameter, value in RASS.table()}
    assert rows["1. blur", "sigma (px)"] == "0.2 to 3"
    assert rows["6. resize", "grow, keep, shrink"] == "30 %, 30 %, 40 %"
    assert rows["8. last steps", "JPEG quality"] == "30 to 95"


def test_a_recipe_depends_on_seed_and_sample_alone():
    recipe = sample(RASS, 5, "a/b")
    assert sample(RASS, 5, "a/b") == recipe
    assert sample(RASS, 6, "a/b").steps != recipe.steps
    assert sample(RASS, 5, "a/c").steps != recipe.steps


def test_recipes_survive_json(recipes):
    for recipe in recipes[:200]:
        text = json.dumps(to_json(recipe), allow_nan=False)
        assert from_json(json.loads(text), "x") == recipe


widths = st.floats(0.1, 10)
kernels = st.one_of(
    st.builds(Kernel, st.just(KernelKind.ISO), st.sampled_from(range(1, 22, 2)), widths),
    st.builds(
        Kernel,
        st.just(KernelKind.PLATEAU_ANISO),
        st.sampled_from(range(1, 22, 2)),
        widths,
        widths,
        st.floats(-math.pi, math.pi),
        st.floats(0.1, 8),
    ),
    st.builds(
        Kernel,
        st.just(KernelKind.SINC),
        st.sampled_from(range(1, 22, 2)),
        cutoff=st.floats(0.1, math.pi),
    ),
)
step_lists = st.lists(
    st.one_of(
        st.builds(Blur, kernels),
        st.builds(Resize, st.floats(0.01, 16), st.booleans(), st.sampled_from(ResizeMode)),
        st.builds(GaussianNoise, st.floats(0, 255), st.booleans()),
        st.builds(PoissonNoise, st.floats(0, 100), st.booleans()),
        st.builds(Jpeg, st.integers(1, 100)),
    ),
    max_size=5,
)


@given(step_lists, st.integers(), st.text())
def test_any_recipe_survives_json_and_can_be_told(steps, seed, sample_id):
    recipe = Recipe("mine", "0.1", seed, sample_id, tuple(steps))
    assert from_json(json.loads(json.dumps(to_json(recipe))), "x") == recipe
    assert len(describe(recipe)) == len(steps)


def test_words_say_what_is_done():
    recipe = Recipe(
        "mine",
        "1",
        0,
        "a",
        (
            Blur(Kernel(KernelKind.GENERALIZED_ANISO, 9, 1.5, 0.25, math.pi / 6, 0.5)),
            Blur(Kernel(KernelKind.SINC, 7, cutoff=math.pi / 2)),
            Resize(0.5, False, ResizeMode.AREA),
            Resize(1.0, True, ResizeMode.BICUBIC),
            GaussianNoise(12.0, True),
            PoissonNoise(0.5, False),
            Jpeg(40),
        ),
    )
    assert describe(recipe) == [
        "1. generalized Gaussian blur 9 x 9, sigma 1.50 and 0.25 px at 30°, beta 0.50",
        "2. sinc filter 7 x 7, cutoff 0.50 pi",
        "3. resize to 50 % of its size, area",
        "4. resize to the original size, bicubic",
        "5. grey Gaussian noise, sigma 12.0 of 255",
        "6. colour Poisson noise, scale 0.50",
        "7. JPEG compression, quality 40",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema_version=2), "schema 2; this program reads 1"),
        (lambda d: d.update(author="me"), "author"),
        (lambda d: d.pop("seed"), "seed"),
        (lambda d: d.update(seed=1.5), "seed is 1.5, not int"),
        (lambda d: d["steps"][0].update(step="sharpen"), "sharpen"),
        (lambda d: d["steps"][0].update(amount=3), "amount"),
        (lambda d: d["steps"][0]["kernel"].update(size=8), "kernel size 8 is not odd"),
        (lambda d: d["steps"][0]["kernel"].update(kind="box"), "box"),
        (lambda d: d["steps"][0]["kernel"].update(sigma_x="wide"), "sigma_x is 'wide'"),
        (lambda d: d["steps"][1].update(scale=float("nan")), "scale is nan, not a finite number"),
        (lambda d: d["steps"][1].update(of_original=1), "of_original is 1, not bool"),
        (lambda d: d["steps"][3].update(quality=101), "quality 101 is outside 1..100"),
        (lambda d: d.update(steps=7), "malformed recipe"),
    ],
)
def test_a_recipe_from_a_stranger_is_checked(change, message):
    document = to_json(sample(RASS, 0, "a"))
    change(document)
    with pytest.raises(UserError, match=message):
        from_json(document, "manifest.json")


@pytest.mark.parametrize("document", [None, [], "rass", 1])
def test_what_is_no_recipe_is_refused(document):
    with pytest.raises(UserError, match="recipe of schema None"):
        from_json(document, "manifest.json")


def test_kernels_refuse_parameters_that_they_lack():
    with pytest.raises(ValueError, match="iso kernel has no beta"):
        Kernel(KernelKind.ISO, 7, 1.0, beta=2.0)
    with pytest.raises(ValueError, match="sinc kernel needs cutoff"):
        Kernel(KernelKind.SINC, 7)
