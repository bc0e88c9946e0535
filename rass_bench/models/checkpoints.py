"""Checkpoint folders in the Hub's layout: fetched or local, and what they say of themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rass_bench.errors import UserError, suggest
from rass_bench.files import parse_yaml, read_json, sha256_file
from rass_bench.labels import label_space_names, load_label_space
from rass_bench.models.published import PUBLISHED
from rass_bench.weights import REVISION_DIGITS, check_weights_file

WEIGHTS = "model.safetensors"

FETCHED = [
    "config.json",
    "preprocessor_config.json",
    WEIGHTS,
    "README.md",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
]
"""What is downloaded from the Hub; pickled weights are not."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Checkpoint:
    """A segmentation checkpoint.

    Attributes:
        folder: where its files lie.
        name: the last part of the Hub id, or the folder's name.
        revision: the Hub's commit, or the first digits of the weights' hash.
        url: the Hub page, or None for a local folder.
        model_type: the family, a key of ``PUBLISHED``.
        config: config.json.
        processor: preprocessor_config.json, or empty.
        mean: RGB mean that is subtracted from pixels in 0..1.
        std: RGB deviation that the difference is divided by.
        class_names: in id order, lower case.
        licence: from the model card, or "not stated".
        weights_sha256: hash of the weights file.
    """

    folder: Path
    name: str
    revision: str
    url: str | None
    model_type: str
    config: dict[str, Any]
    processor: dict[str, Any]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    class_names: tuple[str, ...]
    licence: str
    weights_sha256: str

    @property
    def title(self) -> str:
        """One line for people."""
        architecture = PUBLISHED[self.model_type].network.split("For")[0]
        return f"{architecture} ({self.name})"

    @property
    def label_space(self) -> str:
        """Name of the label space that its classes are.

        Raises:
            UserError: no known one. To be trained on other classes, a checkpoint needs none.
        """
        return find_label_space(self.config, self.folder / "config.json")


def open_checkpoint(reference: str) -> Checkpoint:
    """Open a local folder, or fetch ``owner/name`` or ``owner/name@revision`` from the Hub.

    Raises:
        UserError: not found, no network, gated, no safetensors weights, unreadable weights, a
            family without a published test protocol, or malformed class names.
    """
    hub_id, _, revision = reference.partition("@")
    local = Path(reference)
    if local.is_dir():
        folder = local
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id) and not reference.startswith("."):
        folder = _fetch(hub_id, revision or None)
    else:
        raise UserError(
            "neither a folder nor a Hub id",
            f"transformers:{reference}",
            "Give a folder with config.json and model.safetensors, or owner/name.",
        )
    config = _read_config(folder)
    processor_file = folder / "preprocessor_config.json"
    processor = read_json(processor_file) if processor_file.is_file() else {}
    digest = _check_weights(folder)
    fetched = folder is not local
    return Checkpoint(
        folder=folder,
        name=hub_id.rpartition("/")[2] if fetched else local.resolve().name,
        revision=folder.name[:REVISION_DIGITS] if fetched else digest[:REVISION_DIGITS],
        url=f"https://huggingface.co/{hub_id}" if fetched else None,
        model_type=config["model_type"],
        config=config,
        processor=processor,
        mean=_triple(processor, "image_mean", IMAGENET_MEAN, processor_file),
        std=_triple(processor, "image_std", IMAGENET_STD, processor_file),
        class_names=_class_names(config, folder / "config.json"),
        licence=_licence(folder / "README.md"),
        weights_sha256=digest,
    )


def find_label_space(config: dict[str, Any], path: Path) -> str:
    """The label space of a checkpoint's classes.

    150 classes are ADE20K's: checkpoints disagree on how to spell them, not on their order.
    Other counts are compared by name.

    Args:
        config: config.json.
        path: its path, for the message.

    Raises:
        UserError: no known label space fits.
    """
    names = _class_names(config, path)
    if len(names) == 150:
        return "ade20k-150"
    for candidate in label_space_names():
        space = load_label_space(candidate)
        if len(names) == space.size and all(
            name in (entry.name, *entry.synonyms)
            for name, entry in zip(names, space.classes, strict=True)
        ):
            return candidate
    raise UserError(
        f"its {len(names)} classes ({', '.join(names[:3])}, ...) are of no known label space",
        str(path),
        f"Known are {', '.join(label_space_names())}; correct id2label, or add a label space.",
    )


def _class_names(config: dict[str, Any], path: Path) -> tuple[str, ...]:
    id2label = config.get("id2label") or {}
    try:
        if id2label:
            return tuple(str(id2label[key]).lower() for key in sorted(id2label.keys(), key=int))
        # transformers writes no id2label for its default of two unnamed classes.
        return tuple(f"label_{index}" for index in range(int(config.get("num_labels", 2))))
    except (TypeError, ValueError, AttributeError):
        raise UserError(
            "id2label or num_labels is malformed", str(path), 'Write id2label: {"0": "wall", ...}.'
        ) from None


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise UserError("no config.json in the checkpoint", str(folder), "Check the path.")
    config = read_json(path)
    model_type = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(model_type, str) or model_type not in PUBLISHED:
        raise UserError(
            f"no published test protocol is known for model_type {model_type!r}",
            str(path),
            suggest(str(model_type), PUBLISHED),
        )
    return dict(config)


def _check_weights(folder: Path) -> str:
    path = folder / WEIGHTS
    if not path.is_file():
        others = sorted(one.name for one in folder.iterdir() if one.suffix in (".bin", ".pt"))
        found = f"; found {', '.join(others)}, which may run code when read" if others else ""
        raise UserError(
            f"the checkpoint has no {WEIGHTS}{found}",
            str(folder),
            "Convert it on a machine you can spare: "
            "model.save_pretrained(folder, safe_serialization=True).",
        )
    check_weights_file(path)
    return sha256_file(path)


def _triple(
    processor: dict[str, Any], key: str, default: tuple[float, float, float], path: Path
) -> tuple[float, float, float]:
    value = processor.get(key, default)
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise UserError(f"{key} is {value!r}", str(path), "Three numbers were expected.")
    red, green, blue = (float(one) for one in value)
    return red, green, blue


def _licence(card: Path) -> str:
    """The licence that a model card's YAML header states."""
    if not card.is_file():
        return "not stated"
    header = re.match(r"---\s*\n(.*?)\n---", card.read_text("utf-8", errors="replace"), re.DOTALL)
    try:
        stated = parse_yaml(header.group(1)) if header else None
    except ValueError:
        return "not stated"
    return str(stated.get("license", "not stated")) if isinstance(stated, dict) else "not stated"


def _fetch(hub_id: str, revision: str | None) -> Path:
    """Bring a Hub repository's files into the Hub's own cache and return their folder."""
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import httpx

    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=FETCHED))
    except hub.GatedRepoError:
        what, do = "the repository is gated", "Accept its terms on its page and `hf auth login`."
    except hub.RepositoryNotFoundError:
        what, do = "no such repository, or a private one", "Check the id, or `hf auth login`."
    except hub.RevisionNotFoundError:
        what, do = f"no revision {revision!r}", "Give a commit, branch or tag after the @."
    except (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled):
        what = "not in the local cache, and the Hub cannot be reached or refuses"
        do = "Connect to the network, or copy the repository here and give its folder."
    except (hub.HfHubHTTPError, httpx.HTTPError) as error:
        what, do = f"the Hub answered: {str(error).strip().splitlines()[0]}", "Try again later."
    raise UserError(what, f"transformers:{hub_id}", do)
