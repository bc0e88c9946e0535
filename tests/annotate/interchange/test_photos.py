"""Photos by sample id, and classes by the names that other tools write."""

import pytest

from rass_bench.annotate.interchange.photos import (
    Photo,
    class_ids,
    class_named,
    class_titles,
    files_below,
    photos_by_id,
    sample_id_of,
)
from rass_bench.errors import UserError
from rass_bench.labels import load_label_space

ADE = load_label_space("ade20k-150")


@pytest.mark.parametrize(
    ("file_name", "sample_id"),
    [("a.jpg", "a"), ("b/a.v2.jpeg", "b/a.v2"), ("b.c/a", "b.c/a"), ("../a.jpg", "../a")],
)
def test_a_sample_id_is_the_path_without_suffix(file_name, sample_id):
    assert sample_id_of(file_name) == Photo(file_name, 1, 1).sample_id == sample_id


def test_two_photos_of_one_id_are_refused():
    with pytest.raises(UserError, match="two photos have the id 'a'"):
        photos_by_id([Photo("a.jpg", 1, 1), Photo("a.png", 1, 1)])


def test_each_class_has_a_title_of_its_own_that_leads_back_to_it():
    titles, ids = class_titles(ADE), class_ids(ADE)
    assert len(set(titles)) == ADE.size
    assert [ids[title] for title in titles] == list(range(ADE.size))
    assert ids["ignore"] == 255


def test_a_name_wins_over_another_classs_synonym():
    assert class_ids(ADE)["tree"] == ADE.id_of("tree") == 4
    assert "tree" in {name for entry in ADE.classes[5:] for name in entry.synonyms}


def test_a_synonym_of_one_class_alone_means_it():
    assert class_ids(ADE)["edifice"] == 1


def test_the_official_names_of_a_class_joined_mean_it():
    assert class_ids(ADE)["building;edifice"] == 1


def test_a_name_of_two_classes_means_neither():
    holders = [entry.id for entry in ADE.classes if "screen" in (entry.name, *entry.synonyms)]
    assert len(holders) > 1
    with pytest.raises(UserError, match="the name 'screen' means the classes"):
        class_named("screen", class_ids(ADE), ADE, "file")


def test_an_unknown_name_is_refused_with_near_ones():
    with pytest.raises(UserError, match=r"no class of ade20k-150 is named 'bulding'.*building"):
        class_named("bulding", class_ids(ADE), ADE, "file")


def test_files_are_listed_by_id_and_anything_else_is_refused(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("z.png", "b/a.PNG"):
        (tmp_path / name).touch()
    assert [sample_id for sample_id, _ in files_below(tmp_path, ".png")] == ["b/a", "z"]
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"no \.png file") as caught:
        files_below(tmp_path, ".png")
    assert caught.value.where.endswith("notes.txt")


def test_two_masks_of_one_photo_are_refused(tmp_path):
    for name in ("a.png", "a.PNG"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"two masks of one photo: a\.PNG and a\.png"):
        files_below(tmp_path, ".png")


def test_a_link_among_the_masks_is_refused(tmp_path):
    (tmp_path / "a.png").symlink_to("/etc/hostname")
    with pytest.raises(UserError, match="a link instead of a file"):
        files_below(tmp_path, ".png")


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds no \.png file"):
        files_below(tmp_path, ".png")
    with pytest.raises(UserError, match="no such folder"):
        files_below(tmp_path / "absent", ".png")
