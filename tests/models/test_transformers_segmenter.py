"""Each family of transformers networks, small and random, against its own library's arithmetic.

Folders are written by ``save_pretrained``; the expected labels are computed the straightforward
way, with everything at full size.
"""

import copy
import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch.nn.functional import interpolate

from rass_bench.errors import UserError
from rass_bench.models.catalog import load_segmenter
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import fit, segment

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SWIN = {
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}


def _segformer():
    return transformers.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        num_labels=150,
    )


def _upernet():
    backbone = transformers.SwinConfig(**SWIN)
    return transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=16, use_auxiliary_head=False, num_labels=150
    )


def _beit():
    return transformers.BeitConfig(
        image_size=64,
        patch_size=16,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        out_indices=[1, 2, 3, 4],
        use_relative_position_bias=True,
        use_auxiliary_head=False,
        num_labels=150,
    )


def _dpt():
    return transformers.DPTConfig(
        image_size=32,
        patch_size=16,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        use_auxiliary_head=False,
        num_labels=150,
    )


def _mask2former():
    return transformers.Mask2FormerConfig(
        backbone_config=transformers.SwinConfig(**SWIN),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        dim_feedforward=16,
        num_attention_heads=2,
        num_queries=7,
        num_labels=150,
    )


def _oneformer():
    return transformers.OneFormerConfig(
        backbone_config=transformers.SwinConfig(**SWIN),
        hidden_dim=32,
        conv_dim=32,
        mask_dim=32,
        encoder_feedforward_dim=16,
        dim_feedforward=16,
        encoder_layers=1,
        decoder_layers=2,
        query_dec_layers=1,
        num_attention_heads=2,
        num_queries=7,
        text_encoder_width=32,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=600,
        text_encoder_n_ctx=4,
        num_labels=150,
    )


def _eomt():
    return transformers.EomtConfig(
        image_size=64,
        patch_size=16,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_blocks=1,
        num_queries=7,
        num_register_tokens=1,
        num_upscale_blocks=1,
        num_labels=150,
    )


NETWORKS = {
    "segformer": (transformers.SegformerForSemanticSegmentation, _segformer),
    "upernet": (transformers.UperNetForSemanticSegmentation, _upernet),
    "beit": (transformers.BeitForSemanticSegmentation, _beit),
    "dpt": (transformers.DPTForSemanticSegmentation, _dpt),
    "mask2former": (transformers.Mask2FormerForUniversalSegmentation, _mask2former),
    "oneformer": (transformers.OneFormerForUniversalSegmentation, _oneformer),
    "eomt": (transformers.EomtForUniversalSegmentation, _eomt),
}


def _save_tokenizer(folder):
    """A CLIP tokenizer without merges: each character is a token."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    folder.joinpath("vocab.json").write_text(json.dumps(vocabulary))
    folder.joinpath("merges.txt").write_text("#version: 0.2\n")


@torch.no_grad()
def _make_answers_vary(model, model_type):
    """Random networks answer almost the same everywhere: sharpen their last layers."""
    for name, parameter in model.named_parameters():
        if "classifier" in name or ("mask_embed" in name and ".2.0.weight" in name):
            parameter.mul_(60)
    heads = {
        "mask2former": "class_predictor",
        "oneformer": "class_embed",
        "eomt": "class_predictor",
    }
    if model_type in heads:
        inputs = {"pixel_values": torch.randn(1, 3, 64, 64)}
        if model_type == "oneformer":
            inputs["task_inputs"] = torch.zeros((1, 77), dtype=torch.int64)
        for name, head in model.named_modules():
            if name.endswith(heads[model_type]):
                head.weight.mul_(100)
                # What all queries share would make one class win for each of them.
                head.bias -= model(**inputs).class_queries_logits[0].mean(dim=0)


def _save(folder, model_type, side=64):
    torch.manual_seed(0)
    network, config = NETWORKS[model_type]
    model = network(config()).eval()
    _make_answers_vary(model, model_type)
    model.save_pretrained(folder)
    folder.joinpath("preprocessor_config.json").write_text(
        json.dumps({"image_mean": MEAN, "image_std": STD, "size": {"shortest_edge": side}})
    )
    if model_type == "oneformer":
        _save_tokenizer(folder)
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folder and network by family, made on first use."""
    made = {}

    def get(model_type):
        if model_type not in made:
            folder = tmp_path_factory.mktemp("checkpoints") / f"tiny-{model_type}"
            made[model_type] = folder, _save(folder, model_type)
        return made[model_type]

    return get


@pytest.fixture(scope="module")
def photo(shared_data):
    path = shared_data("ade20k150/images/validation/ADE_val_00000001.jpg")
    return np.asarray(Image.open(path).convert("RGB").resize((75, 50)))


def _normalised(pixels):
    values = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).double() / 255
    mean = torch.tensor(MEAN, dtype=torch.float64)[:, None, None]
    std = torch.tensor(STD, dtype=torch.float64)[:, None, None]
    return ((values - mean) / std).float()


def _bilinear(scores, size):
    return interpolate(scores[None], size=size, mode="bilinear", align_corners=False)[0]


def _query_scores(output, size):
    classes = output.class_queries_logits[0].softmax(dim=-1)[:, :-1]
    masks = _bilinear(output.masks_queries_logits[0], size).sigmoid()
    return torch.einsum("qk,qhw->khw", classes, masks)


def _assert_labels(found, scores):
    """Equal wherever the best class leads by more than rounding."""
    best = scores.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-5 * best[0].abs()).numpy()
    assert clear.mean() > 0.98
    assert (found[clear] == scores.argmax(dim=0).numpy()[clear]).all()
    assert len(np.unique(found)) > 1, "a constant answer would prove nothing"


def test_segformer_scores_go_straight_to_the_photo(folders, photo):
    folder, network = folders("segformer")
    model = load_segmenter(f"transformers:{folder}")
    fitted = fit(photo, model.spec.size_rule)
    assert fitted.size == (64, 96)
    with torch.no_grad():
        scores = network(_normalised(fitted.pixels)[None]).logits[0]
    assert model.predict([fitted.pixels])[0].shape == (150, 16, 24)
    _assert_labels(segment(model, [photo])[0], _bilinear(scores, photo.shape[:2]))


def test_upernet_scores_come_before_its_own_interpolation(folders, photo):
    folder, network = folders("upernet")
    model = load_segmenter(f"transformers:{folder}")
    pixels = np.array(fit(photo, model.spec.size_rule).pixels)
    with torch.no_grad():
        scores = network(_normalised(pixels)[None]).logits[0]
    assert scores.shape == (150, 64, 96)
    assert model.predict([pixels])[0].shape == (150, 16, 24)
    _assert_labels(segment(model, [pixels])[0], scores)


def test_dpt_takes_photos_that_are_not_square(folders, photo):
    """The library's own forward lays patches out as a square; its parts can be told otherwise."""
    folder, network = folders("dpt")
    model = load_segmenter(f"transformers:{folder}")
    fitted = fit(photo, model.spec.size_rule)
    assert fitted.size == (64, 96)
    with torch.no_grad():
        states = network.dpt(_normalised(fitted.pixels)[None], output_hidden_states=True)
        features = network.neck(list(states.hidden_states[1:]), patch_height=4, patch_width=6)
        scores = network.head(features)[0]
    _assert_labels(segment(model, [photo])[0], _bilinear(scores, photo.shape[:2]))

    square = np.array(Image.fromarray(photo).resize((64, 64)))
    with torch.no_grad():
        scores = network(_normalised(square)[None]).logits[0]
    _assert_labels(segment(model, [square])[0], _bilinear(scores, (64, 64)))


@pytest.mark.parametrize("model_type", ["mask2former", "oneformer"])
def test_queries_in_the_official_order(folders, photo, model_type):
    """Masks to the padded input, sigmoid, classes, crop, photo size, best class."""
    folder, network = folders(model_type)
    model = load_segmenter(f"transformers:{folder}")
    fitted = fit(photo, model.spec.size_rule)
    assert fitted.size[0] % 32 == fitted.size[1] % 32 == 0
    inputs = {}
    if model_type == "oneformer":
        tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
        tokens = tokenizer("the task is semantic", padding="max_length", max_length=77)
        inputs["task_inputs"] = torch.tensor([tokens["input_ids"]])
    with torch.no_grad():
        output = network(_normalised(fitted.pixels)[None], **inputs)
    scores = _query_scores(output, fitted.size)[:, : fitted.valid[0], : fitted.valid[1]]
    _assert_labels(segment(model, [photo])[0], _bilinear(scores, photo.shape[:2]))


@pytest.mark.parametrize("model_type", ["eomt", "beit"])
def test_windows_are_averaged_at_the_input_size(folders, photo, model_type):
    folder, network = folders(model_type)
    model = load_segmenter(f"transformers:{folder}")
    fitted = fit(photo, model.spec.size_rule)
    assert fitted.size == (64, 96)
    total, count = torch.zeros(150, 64, 96), torch.zeros(64, 96)
    for left in (0, 32):
        with torch.no_grad():
            output = network(_normalised(fitted.pixels)[None, :, :, left : left + 64])
        if model_type == "eomt":
            scores = _query_scores(output, (64, 64))
        else:
            scores = _bilinear(output.logits[0], (64, 64))
        total[:, :, left : left + 64] += scores
        count[:, left : left + 64] += 1
    _assert_labels(segment(model, [photo])[0], _bilinear(total / count, photo.shape[:2]))


@pytest.mark.parametrize("model_type", NETWORKS)
def test_what_is_known_of_each_network(folders, model_type):
    folder, network = folders(model_type)
    model = load_segmenter(f"transformers:{folder}")
    parameters = sum(one.numel() for one in network.parameters())
    assert model.parameters.total == model.parameters.trainable == parameters
    assert model.spec.name == f"tiny-{model_type}"
    assert model.spec.label_space == "ade20k-150"
    assert model.spec.revision == model.spec.weights_sha256[:12]


def test_a_photo_gets_the_same_labels_alone_and_among_others(folders, photo):
    model = load_segmenter(f"transformers:{folders('segformer')[0]}")
    others = [photo[:40], photo, photo[:, ::-1].copy()]
    assert (segment(model, others)[1] == segment(model, [photo])[0]).all()


def test_half_precision_files_compute_in_float32(folders, photo, tmp_path):
    folder, network = folders("segformer")
    halved = copy.deepcopy(network).half()
    halved.save_pretrained(tmp_path / "net")
    tmp_path.joinpath("net", "preprocessor_config.json").write_text(
        folder.joinpath("preprocessor_config.json").read_text()
    )
    model = load_segmenter(f"transformers:{tmp_path / 'net'}")
    pixels = np.array(fit(photo, model.spec.size_rule).pixels)
    with torch.no_grad():
        expected = halved.float()(_normalised(pixels)[None]).logits[0].numpy()
    np.testing.assert_allclose(model.predict([pixels])[0], expected, atol=1e-4)


def test_oneformer_without_its_tokenizer(tmp_path):
    _save(tmp_path / "net", "oneformer")
    tmp_path.joinpath("net", "merges.txt").unlink()
    with pytest.raises(UserError, match=r"OneFormer needs its tokenizer; merges.txt not found"):
        load_segmenter(f"transformers:{tmp_path / 'net'}")


def test_weights_that_lack_tensors(tmp_path):
    from safetensors.torch import load_file, save_file

    _save(tmp_path / "net", "segformer")
    path = tmp_path / "net" / "model.safetensors"
    tensors = load_file(path)
    kept = {name: tensor for name, tensor in tensors.items() if "decode_head" not in name}
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lack \d+ of the network's tensors, decode_head"):
        load_segmenter(f"transformers:{tmp_path / 'net'}")


def test_weights_of_another_network(tmp_path):
    _save(tmp_path / "net", "segformer")
    config = tmp_path / "net" / "config.json"
    changed = {**json.loads(config.read_text()), "hidden_sizes": [8, 16, 24, 48]}
    config.write_text(json.dumps(changed))
    with pytest.raises(UserError, match="cannot be loaded"):
        load_segmenter(f"transformers:{tmp_path / 'net'}")


def test_a_weights_header_that_lies_about_a_shape(tmp_path):
    _save(tmp_path / "net", "segformer")
    header = b'{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    (tmp_path / "net" / "model.safetensors").write_bytes(weights)
    with pytest.raises(UserError, match="cannot be loaded"):
        load_segmenter(f"transformers:{tmp_path / 'net'}")


def test_an_unknown_device(folders):
    with pytest.raises(UserError, match="unknown device 'gpu'"):
        load_segmenter(f"transformers:{folders('segformer')[0]}", Runtime("gpu"))
