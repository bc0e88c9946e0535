"""What annotators handed in: which work counts, what becomes of the rest, and how each is read."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rass_bench.annotate.handed_in import load_photos, pseudonym, read_work
from rass_bench.annotate.imports import MaskFormat, import_masks
from rass_bench.annotate.project import load_project, save_project
from rass_bench.annotate.raw import annotation_path
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.images import label_png
from rass_bench.labels import load_label_space
from tests.annotate import builders
from tests.annotate.builders import HEIGHT, WIDTH, region
from tests.annotate.projects import adjudicate, annotation, begin, drawn, hand_in

SPACE = load_label_space("ade20k-150")
WALL, TREE = 0, 4


def street():
    labels = np.full((HEIGHT, WIDTH), WALL, dtype=np.uint8)
    labels[: HEIGHT // 2] = TREE
    return labels


@pytest.fixture
def samples(tmp_path):
    return builders.photos(tmp_path / "photos", 2)


@pytest.fixture
def project(tmp_path, samples):
    return begin(tmp_path / "project", samples, prelabel="stripes@1")


@pytest.fixture
def sample(samples):
    return samples[0].id


def photo_of(project, sample):
    return {photo.sample: photo for photo in load_photos(project)}[sample]


def read(project, sample):
    photo = photo_of(project, sample)
    return [read_work(project, photo, work, SPACE) for work in photo.all_works]


# Which work counts


def test_without_photos_the_commands_that_bring_them_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing was pushed or imported.*push.*import"):
        load_photos(tmp_path)


def test_before_a_pull_every_photo_is_there_with_nothing_on_it(project, samples):
    photos = load_photos(project)
    assert [photo.sample for photo in photos] == [one.id for one in samples]
    assert [photo.source_sha256 for photo in photos] == [sha256_file(one.image) for one in samples]
    assert {(one.task_id, one.prelabel) for one in photos} == {(1, "stripes@1"), (2, "stripes@1")}
    assert all(photo.all_works == () for photo in photos)


def test_the_newest_annotation_of_an_annotator_counts_whatever_its_number(project, sample):
    times = {5: "2026-01-03T00:00:00Z", 6: "2026-01-01T00:00:00Z", 7: "2026-01-02T00:00:00Z"}
    works = [annotation(n, 1, drawn(street()), updated_at=times[n]) for n in times]
    hand_in(project, {sample: [*works, annotation(8, 2, drawn(street()))]})
    photo = photo_of(project, sample)
    assert [(work.annotator, work.pulled.annotation_id) for work in photo.works] == [
        ("annotator-1", 5),
        ("annotator-2", 8),
    ]
    assert {work.pulled.annotation_id for work in photo.superseded} == {6, 7}


def test_of_two_annotations_of_one_moment_the_later_number_counts(project, sample):
    works = [annotation(n, 1, drawn(street()), updated_at="2026-01-01") for n in (9, 10)]
    hand_in(project, {sample: works})
    assert [work.pulled.annotation_id for work in photo_of(project, sample).works] == [10]


def test_what_cannot_be_used_is_named_and_an_earlier_work_counts_instead(project, sample):
    hand_in(
        project,
        {sample: [annotation(1, 1, drawn(street())), annotation(2, 1, [region("no class")])]},
    )
    photo = photo_of(project, sample)
    assert [work.pulled.annotation_id for work in photo.works] == [1]
    assert [one.annotation_id for one in photo.refused] == [2]
    assert "no class" in photo.refused[0].problem


def test_drafts_and_deleted_tasks_belong_to_their_photo(project, samples):
    hand_in(project, {}, drafts=(samples[0].id,), gone=(samples[1].id,))
    photos = load_photos(project)
    assert [(photo.has_draft, photo.is_gone) for photo in photos] == [(True, False), (False, True)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, None]),
            st.sampled_from(["drawn", "skipped", "refused"]),
            st.integers(0, 2),
        ),
        max_size=6,
    )
)
def test_no_annotation_disappears(project, sample, handed):
    results = {"drawn": drawn(street()), "skipped": [], "refused": [region("no class")]}
    annotations = [
        annotation(
            number,
            who,
            results[kind],
            was_cancelled=kind == "skipped",
            updated_at=f"2026-01-0{1 + day}",
        )
        for number, (who, kind, day) in enumerate(handed)
    ]
    hand_in(project, {sample: annotations})
    photo = photo_of(project, sample)
    counted = [work.pulled.annotation_id for work in (*photo.works, *photo.superseded)]
    refused = [one.annotation_id for one in photo.refused]
    kinds = {number: kind for number, (_, kind, _) in enumerate(handed)}
    assert sorted(counted) == [number for number in kinds if kinds[number] == "drawn"]
    assert sorted(refused) == [number for number in kinds if kinds[number] == "refused"]
    assert set(photo.skipped) == {pseudonym(who) for who, kind, _ in handed if kind == "skipped"}
    assert len({work.annotator for work in photo.works}) == len(photo.works)


# The adjudicator


def test_the_newest_work_of_adjudication_decides_and_the_opinions_stay(project, sample):
    other = np.full_like(street(), TREE)
    hand_in(project, {sample: [annotation(n, n, drawn(street())) for n in (1, 2)]})
    adjudicate(
        project, {sample: [annotation(3, 3, drawn(street())), annotation(4, 4, drawn(other))]}
    )
    photo = photo_of(project, sample)
    assert photo.decided.pulled.annotation_id == 4
    assert [work.pulled.annotation_id for work in photo.superseded] == [3]
    assert [work.annotator for work in photo.all_works] == [
        "annotator-1",
        "annotator-2",
        "annotator-4",
    ]
    first, _, decided = read(project, sample)
    assert np.array_equal(first.opinion.labels, street())
    assert np.array_equal(decided.opinion.labels, other)


def test_what_becomes_of_a_dispute_without_a_decision_is_told(project, sample):
    hand_in(project, {sample: [annotation(n, n, drawn(street())) for n in (1, 2)]})
    adjudicate(
        project,
        {
            sample: [
                annotation(3, 3, [region("no class")]),
                annotation(4, 4, [], was_cancelled=True),
            ]
        },
        drafts=(sample,),
        gone=(sample,),
    )
    photo = photo_of(project, sample)
    assert photo.decided is None
    assert [one.annotation_id for one in photo.refused] == [3]
    assert photo.skipped == ("annotator-4",)
    assert (photo.has_draft, photo.is_gone) == (True, True)


# Imports


@pytest.fixture
def masks(tmp_path, samples):
    """A mask of the first photo alone."""
    folder = tmp_path / "masks"
    folder.mkdir()
    raw = street() + 1
    raw[0] = 0
    (folder / f"{samples[0].image.stem}.png").write_bytes(label_png(raw))
    return folder


def test_a_mask_of_another_tool_is_one_more_work_that_covers_everything(tmp_path, samples, masks):
    plain = [type(one)(one.image.stem, one.image) for one in samples]
    project = begin(tmp_path / "p", plain)
    hand_in(project, {plain[0].id: [annotation(1, 1, drawn(street()))]})
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "Zoe")
    photo = photo_of(project, plain[0].id)
    assert [work.annotator for work in photo.works] == ["Zoe", "annotator-1"]
    assert photo.works[0].version == f"Zoe@{photo.works[0].sha256[:8]}"
    zoe = read(project, plain[0].id)[0]
    assert (zoe.opinion.labels[0] == 255).all()
    assert np.array_equal(zoe.opinion.labels[1:], street()[1:])
    assert zoe.opinion.covered.all()
    assert zoe.origins == {"imported": 1.0}
    assert (zoe.opinion.seconds, zoe.opinion.untouched) == (None, False)


def test_masks_alone_make_photos_without_a_task(tmp_path, samples, masks):
    project = begin(tmp_path / "p", [])
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "ann")
    (photo,) = load_photos(project)
    assert (photo.task_id, photo.height, photo.width) == (None, HEIGHT, WIDTH)
    assert photo.source_sha256 == sha256_file(samples[0].image)
    assert photo.path.read_bytes() == samples[0].image.read_bytes()


def test_a_mask_of_another_photo_under_a_pushed_name_is_refused(tmp_path, samples, masks):
    project = begin(tmp_path / "p", [])
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "ann")
    name = samples[0].image.stem
    begin(project, [type(samples[1])(name, samples[1].image)])
    with pytest.raises(UserError, match="another photo of the same name") as caught:
        load_photos(project)
    assert name in str(caught.value)
    assert "ann" in str(caught.value)


# Reading


def test_a_raw_annotation_that_was_changed_is_refused_by_name(project, sample):
    hand_in(project, {sample: [annotation(1, 1, drawn(street()))]})
    photo = photo_of(project, sample)
    path = annotation_path(project, sample, 1)
    path.write_text(path.read_text().replace("60.0", "61.0"))
    with pytest.raises(UserError, match="was changed since it was pulled") as caught:
        read_work(project, photo, photo.works[0], SPACE)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("photo", ["../../secret.png", "/etc/passwd", "photos/../../x.png"])
def test_no_photo_of_the_list_leads_out_of_the_project(project, photo):
    listed = load_project(project)
    bad = type(listed.tasks[0])(**{**vars(listed.tasks[0]), "photo": photo})
    save_project(project, listed.with_tasks([bad]))
    with pytest.raises(UserError, match="leads out of the folder"):
        load_photos(project)


def region_at(rows, origin, name):
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[rows] = True
    return region("4", mask, id=name, origin=origin)


def test_origins_are_shares_of_what_lies_on_top(project, sample):
    result = [
        region_at(slice(0, 24), "prediction", "whole"),
        region_at(slice(0, 6), "prediction-changed", "changed"),
        region_at(slice(4, 10), "manual", "drawn"),
        region_at(slice(8, 12), None, "without"),
        region_at(slice(0, 0), "manual", "erased"),
    ]
    hand_in(project, {sample: [annotation(1, 1, result)]})
    (found,) = read(project, sample)
    # Rows by the region on top: 0..3 changed, 4..7 drawn, 8..11 without origin, 12..23 whole.
    assert found.origins == pytest.approx(
        {"prediction-changed": 4 / 24, "manual": 8 / 24, "prediction": 12 / 24}
    )


def test_origins_are_shares_of_the_drawn_pixels_alone(project, sample):
    hand_in(project, {sample: [annotation(1, 1, [region_at(slice(0, 3), "manual", "some")])]})
    assert read(project, sample)[0].origins == {"manual": 1.0}


def test_an_annotation_without_a_region_is_an_empty_map(project, sample):
    hand_in(project, {sample: [annotation(1, 1, [])]})
    (found,) = read(project, sample)
    assert (found.opinion.labels == 255).all()
    assert not found.opinion.covered.any()
    assert (found.origins, found.opinion.untouched) == ({}, False)


TWO = [region_at(slice(0, 6), "prediction", "a"), region_at(slice(6, 9), "prediction", "b")]


@pytest.mark.parametrize(
    ("result", "shown", "untouched"),
    [
        (TWO, {"result": TWO}, True),
        (TWO, {}, True),  # annotations that were imported hold no copy
        (TWO, None, True),
        (TWO[:1], {"result": TWO}, False),  # one was deleted
        ([TWO[0], TWO[1] | {"origin": "prediction-changed"}], {"result": TWO}, False),
        ([*TWO, region_at(slice(20, 22), "manual", "c")], {"result": TWO}, False),
        ([TWO[0], region_at(slice(6, 9), "manual", "c")], {"result": TWO}, False),
        ([], {"result": TWO}, False),
        ([one | {"origin": "manual"} for one in TWO], {"result": TWO}, False),
    ],
)
def test_a_pre_annotation_that_was_handed_in_as_it_was_is_noticed(
    project, sample, result, shown, untouched
):
    hand_in(project, {sample: [annotation(1, 1, result, prediction=shown)]})
    assert read(project, sample)[0].opinion.untouched is untouched
