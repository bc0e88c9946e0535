"""The policy file and its judgement: what passes, what is fixed, what is adjudicated, and why."""

import dataclasses

import numpy as np
import pytest
import yaml

from rass_bench.annotate.policy import (
    Consensus,
    Policy,
    default_policy_file,
    judge,
    judge_all,
    load_policy,
)
from rass_bench.annotate.qa.duplicates import Duplicate
from rass_bench.annotate.qa.findings import Decision, Severity, load_verdicts, save_verdicts
from rass_bench.annotate.qa.measures import Opinion, measure
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space

SPACE = load_label_space("ade20k-150")
WALL, TREE, CAR = 0, 4, 20


def street():
    """60 x 80 pixels: tree above, wall below, a car on the wall."""
    labels = np.full((60, 80), WALL, dtype=np.uint8)
    labels[:30] = TREE
    labels[40:55, 20:50] = CAR
    return labels


def opinion(annotator="ann", labels=None, covered=None, seconds=300.0, untouched=False):
    labels = street() if labels is None else labels
    covered = labels != 255 if covered is None else covered
    return Opinion(annotator, labels, covered, seconds, untouched)


def measured(*opinions, policy=None, sample="photo", probabilities=None):
    policy = policy or load_policy()
    return measure(
        sample,
        opinions,
        SPACE,
        speck_share=policy.speck_share,
        boundary_tolerance=policy.boundary_tolerance,
        probabilities=probabilities,
    )


def verdict(*opinions, **changes):
    policy = dataclasses.replace(load_policy(), **changes)
    return judge(measured(*opinions, policy=policy), policy, SPACE)


def sure_of(labels, share):
    """A model that gives every pixel's label that probability."""
    probabilities = np.full((150, *labels.shape), (1 - share) / 149, dtype=np.float32)
    np.put_along_axis(probabilities, labels[None].astype(np.int64), share, axis=0)
    return probabilities


def checks(found):
    return {finding.check for finding in found.findings}


# The file


def test_the_shipped_policy_names_every_entry_and_explains_it():
    text = default_policy_file().read_text("utf-8")
    assert set(yaml.safe_load(text)) == {field.name for field in dataclasses.fields(Policy)}
    for block in text.split("\n\n")[2:]:
        assert block.startswith("#"), block


def test_entries_left_out_are_those_of_the_shipped_policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("min_kappa: 0.9\nmax_specks: null\nconsensus: staple\n")
    policy = load_policy(path)
    assert (policy.min_kappa, policy.max_specks) == (0.9, None)
    assert policy.consensus is Consensus.STAPLE
    assert policy.min_alpha == load_policy().min_alpha


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("min_kapa: 0.8", "unknown entry 'min_kapa'.*Did you mean min_kappa"),
        ("min_kappa: 80", "min_kappa cannot be 80.*a number from 0 to 1, or null"),
        ("min_kappa: .nan", "min_kappa cannot be nan"),
        ("min_kappa: true", "min_kappa cannot be True"),
        ("max_specks: 1.5", "max_specks cannot be 1.5.*a whole number from 0 on"),
        ("min_annotators: null", "min_annotators cannot be None.*whole number from 0 on[.]"),
        ("min_seconds: -1", "min_seconds cannot be -1.*a number from 0 on"),
        ("allow_untouched_prelabel: 1", "cannot be 1.*true or false"),
        ("consensus: vote", "consensus cannot be 'vote'.*majority or staple"),
        ("min_seconds: 1" + 400 * "0", "min_seconds cannot be beyond 1e.09.*a number from 0 on"),
        (
            "max_specks: 0x" + 5000 * "f",
            "max_specks cannot be beyond 1e.09.*a whole number from 0 on",
        ),
        ("gates: {min_kappa: 1}", "unknown entry 'gates'"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_would_be_right(tmp_path, line, message):
    path = tmp_path / "policy.yaml"
    path.write_text(line)
    with pytest.raises(UserError, match=message) as caught:
        load_policy(path)
    assert str(path) in str(caught.value)


def test_a_policy_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no policy there .*gone\.yaml.*annotate init") as caught:
        load_policy(tmp_path / "gone.yaml")
    assert f"--dir {tmp_path}" in caught.value.do


# The judgement


def test_two_equal_and_complete_annotations_pass_without_a_finding():
    found = verdict(opinion("ann"), opinion("ben"))
    assert found.decision is Decision.PASS
    assert found.findings == ()


def test_a_single_annotation_waits_for_the_second():
    found = verdict(opinion())
    assert found.decision is Decision.FIX
    assert found.findings[0].note == "1 of 2 annotations are there"


def with_gap():
    labels = street()
    labels[:6] = 255
    return {"labels": labels}


def with_ignored():
    labels = street()
    labels[:30] = 255
    return {"labels": labels, "covered": np.ones(labels.shape, dtype=bool)}


def with_specks():
    labels = street()
    labels[32:38:2, 1:79:2] = CAR
    return {"labels": labels}


def with_holes():
    labels = street()
    labels[2:28:5, 3:77:8] = 255
    return {"labels": labels}


def with_zigzag():
    labels = street()
    labels[26:34:1, ::2] = TREE
    labels[26:34:1, 1::2] = WALL
    return {"labels": labels}


@pytest.mark.parametrize(
    ("check", "changes", "limits"),
    [
        ("unlabelled", with_gap(), {}),
        ("ignored", with_ignored(), {}),
        ("specks", with_specks(), {"speck_share": 0.001}),
        ("holes", with_holes(), {"speck_share": 0.001, "max_unlabelled": None}),
        ("roughness", with_zigzag(), {"max_specks": None}),
        ("seconds", {"seconds": 3.0}, {}),
        ("untouched", {"untouched": True}, {}),
    ],
)
def test_what_is_wrong_with_one_annotation_sends_it_back_to_its_annotator(check, changes, limits):
    found = verdict(opinion("ann"), opinion("ben", **changes), **limits)
    assert found.decision is Decision.FIX
    fixes = [one for one in found.findings if one.severity is Severity.FIX]
    assert [(one.check, one.annotator) for one in fixes] == [(check, "ben")]


def test_annotators_who_name_an_object_differently_are_adjudicated():
    other = street()
    other[other == TREE] = 17
    found = verdict(opinion("ann"), opinion("ben", other))
    assert found.decision is Decision.ADJUDICATE
    names = {"class-iou/tree", "class-iou/plant", "pixel-agreement", "kappa", "alpha"}
    assert names <= checks(found)
    assert "IoU of tree 0.000 between ann and ben" in " ".join(one.note for one in found.findings)


def test_a_small_object_is_not_held_to_the_iou_of_a_class():
    other = street()
    other[other == CAR] = 80
    assert "class-iou/car" in checks(verdict(opinion("ann"), opinion("ben", other)))
    lenient = verdict(opinion("ann"), opinion("ben", other), class_share=0.2)
    assert "class-iou/car" not in checks(lenient)


def test_what_must_be_fixed_comes_before_what_must_be_adjudicated():
    other = np.where(street() == TREE, np.uint8(17), street())
    found = verdict(opinion("ann"), opinion("ben", other, seconds=1.0))
    assert found.decision is Decision.FIX
    assert found.findings[0].check == "seconds"
    assert "kappa" in checks(found)


def test_duplicates_are_noted_and_pass():
    again = Duplicate("photo", "earlier", exact=False, likeness=0.99)
    policy = load_policy()
    (found,) = judge_all([measured(opinion("ann"), opinion("ben"))], policy, SPACE, [again])
    assert found.decision is Decision.PASS
    assert [(one.check, one.note) for one in found.findings] == [
        ("near-duplicate", "the photo looks the same as earlier")
    ]


def test_the_images_that_a_model_finds_least_plausible_are_noted_and_pass():
    policy = dataclasses.replace(load_policy(), suspicious_share=0.4)
    both = opinion("ann"), opinion("ben")
    shares = {"a": 0.9, "b": 0.2, "c": 0.7, "d": 0.4, "e": 0.8}
    measures = [
        measured(*both, sample=sample, probabilities=sure_of(street(), share))
        for sample, share in shares.items()
    ]
    unscored = measured(*both, sample="f")
    found = judge_all([*measures, unscored], policy, SPACE)
    assert [one.sample for one in found] == ["a", "b", "c", "d", "e", "f"]
    assert [one.sample for one in found if checks(one) == {"label-quality"}] == ["b", "d"]
    assert {one.decision for one in found} == {Decision.PASS}


@pytest.mark.parametrize(
    "gate",
    [
        one.name
        for one in dataclasses.fields(Policy)
        if one.name.startswith(("min_", "max_")) and "None" in one.type
    ],
)
def test_a_gate_of_null_makes_no_finding(gate):
    other = with_holes()["labels"]
    other[other == TREE] = 17
    other[31:38:2, 1:79:2] = CAR
    other[:3] = 255
    strict = {"max_ignored": 0.0, "max_roughness": 0.0, "speck_share": 0.001}
    strict |= {"min_boundary_f1": 0.99, "max_specks": 0, "max_holes": 0}
    strict |= {"max_unlabelled": 0.0, "min_mean_iou": 0.99}
    covered = np.ones(other.shape, dtype=bool)
    covered[2:28:5, 3:77:8] = False
    worst = opinion("ben", other, covered, seconds=1.0)
    check = gate.removeprefix("min_").removeprefix("max_").replace("_", "-")

    def found(**changes):
        judged = verdict(opinion("ann"), worst, **{**strict, **changes})
        return {one.split("/")[0] for one in checks(judged)}

    assert check in found()
    assert found(**{gate: None}) == found() - {check}


def test_annotations_of_one_class_are_judged_without_kappa_or_alpha():
    wall = np.zeros((20, 20), dtype=np.uint8)
    assert verdict(opinion("ann", wall), opinion("ben", wall)).decision is Decision.PASS


def test_three_annotators_are_judged_by_every_pair():
    other = np.where(street() == TREE, np.uint8(17), street())
    found = verdict(opinion("ann"), opinion("ben"), opinion("cat", other))
    notes = [one.note for one in found.findings if one.check == "kappa"]
    assert len(notes) == 2
    assert all("cat" in note for note in notes)


# Verdicts on disk


def test_verdicts_survive_the_file(tmp_path):
    other = np.where(street() == TREE, np.uint8(17), street())
    verdicts = (verdict(opinion("ann"), opinion("ben", other)), verdict(opinion()))
    path = tmp_path / "verdicts.json"
    save_verdicts(path, verdicts)
    assert load_verdicts(path) == verdicts


@pytest.mark.parametrize(
    "text", ["[]", '{"schema_version": 1}', '{"schema_version": 9, "verdicts": []}']
)
def test_a_file_that_holds_no_verdicts_is_refused(tmp_path, text):
    path = tmp_path / "verdicts.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"verdicts\.json"):
        load_verdicts(path)
