"""What is measured of a photo, decided on it, and pooled over a set."""

from statistics import fmean, median

import numpy as np
import pytest
from PIL import Image

from rass_bench.annotate.policy import judge_all, load_policy
from rass_bench.annotate.qa.agreement import cohen_kappa, compare, joint_counts
from rass_bench.annotate.qa.findings import Decision, Finding, Severity, decide
from rass_bench.annotate.qa.measures import Opinion, measure
from rass_bench.annotate.qa.overview import summarise
from rass_bench.annotate.qa.quality import label_quality
from rass_bench.labels import load_label_space

SPACE = load_label_space("ade20k-150")


def measured(sample, *opinions, probabilities=None):
    return measure(
        sample,
        opinions,
        SPACE,
        speck_share=5e-5,
        boundary_tolerance=0.0075,
        probabilities=probabilities,
    )


def opinion(annotator, labels, **more):
    return Opinion(annotator, labels, np.ones(labels.shape, dtype=bool), **more)


@pytest.fixture(scope="module")
def streets(shared_data):
    """Three real label maps of a fifth of their size."""
    folder = shared_data("ade20k150") / "annotations/validation"
    maps = []
    for number in (1, 1232, 1517):
        image = Image.open(folder / f"ADE_val_{number:08}.png")
        small = image.resize((image.width // 5, image.height // 5), Image.Resampling.NEAREST)
        maps.append(np.asarray(small) - np.uint8(1))
    return maps


def shifted(labels, by=4):
    return np.roll(labels, by, axis=1)


# One photo


def test_every_opinion_and_every_pair_of_opinions_is_measured(streets):
    labels = streets[0]
    others = shifted(labels), shifted(labels, 8)
    found = measured(
        "s",
        opinion("ann", labels, seconds=60.0),
        opinion("ben", others[0], untouched=True),
        opinion("cat", others[1]),
    )
    assert [one.annotator for one in found.singles] == ["ann", "ben", "cat"]
    assert [one.seconds for one in found.singles] == [60, None, None]
    assert [one.untouched for one in found.singles] == [False, True, False]
    pairs = [(pair.first, pair.second) for pair in found.pairs]
    assert pairs == [("ann", "ben"), ("ann", "cat"), ("ben", "cat")]
    assert found.pairs[1].agreement.kappa == compare(labels, others[1], 150).kappa
    assert found.worst("kappa") == min(pair.agreement.kappa for pair in found.pairs)


def test_label_quality_is_measured_where_a_model_is_at_hand():
    labels = np.zeros((6, 6), dtype=np.uint8)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(150), size=(6, 6))
    probabilities = probabilities.transpose(2, 0, 1).astype(np.float32)
    other = np.full_like(labels, 3)
    found = measured(
        "s", opinion("ann", labels), opinion("ben", other), probabilities=probabilities
    )
    expected = [label_quality(one, probabilities) for one in (labels, other)]
    assert [one.quality for one in found.singles] == expected
    assert found.quality == min(expected)
    assert measured("s", opinion("ann", labels)).quality is None


def test_a_single_opinion_is_measured_by_itself():
    found = measured("s", opinion("ann", np.zeros((6, 6), dtype=np.uint8)))
    assert (found.pairs, found.alpha, found.worst("kappa")) == ((), None, None)


# Its verdict


def finding(severity):
    return Finding("s", "check", 1.0, severity, "because")


def test_the_most_pressing_finding_decides_and_comes_first():
    severities = [Severity.NOTE, Severity.ADJUDICATE, Severity.FIX]
    found = decide("s", [finding(one) for one in severities])
    assert found.decision is Decision.FIX
    assert [one.severity for one in found.findings] == severities[::-1]
    assert decide("s", map(finding, severities[:2])).decision is Decision.ADJUDICATE
    assert decide("s", map(finding, severities[:1])).decision is Decision.PASS
    assert decide("s", []).decision is Decision.PASS


# The set


def test_agreement_is_pooled_over_pixels_and_not_averaged_over_photos(streets):
    pairs = [(labels, shifted(labels, by)) for labels, by in zip(streets, (0, 4, 12), strict=True)]
    found = [
        measured(str(i), opinion("ann", one), opinion("ben", two))
        for i, (one, two) in enumerate(pairs)
    ]
    overview = summarise(found, judge_all(found, load_policy(), SPACE), SPACE)
    joint = sum(joint_counts(*pair, 150) for pair in pairs)
    both = joint[:150, :150]
    assert overview.kappa == cohen_kappa(joint)
    assert overview.kappa != pytest.approx(fmean(one.worst("kappa") for one in found), abs=1e-3)
    assert overview.pixel_agreement == both.trace() / both.sum()
    by_class = {row.class_id: row for row in overview.classes}
    for class_id, row in by_class.items():
        union = both[class_id].sum() + both[:, class_id].sum() - both[class_id, class_id]
        assert row.iou == pytest.approx(both[class_id, class_id] / union)
    assert sum(row.share for row in overview.classes) == pytest.approx(1)
    shares = [row.share for row in overview.classes]
    assert shares == sorted(shares, reverse=True)


def test_the_classes_confused_most_are_named_with_their_share():
    labels = np.zeros((10, 10), dtype=np.uint8)
    other = labels.copy()
    other[:3] = 7
    other[3] = 9
    found = [measured("a", opinion("ann", labels), opinion("ben", other))]
    found.append(measured("b", opinion("ann", other), opinion("ben", labels)))
    overview = summarise(found, judge_all(found, load_policy(), SPACE), SPACE)
    assert [(one.first, one.second) for one in overview.confusions] == [(0, 7), (0, 9)]
    assert [one.share for one in overview.confusions] == [0.75, 0.25]


def test_photos_are_counted_by_decision_and_by_check(streets):
    labels = streets[0]
    other = np.where(labels == labels[0, 0], np.uint8(149), labels)
    found = [
        measured("same", opinion("ann", labels), opinion("ben", labels)),
        measured("alone", opinion("ann", labels)),
        measured("apart", opinion("ann", labels), opinion("ben", other)),
        measured("apart too", opinion("ann", labels), opinion("ben", other)),
    ]
    policy = load_policy()
    overview = summarise(found, judge_all(found, policy, SPACE), SPACE)
    assert sum(overview.decisions.values()) == 4
    checks = {check: count for check, _, count in overview.checks}
    assert checks["annotators"] == 1
    assert checks["class-iou"] == 2  # photos, not classes


def test_annotators_are_told_apart(streets):
    labels = streets[0]
    other = shifted(labels)
    found = [
        measured("a", opinion("ann", labels, seconds=10.0), opinion("ben", labels)),
        measured("b", opinion("ann", labels, seconds=30.0), opinion("cat", other, untouched=True)),
        measured("c", opinion("ann", labels, seconds=80.0)),
    ]
    rows = summarise(found, judge_all(found, load_policy(), SPACE), SPACE).annotators
    ann, ben, cat = rows
    assert [(row.name, row.images) for row in rows] == [("ann", 3), ("ben", 1), ("cat", 1)]
    assert ann.seconds == median([10, 30, 80])
    assert (ben.kappa, ben.seconds, ben.untouched) == (1, None, 0)
    assert cat.untouched == 1
    assert ann.kappa == pytest.approx((ben.kappa + cat.kappa) / 2)


def test_an_empty_set_has_an_overview():
    overview = summarise([], [], SPACE)
    assert overview.kappa is overview.mean_iou is overview.pixel_agreement is None
    assert set(overview.decisions.values()) == {0}
