"""Quality assurance of a project: what becomes of each photo, and why."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rass_bench.annotate.assess import assess, write_assessment
from rass_bench.annotate.imports import MaskFormat, import_masks
from rass_bench.annotate.project import load_project, save_project
from rass_bench.annotate.qa.findings import Decision, Severity, load_verdicts
from rass_bench.annotate.raw import annotation_path
from rass_bench.data.manifest import Sample
from rass_bench.errors import UserError
from rass_bench.images import label_png, read_image
from rass_bench.labels import load_label_space
from tests.annotate import builders
from tests.annotate.builders import HEIGHT, WIDTH, Stripes, region
from tests.annotate.projects import adjudicate, annotation, begin, drawn, hand_in, policy

SPACE = load_label_space("ade20k-150")
WALL, TREE, PLANT = 0, 4, 17
HOSTILE = '"><script>alert(1)</script>'


def street():
    labels = np.full((HEIGHT, WIDTH), WALL, dtype=np.uint8)
    labels[: HEIGHT // 2] = TREE
    return labels


def disputed():
    """The same street, whose trees somebody takes for plants."""
    return np.where(street() == TREE, np.uint8(PLANT), street())


def two(labels=street, other=street, **changes):
    """What two annotators hand in."""
    return [annotation(1, 1, drawn(labels())), annotation(2, 2, drawn(other()), **changes)]


@pytest.fixture
def samples(tmp_path):
    return builders.photos(tmp_path / "photos", 3)


@pytest.fixture
def project(tmp_path, samples):
    return begin(tmp_path / "project", samples)


def verdicts(project, **changes):
    found = assess(project, policy(**changes))
    assert [one.sample for one in found.verdicts] == [photo.sample for photo in found.photos]
    assert [one.sample for one in found.measures] == [photo.sample for photo in found.photos]
    return {one.sample: one for one in found.verdicts}


def notes(verdict):
    return {(one.check, one.severity, one.annotator) for one in verdict.findings}


def test_every_photo_gets_a_verdict_one_of_each_kind(project, samples):
    agreed, torn, alone = (one.id for one in samples)
    hand_in(
        project,
        {
            agreed: two(),
            torn: [
                one | {"id": one["id"] + 2, "updated_at": "2026"} for one in two(other=disputed)
            ],
            alone: [annotation(5, 1, drawn(street()))],
        },
    )
    found = verdicts(project)
    assert (found[agreed].decision, found[agreed].findings) == (Decision.PASS, ())
    assert found[torn].decision is Decision.ADJUDICATE
    assert found[alone].decision is Decision.FIX
    assert found[alone].findings[0].note == "1 of 2 annotations are there"


def test_a_photo_that_nobody_labelled_waits(project, samples):
    found = verdicts(project)
    assert {one.decision for one in found.values()} == {Decision.FIX}
    assert {one.findings[0].note for one in found.values()} == {"0 of 2 annotations are there"}


def test_empty_annotations_are_sent_back(project, samples):
    hand_in(project, {samples[0].id: [annotation(1, 1, []), annotation(2, 2, [])]})
    found = verdicts(project)[samples[0].id]
    assert notes(found) == {
        ("unlabelled", Severity.FIX, "annotator-1"),
        ("unlabelled", Severity.FIX, "annotator-2"),
    }


def test_what_became_of_annotations_on_the_server_is_found(project, samples):
    first, second, third = (one.id for one in samples)
    hand_in(
        project,
        {
            first: [*two(), annotation(3, 1, drawn(street()))],
            second: [annotation(4, 4, [], was_cancelled=True)],
            third: [annotation(5, 5, [region("no class")])],
        },
        drafts=(second,),
        gone=(third,),
    )
    found = verdicts(project)
    assert found[first].decision is Decision.PASS
    assert notes(found[first]) == {("superseded", Severity.NOTE, "annotator-1")}
    assert notes(found[second]) == {
        ("annotators", Severity.FIX, None),
        ("skipped", Severity.NOTE, "annotator-4"),
        ("draft", Severity.NOTE, None),
    }
    assert notes(found[third]) == {
        ("annotators", Severity.FIX, None),
        ("refused", Severity.FIX, "annotator-5"),
        ("deleted", Severity.NOTE, None),
    }
    refused = next(one for one in found[third].findings if one.check == "refused")
    assert "annotation 5 cannot be used" in refused.note
    assert "no class" in refused.note


def test_two_good_annotations_do_not_outweigh_a_third_that_cannot_be_used(project, samples):
    handed = [*two(), annotation(3, 3, [region("no class")])]
    hand_in(project, {samples[0].id: handed})
    assert verdicts(project)[samples[0].id].decision is Decision.FIX


def test_a_pre_annotation_handed_in_untouched_is_sent_back_unless_the_policy_allows_it(
    project, samples
):
    shown = [one | {"origin": "prediction"} for one in drawn(street())]
    kept = annotation(1, 1, shown, prediction={"result": shown})
    pruned = annotation(2, 2, shown, prediction={"result": [*shown, region("ignore")]})
    hand_in(project, {samples[0].id: [kept, pruned]})
    found = verdicts(project)[samples[0].id]
    assert notes(found) == {("untouched", Severity.FIX, "annotator-1")}
    allowed = verdicts(project, allow_untouched_prelabel=True)[samples[0].id]
    assert allowed.decision is Decision.PASS


def test_an_imported_mask_is_the_second_annotator(tmp_path, samples):
    plain = [Sample(one.image.stem, one.image) for one in samples[:2]]
    project = begin(tmp_path / "imported", plain)
    masks = tmp_path / "masks"
    masks.mkdir()
    for one, labels in zip(plain, (street(), disputed()), strict=True):
        (masks / f"{one.id}.png").write_bytes(label_png(labels + np.uint8(1)))
    hand_in(
        project, {one.id: [annotation(i, 1, drawn(street()))] for i, one in enumerate(plain, 1)}
    )
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "Zoe")
    found = verdicts(project)
    decisions = [found[one.id].decision for one in plain]
    assert decisions == [Decision.PASS, Decision.ADJUDICATE]
    assert "between Zoe and annotator-1" in found[plain[1].id].findings[0].note


# The adjudicator


def test_the_adjudicators_work_ends_a_dispute_and_is_judged_alone(project, samples):
    sample = samples[0].id
    hand_in(project, {sample: two(other=disputed)})
    assert verdicts(project)[sample].decision is Decision.ADJUDICATE
    # Both opinions differ from it, and it is a single work: neither counts.
    shown = [one | {"origin": "prediction"} for one in drawn(disputed())]
    decision = annotation(3, 3, shown, prediction={"result": shown})
    adjudicate(project, {sample: [decision]})
    found = verdicts(project)[sample]
    assert found.decision is Decision.PASS
    assert notes(found) == {("adjudicated", Severity.NOTE, "annotator-3")}


def test_an_adjudicators_work_must_be_complete_as_anybodys(project, samples):
    sample = samples[0].id
    hand_in(project, {sample: two(other=disputed)})
    half = street()
    half[:8] = 255
    adjudicate(project, {sample: [annotation(3, 3, drawn(half), lead_time=2.0)]})
    found = verdicts(project)[sample]
    assert notes(found) == {
        ("unlabelled", Severity.FIX, "annotator-3"),
        ("seconds", Severity.FIX, "annotator-3"),
        ("adjudicated", Severity.NOTE, "annotator-3"),
    }


def test_faults_of_the_opinions_are_over_once_an_adjudicator_decided(project, samples):
    sample = samples[0].id
    refused = annotation(4, 4, [region("no class")])
    hand_in(project, {sample: [*two(lead_time=1.0), refused]})
    adjudicate(project, {sample: [annotation(3, 3, drawn(street()))]})
    found = verdicts(project)[sample]
    assert found.decision is Decision.PASS
    assert notes(found) == {
        ("refused", Severity.NOTE, "annotator-4"),
        ("adjudicated", Severity.NOTE, "annotator-3"),
    }


def test_a_decision_that_cannot_be_used_goes_back_to_the_adjudicator(project, samples):
    sample = samples[0].id
    hand_in(project, {sample: two(other=disputed)})
    adjudicate(project, {sample: [annotation(3, 3, [region("no class")])]})
    found = verdicts(project)[sample]
    assert found.decision is Decision.FIX
    assert ("refused", Severity.FIX, "annotator-3") in notes(found)


# The set


def test_a_photo_that_is_there_twice_is_noted(tmp_path, samples):
    again = Sample("again", tmp_path / "again.png")
    Image.fromarray(read_image(samples[0].image)).save(again.image, compress_level=0)
    project = begin(tmp_path / "twice", [samples[0], again])
    found = verdicts(project)
    assert "duplicate" in {one.check for one in found[samples[0].id].findings}
    assert {one.check for one in found["again"].findings} == {"annotators"}


class Scores(Stripes):
    """Class scores at half the photo's size: as sure of wall as the photo's first pixel is red."""

    def predict(self, images):
        scores = np.zeros((len(images), 150, HEIGHT // 2, WIDTH // 2), dtype=np.float32)
        scores[:, WALL] = np.array([image[0, 0, 0] for image in images])[:, None, None] / 32
        return list(scores)


def test_with_a_model_the_least_plausible_labels_are_noted(project, samples):
    wall = np.full((HEIGHT, WIDTH), WALL, dtype=np.uint8)
    hand_in(
        project,
        {
            one.id: [annotation(2 * i + n, n, drawn(wall)) for n in (1, 2)]
            for i, one in enumerate(samples)
        },
    )
    seen = []
    found = assess(
        project,
        policy(suspicious_share=0.4),
        segmenter=Scores(),
        advance=lambda: seen.append(1),
    )
    sure = {one.id: int(read_image(one.image)[0, 0, 0]) / 32 for one in samples}
    expected = {name: np.exp(score) / (np.exp(score) + 149) for name, score in sure.items()}
    assert {one.sample: one.quality for one in found.measures} == pytest.approx(expected, rel=1e-4)
    (noted,) = [one.sample for one in found.verdicts if one.findings]
    assert noted == min(sure, key=sure.get)
    assert {one.decision for one in found.verdicts} == {Decision.PASS}
    assert len(seen) == len(samples)


def test_a_model_without_scores_is_refused(project):
    with pytest.raises(UserError, match=r"stripes@1.*answers with class scores"):
        assess(project, policy(), segmenter=Stripes())


def test_an_annotation_that_was_changed_after_the_pull_is_refused_by_name(project, samples):
    hand_in(project, {samples[0].id: two()})
    path = annotation_path(project, samples[0].id, 2)
    path.write_text(path.read_text().replace("60.0", "60.5"))
    with pytest.raises(UserError, match="was changed since it was pulled") as caught:
        assess(project, policy())
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("side", [HEIGHT + 1, 10**9])
def test_a_photo_of_another_size_than_the_project_states_is_refused_by_name(project, samples, side):
    listed = load_project(project)
    save_project(project, listed.with_tasks([replace(listed.tasks[0], height=side)]))
    with pytest.raises(UserError, match=f"the project states {WIDTH} x {side}") as caught:
        assess(project, policy())
    assert listed.tasks[0].photo in str(caught.value)


# What is written


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_does_not_depend_on_the_number_of_workers(project, samples, tmp_path):
    hand_in(
        project,
        {
            samples[0].id: two(other=disputed),
            samples[1].id: [annotation(3, 1, drawn(street()))],
        },
    )
    for workers in (1, 2):
        found = assess(project, policy(), workers=workers)
        write_assessment(project, tmp_path / f"by {workers}", found, "set")
    assert files(tmp_path / "by 1") == files(tmp_path / "by 2")


def test_page_verdicts_and_tables_tell_of_the_same_photos(project, samples, tmp_path):
    hand_in(project, {samples[0].id: two(other=disputed)})
    adjudicate(project, {samples[0].id: [annotation(3, 3, drawn(street()))]})
    found = assess(project, policy())
    page = write_assessment(project, tmp_path / "qa", found, "set")
    assert load_verdicts(tmp_path / "qa" / "verdicts.json") == found.verdicts
    html = page.read_text("utf-8")
    assert all(one.id in html for one in samples)
    assert "annotator-3" in html  # the decision is shown beside the opinions
    with (tmp_path / "qa" / "annotations.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["sample"], row["annotator"]) for row in rows] == [
        (samples[0].id, "annotator-1"),
        (samples[0].id, "annotator-2"),
    ]


def test_script_in_a_name_or_in_a_label_is_text_on_the_page(tmp_path, samples):
    sample = Sample(HOSTILE.replace("/", "_"), samples[0].image)
    project = begin(tmp_path / "hostile", [sample])
    hand_in(project, {sample.id: [annotation(1, 1, [region(HOSTILE)])]})
    found = assess(project, policy())
    (refused,) = [one for one in found.verdicts[0].findings if one.check == "refused"]
    assert "script" in refused.note
    html = write_assessment(project, tmp_path / "qa", found, HOSTILE).read_text("utf-8")
    assert "alert(1)" in html
    assert "<script>alert" not in html


def test_a_page_that_cannot_be_written_is_named(project, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_assessment(project, tmp_path / "file" / "qa", assess(project, policy()), "set")


def test_a_photo_that_was_replaced_is_refused_by_name(project, samples):
    served = project / "files" / load_project(project).tasks[0].photo
    other = project / "files" / load_project(project).tasks[1].photo
    served.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="changed since it was pushed") as caught:
        assess(project, policy())
    assert str(served) in str(caught.value)


def test_works_keep_the_classes_that_they_were_drawn_in(project, samples):
    hand_in(project, {samples[0].id: two()})
    definition = project / "dataset.yaml"
    definition.write_text(definition.read_text().replace("ade20k-150", "camvid-11"))
    with pytest.raises(UserError, match="drawn in other classes, not in camvid-11"):
        assess(project, policy())


def test_imported_masks_keep_the_classes_that_they_were_drawn_in(tmp_path, samples):
    project = begin(tmp_path / "project", [])
    (project / "tasks.json").unlink()
    masks = tmp_path / "masks"
    masks.mkdir()
    photos = tmp_path / "named"
    photos.mkdir()
    (photos / "a.png").write_bytes(samples[0].image.read_bytes())
    (masks / "a.png").write_bytes(label_png(street() + np.uint8(1)))
    import_masks(project, photos, masks, MaskFormat.PNG, "ann")
    definition = project / "dataset.yaml"
    definition.write_text(definition.read_text().replace("ade20k-150", "camvid-11"))
    with pytest.raises(UserError, match="drawn in ade20k-150, not in camvid-11"):
        assess(project, policy())


def test_an_opinion_changed_after_the_decision_is_noted(project, samples):
    torn = samples[0].id
    hand_in(project, {torn: two(other=disputed, updated_at="2026-03-01T00:00:00Z")})
    adjudicate(project, {torn: [annotation(9, 3, drawn(street()), updated_at="2026-02-01")]})
    verdict = verdicts(project)[torn]
    assert ("outdated-decision", Severity.NOTE, None) in notes(verdict)
    assert verdict.decision is Decision.PASS


def test_a_photo_whose_annotations_the_server_cannot_hand_out_waits(project, samples):
    hand_in(project, {samples[0].id: two()}, unreadable=(samples[0].id,))
    verdict = verdicts(project)[samples[0].id]
    assert ("unreadable", Severity.FIX, None) in notes(verdict)
