"""The finished data set: whole or absent, its masks the consensus, every one with its origin."""

import json
import resource
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from rass_bench.annotate.assess import assess
from rass_bench.annotate.build import build_dataset
from rass_bench.annotate.credentials import load_or_create_credentials
from rass_bench.annotate.imports import MaskFormat, import_masks
from rass_bench.annotate.policy import Consensus
from rass_bench.annotate.project import load_project
from rass_bench.annotate.raw import annotation_path
from rass_bench.data.dataset import build_manifest, open_dataset
from rass_bench.data.manifest import Sample, load_manifest
from rass_bench.data.reading import read_truth
from rass_bench.errors import UserError
from rass_bench.files import sha256_file
from rass_bench.images import label_png, read_image
from rass_bench.labels import load_label_space
from tests.annotate import builders
from tests.annotate.builders import HEIGHT, WIDTH, region
from tests.annotate.projects import (
    CONFIG_SHA256,
    SERVER_VERSION,
    adjudicate,
    annotation,
    begin,
    drawn,
    hand_in,
    policy,
)

SPACE = load_label_space("ade20k-150")
OPEN = {
    "max_unlabelled": None,
    "max_ignored": None,
    "max_specks": None,
    "max_holes": None,
    "min_pixel_agreement": None,
    "min_kappa": None,
    "min_mean_iou": None,
    "min_boundary_f1": None,
    "min_alpha": None,
    "min_class_iou": None,
}
"""A policy that lets through whatever two people drew."""


@pytest.fixture
def samples(tmp_path):
    return builders.photos(tmp_path / "photos", 3)


@pytest.fixture
def project(tmp_path, samples):
    return begin(tmp_path / "project", samples, prelabel="stripes@1")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "set"


def random_maps(seed, count):
    """Label maps of four classes and 255, ignore where drawn and nothing elsewhere."""
    rng = np.random.default_rng(seed)
    maps = rng.choice(np.array([0, 7, 149, 255], np.uint8), size=(count, HEIGHT, WIDTH))
    ignored = (maps == 255) & rng.choice([True, False], size=maps.shape)
    return maps, ignored


def random_annotations(seed, count, first=1):
    maps, ignored = random_maps(seed, count)
    return [
        annotation(first + i, 1 + i, drawn(maps[i], ignored[i]), updated_at=f"t{i}")
        for i in range(count)
    ]


def whole(class_id=3):
    return np.full((HEIGHT, WIDTH), class_id, dtype=np.uint8)


def hand_in_whole(project, samples):
    """Two equal annotations of each photo."""
    hand_in(
        project,
        {
            one.id: [annotation(2 * i + n, n, drawn(whole(3 + i))) for n in (1, 2)]
            for i, one in enumerate(samples)
        },
    )


def build(project, out, on_error="fail", **changes):
    return build_dataset(project, assess(project, policy(**changes)), out, on_error=on_error)


def provenance(out):
    return json.loads((out / "provenance.json").read_text("utf-8"))


def raw_mask(out, sample):
    return np.asarray(Image.open(out / "annotations" / "validation" / f"{sample}.png"))


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# What is built


def test_the_set_opens_and_its_manifest_is_that_of_its_files(project, samples, out):
    hand_in_whole(project, samples)
    report = build(project, out)
    assert report.left_out == ()
    dataset = open_dataset(str(out))
    assert (dataset.spec.key, dataset.split.name, dataset.split.count) == (
        "reallq@1.0",
        "validation",
        3,
    )
    assert [one.id for one in dataset.samples] == [one.id for one in samples]
    stored = load_manifest(out / "manifest-validation.json")
    assert stored == build_manifest(dataset) == report.manifest
    for index, (made, source) in enumerate(zip(dataset.samples, samples, strict=True)):
        assert made.image.read_bytes() == source.image.read_bytes()
        assert (read_truth(dataset, made) == 3 + index).all()


def test_the_folder_holds_photos_masks_and_three_files_and_nothing_else(project, samples, out):
    hand_in_whole(project, samples)
    build(project, out)
    files = [path for path in everything(out) if (out / path).is_file()]
    assert files == sorted(
        [
            *(f"annotations/validation/{one.id}.png" for one in samples),
            *(f"images/validation/{one.id}.png" for one in samples),
            "dataset.yaml",
            "manifest-validation.json",
            "provenance.json",
        ]
    )
    assert everything(out.parent)[0] == "set"


def test_the_mask_is_the_majority_of_three_where_zero_stands_for_ignore(project, samples, out):
    handed = {one.id: random_annotations(i, 3, 10 * i + 1) for i, one in enumerate(samples)}
    hand_in(project, handed)
    build(project, out, **OPEN)
    for index, one in enumerate(samples):
        maps, ignored = random_maps(index, 3)
        found = raw_mask(out, one.id)
        for row in range(HEIGHT):
            for column in range(WIDTH):
                votes = Counter(
                    int(maps[i, row, column])
                    for i in range(3)
                    if maps[i, row, column] != 255 or ignored[i, row, column]
                )
                ranked = [*votes.most_common(2), (255, 0), (255, 0)]
                winner = ranked[0][0] if ranked[0][1] > ranked[1][1] else 255
                assert found[row, column] == (0 if winner == 255 else winner + 1)
        assert provenance(out)["masks"][index]["made_by"] == "majority"


def test_a_set_that_counts_from_zero_is_written_so(tmp_path, samples, out):
    project = begin(tmp_path / "camvid", samples[:1], dataset="camvid")
    half = whole(3)
    half[:4] = 255
    ignored = half == 255
    hand_in(project, {samples[0].id: [annotation(n, n, drawn(half, ignored)) for n in (1, 2)]})
    build(project, out)
    found = np.asarray(Image.open(out / "annotations" / "test" / f"{samples[0].id}.png"))
    assert np.array_equal(found, half)


def test_staple_takes_the_two_who_agree_everywhere(project, samples, out):
    maps, _ = random_maps(5, 2)
    maps[maps == 255] = 7
    good, bad = maps
    handed = [annotation(n, n, drawn(good if n < 3 else bad)) for n in (1, 2, 3)]
    hand_in(project, {samples[0].id: handed})
    build(project, out, "skip", consensus=Consensus.STAPLE, **OPEN)
    assert np.array_equal(raw_mask(out, samples[0].id), good + 1)
    assert provenance(out)["masks"][0]["made_by"] == "staple"
    assert provenance(out)["policy"]["consensus"] == "staple"


def test_one_annotation_is_enough_where_the_policy_says_so(project, samples, out):
    maps, _ = random_maps(1, 1)
    hand_in(project, {samples[0].id: random_annotations(1, 1)})
    with pytest.raises(UserError, match="3 of 3 photos did not pass"):
        build(project, out, **OPEN)
    build(project, out, "skip", min_annotators=1, **OPEN)
    assert np.array_equal(raw_mask(out, samples[0].id), maps[0] + np.uint8(1))
    assert provenance(out)["masks"][0]["made_by"] == "single"


def test_the_adjudicators_mask_is_taken_as_it_is(project, samples, out):
    sample = samples[0].id
    maps, _ = random_maps(2, 3)
    hand_in(project, {sample: [annotation(n, n, drawn(maps[n])) for n in (1, 2)]})
    adjudicate(project, {sample: [annotation(3, 3, drawn(maps[0]))]})
    build(project, out, "skip", max_unlabelled=None, max_specks=None, max_holes=None)
    assert np.array_equal(raw_mask(out, sample), maps[0] + np.uint8(1))
    (mask,) = provenance(out)["masks"]
    assert mask["made_by"] == "adjudicator"
    assert [one["annotator"] for one in mask["contributions"]] == ["annotator-3"]
    assert [one["annotator"] for one in mask["overruled"]] == ["annotator-1", "annotator-2"]
    home = project / "adjudication"
    assert mask["contributions"][0]["sha256"] == sha256_file(annotation_path(home, sample, 3))


def test_an_imported_mask_counts_as_a_vote(tmp_path, samples, out):
    plain = [Sample(one.image.stem, one.image) for one in samples[:1]]
    project = begin(tmp_path / "imported", plain)
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / f"{plain[0].id}.png").write_bytes(label_png(whole(9) + np.uint8(1)))
    hand_in(project, {plain[0].id: [annotation(n, n, drawn(whole(8 + n))) for n in (1, 2)]})
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "Zoe")
    build(project, out, "skip", **OPEN)
    assert (raw_mask(out, plain[0].id) == 10).all()
    by_name = {one["annotator"]: one for one in provenance(out)["masks"][0]["contributions"]}
    assert by_name["Zoe"]["source"] == "png masks"
    assert by_name["Zoe"]["origins"] == {"imported": 1.0}
    assert by_name["Zoe"]["annotation_id"] is None


# Where it comes from


def test_every_mask_names_the_raw_files_that_it_was_made_of(project, samples, out):
    hand_in_whole(project, samples)
    build(project, out)
    found = provenance(out)
    assert (found["dataset"], found["label_studio"]) == ("reallq@1.0", SERVER_VERSION)
    assert found["labeling_config_sha256"] == CONFIG_SHA256
    assert [mask["sample"] for mask in found["masks"]] == [one.id for one in samples]
    for index, (mask, sample) in enumerate(zip(found["masks"], samples, strict=True)):
        assert mask["mask_sha256"] == sha256_file(
            out / "annotations" / "validation" / f"{sample.id}.png"
        )
        assert mask["source_sha256"] == sha256_file(sample.image)
        assert (mask["prelabel"], mask["overruled"]) == ("stripes@1", [])
        for number, one in enumerate(mask["contributions"], start=1):
            raw = annotation_path(project, sample.id, 2 * index + number)
            assert one == {
                "annotator": f"annotator-{number}",
                "sha256": sha256_file(raw),
                "annotation_id": 2 * index + number,
                "updated_at": json.loads(raw.read_text())["updated_at"],
                "seconds": 60.0,
                "origins": {"manual": 1.0},
                "untouched": False,
                "source": None,
            }


def test_nothing_in_the_set_tells_who_annotated_or_where(project, samples, out, tmp_path):
    admin = load_or_create_credentials(project).admin
    handed = {
        one.id: [
            annotation(
                2 * i + n,
                n,
                drawn(whole()),
                created_username=" ann@example.org, 2",
                completed_by_email="ann@example.org",
                token=admin.token,
            )
            for n in (1, 2)
        ]
        for i, one in enumerate(samples[:2])
    }
    handed[samples[1].id][0]["result"] = [region("no class")]
    hand_in(project, handed)
    build(project, out, "skip")
    secrets = [admin.token, admin.password, admin.email, "@example.org", str(tmp_path)]
    for path in out.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [secret for secret in secrets if secret.encode() in content], path


def test_a_project_of_imports_alone_has_no_server_to_name(tmp_path, samples, out):
    project = begin(tmp_path / "imported", [])
    masks = tmp_path / "masks"
    masks.mkdir()
    for one in samples:
        (masks / f"{one.image.stem}.png").write_bytes(label_png(whole()))
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "Zoe")
    build(project, out, min_annotators=1)
    found = provenance(out)
    assert (found["label_studio"], found["labeling_config_sha256"]) == (None, None)
    assert len(found["masks"]) == 3


# What is not built


def test_a_photo_that_did_not_pass_stops_the_build_or_is_left_out_by_name(project, samples, out):
    hand_in_whole(project, samples[:2])
    with pytest.raises(UserError, match="1 of 3 photos did not pass") as caught:
        build(project, out)
    assert samples[2].id in str(caught.value)
    assert not out.parent.exists()
    report = build(project, out, "skip")
    assert [one.sample for one in report.left_out] == [samples[2].id]
    (left_out,) = provenance(out)["left_out"]
    assert (left_out["sample"], left_out["decision"]) == (samples[2].id, "fix")
    assert left_out["findings"][0]["note"] == "0 of 2 annotations are there"
    assert len(open_dataset(str(out)).samples) == 2


def test_without_any_photo_that_passed_nothing_is_made(project, out):
    with pytest.raises(UserError, match="no photo passed"):
        build(project, out, "skip")
    assert not out.parent.exists()


def test_a_folder_that_exists_is_left_alone(project, samples, out):
    hand_in_whole(project, samples)
    out.mkdir(parents=True)
    (out / "mine").write_text("mine")
    with pytest.raises(UserError, match="the folder exists"):
        build(project, out, "skip")
    assert everything(out) == ["mine"]


def change_annotation(project, sample):
    path = annotation_path(project, sample, 6)
    path.write_text(path.read_text() + " ")


def change_photo(project, sample):
    task = next(one for one in load_project(project).tasks if one.sample == sample)
    path = project / "files" / task.photo
    Image.fromarray(255 - read_image(path)).save(path)


@pytest.mark.parametrize("change", [change_annotation, change_photo])
def test_what_was_changed_since_ends_the_build_and_leaves_nothing(project, samples, out, change):
    hand_in_whole(project, samples)
    assessment = assess(project, policy())
    change(project, samples[2].id)
    with pytest.raises(UserError, match="was changed since"):
        build_dataset(project, assessment, out)
    assert everything(out.parent) == []


def test_a_full_disk_ends_the_build_and_leaves_nothing(project, samples, out):
    hand_in_whole(project, samples)
    assessment = assess(project, policy())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Masks of one class are shorter, the photos of noise are longer.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UserError, match="the disk is full or a file-size limit"):
            build_dataset(project, assessment, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert everything(out.parent) == []


# Hostile projects


@pytest.mark.parametrize(
    "name", ["../x", "../../x", "/tmp/x", "a/../../../../x", "a\0b", "x" * 300]
)
def test_no_sample_is_read_or_written_outside_its_folder(tmp_path, samples, name):
    home = tmp_path / "deep" / "er" / "still"
    project = begin(home / "project", samples[:1])
    hand_in(project, {samples[0].id: [annotation(n, n, drawn(whole())) for n in (1, 2)]})
    for file in ("tasks.json", "pull.json"):
        path = project / file
        document = json.loads(path.read_text())
        for entry in document.get("tasks" if file == "tasks.json" else "annotations"):
            entry["sample"] = name
        path.write_text(json.dumps(document))
    before = everything(tmp_path)
    with pytest.raises(UserError):
        build(project, home / "set", "skip")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\0b", "x" * 300])
def test_no_mask_is_written_outside_the_set(tmp_path, samples, out, name):
    project = begin(tmp_path / "imported", [])
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / f"{samples[0].image.stem}.png").write_bytes(label_png(whole()))
    import_masks(project, samples[0].image.parent, masks, MaskFormat.PNG, "Zoe")
    listed = project / "imports.json"
    document = json.loads(listed.read_text())
    document["masks"][0]["sample"] = name
    listed.write_text(json.dumps(document))
    before = everything(tmp_path)
    with pytest.raises(UserError):
        build(project, out, min_annotators=1)
    assert everything(tmp_path) == [*sorted([*before, "made"])]


def test_a_name_with_script_is_a_file_like_any_other(tmp_path, samples, out):
    sample = Sample('"><script>alert(1)<', samples[0].image)
    project = begin(tmp_path / "hostile", [sample])
    hand_in(project, {sample.id: [annotation(n, n, drawn(whole())) for n in (1, 2)]})
    build(project, out)
    assert [one.id for one in open_dataset(str(out)).samples] == [sample.id]


def test_the_set_does_not_lie_in_the_project(project, samples):
    hand_in_whole(project, samples)
    with pytest.raises(UserError, match="in the project's own folder"):
        build(project, project / "adjudication")
    assert not (project / "adjudication").exists()
