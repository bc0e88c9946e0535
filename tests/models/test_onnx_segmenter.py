"""ONNX networks do what their description says, and the real one gives its known figures."""

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from rass_bench.errors import UserError
from rass_bench.images import read_image
from rass_bench.models.catalog import load_segmenter
from rass_bench.models.onnx_segmenter import OnnxSegmenter, count_onnx_parameters
from rass_bench.models.registry import Runtime
from rass_bench.models.sizing import segment

DEEPLAB = {
    "title": "DeepLabV3, MobileNetV2",
    "licence": "Apache-2.0",
    "label_space": "ade20k-150",
    "mean": [127.5, 127.5, 127.5],
    "std": [127.5, 127.5, 127.5],
    "size_rule": {"letterbox": 513, "pad_value": 128},
    "input_layout": "NHWC",
    "output_layout": "NHWC",
    "label_offset": 1,
    "upsampling": "nearest",
}


def _describe(path, **changes):
    description = {**DEEPLAB, **changes}
    kept = {key: value for key, value in description.items() if value is not None}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(kept))


def _pixel_classifier(path, *, channels, layout="NCHW", size=(None, None)):
    """A network of one 1 x 1 convolution: scores are linear in the pixel. Returns its weights."""
    weights = np.random.default_rng(channels).normal(size=(channels, 3, 1, 1)).astype(np.float32)
    shape_in, shape_out = [1, 3, *size], [1, channels, *size]
    convolution = helper.make_node("Conv", ["x", "weights"], ["y"])
    nodes, names = [convolution], ("x", "y")
    if layout == "NHWC":
        shape_in, shape_out = [1, *size, 3], [1, *size, channels]
        names = ("pixels", "scores")
        nodes = [
            helper.make_node("Transpose", ["pixels"], ["x"], perm=[0, 3, 1, 2]),
            convolution,
            helper.make_node("Transpose", ["y"], ["scores"], perm=[0, 2, 3, 1]),
        ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, shape_out)],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([1.5], np.float32), "constant"),
            numpy_helper.from_array(np.array([1, 2, 3]), "shape"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return weights[:, :, 0, 0]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_the_description_is_followed(tmp_path, noise_photo, layout, offset, upsampling):
    path = tmp_path / "net.onnx"
    weights = _pixel_classifier(path, channels=150 + offset, layout=layout)
    mean, std = [10.0, 20.0, 30.0], [50.0, 60.0, 70.0]
    _describe(
        path,
        mean=mean,
        std=std,
        size_rule={"multiple_of": 8},
        input_layout=layout,
        output_layout=layout,
        label_offset=offset,
        upsampling=upsampling,
    )
    photo = noise_photo(30, 41)
    scores = ((photo - np.array(mean)) / np.array(std)) @ weights.T.astype(np.float64)
    expected = scores[:, :, offset:].argmax(axis=2)
    assert (segment(OnnxSegmenter(path), [photo])[0] == expected).all()


def test_weights_count_and_constants_do_not(tmp_path):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151)
    assert count_onnx_parameters(path) == 151 * 3


def test_quantised_weights_count_and_their_scales_do_not(tmp_path):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151)
    model = onnx.load(path)
    quantised = np.ones((151, 3, 1, 1), np.int8)
    scales = np.ones(151, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(quantised, "quantised"))
    model.graph.initializer.append(numpy_helper.from_array(scales, "scales"))
    model.graph.node.insert(
        0, helper.make_node("DequantizeLinear", ["quantised", "scales"], ["more"], axis=0)
    )
    onnx.save(model, path)
    assert count_onnx_parameters(path) == 2 * 151 * 3


def test_the_spec_names_file_hash_and_licence(tmp_path):
    path = tmp_path / "tiny-net.onnx"
    _pixel_classifier(path, channels=151)
    _describe(path, homepage="https://example.org/net", paper="Chen et al. 2017")
    spec = load_segmenter(f"onnx:{path}").spec
    assert (spec.name, spec.licence, spec.paper) == ("tiny-net", "Apache-2.0", "Chen et al. 2017")
    assert len(spec.weights_sha256) == 64
    assert spec.revision == spec.weights_sha256[:12]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour_space": "bgr"}, "unknown key 'colour_space'"),
        ({"mean": None}, "the key 'mean' is missing"),
        ({"size_rule": None}, "the key 'size_rule' is missing"),
        ({"title": 3}, "'title' must be text"),
        ({"homepage": 3}, "'homepage' must be text"),
        ({"mean": [1, 2]}, "Write three numbers"),
        ({"std": [1, 0, 1]}, "Write three numbers"),
        ({"input_layout": "HWC"}, "Write NHWC or NCHW"),
        ({"upsampling": "bicubic"}, "Write nearest or bilinear"),
        ({"label_offset": -1}, "label_offset is -1"),
        ({"label_space": "ade20k"}, "unknown label space 'ade20k'.*Did you mean ade20k-150"),
        ({"size_rule": {"letter_box": 513}}, "Its keys are short_side"),
        ({"size_rule": {"letterbox": "513"}}, "letterbox of size_rule is '513'"),
        ({"size_rule": {"multiple_of": 0}}, "multiple_of of size_rule is 0"),
        ({"size_rule": {"letterbox": 9, "square": 9}}, "exclude each other"),
    ],
)
def test_a_wrong_description_is_named(tmp_path, changes, message):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151)
    _describe(path, **changes)
    with pytest.raises(UserError, match=message):
        OnnxSegmenter(path)


def test_a_missing_description_says_what_to_write(tmp_path):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151)
    with pytest.raises(UserError, match=r"net.yaml.*Write it with the keys title, licence"):
        OnnxSegmenter(path)


@pytest.mark.parametrize(("text", "message"), [("a: [", "no valid YAML"), ("- a", "a mapping")])
def test_a_description_that_is_no_mapping(tmp_path, text, message):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151)
    path.with_suffix(".yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        OnnxSegmenter(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<!doctype html>", "web page"), (b"\x00\x01 junk" * 90, "no readable ONNX network")],
)
def test_a_file_that_is_no_network(tmp_path, content, message):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    _describe(path)
    with pytest.raises(UserError, match=message):
        OnnxSegmenter(path)


def test_a_network_of_other_classes(tmp_path, noise_photo):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=21)
    _describe(path, input_layout="NCHW", output_layout="NCHW", label_offset=0)
    with pytest.raises(UserError, match="has 21 classes after label_offset 0, ade20k-150 has 150"):
        segment(OnnxSegmenter(path), [noise_photo(20, 20)])


def test_a_size_rule_that_the_network_refuses(tmp_path, noise_photo):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151, size=(64, 64))
    _describe(path, input_layout="NCHW", output_layout="NCHW", size_rule={"square": 48})
    with pytest.raises(UserError, match="refuses its input"):
        segment(OnnxSegmenter(path), [noise_photo(20, 20)])


def test_a_gpu_is_refused_rather_than_ignored(tmp_path):
    path = tmp_path / "net.onnx"
    _pixel_classifier(path, channels=151)
    _describe(path)
    with pytest.raises(UserError, match="run on the CPU"):
        load_segmenter(f"onnx:{path}", Runtime("cuda"))


def _confusion(labels, truth):
    """Counts (150, 150), truth by prediction, where the truth is not 0 = other."""
    known = truth > 0
    cells = (truth[known].astype(np.int64) - 1) * 150 + labels[known]
    return np.bincount(cells, minlength=150 * 150).reshape(150, 150)


def _figures(confusion):
    """mIoU over the classes present in the ground truth, and pixel accuracy."""
    correct, truth = np.diag(confusion), confusion.sum(axis=1)
    union = truth + confusion.sum(axis=0) - correct
    present = truth > 0
    return (correct[present] / union[present]).mean(), correct.sum() / truth.sum()


@pytest.fixture(scope="module")
def deeplab(shared_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("deeplab") / "deeplabv3_mnv2_ade20k.onnx"
    path.symlink_to(shared_data("weights/deeplabv3_mnv2_ade20k.onnx"))
    _describe(path)
    return load_segmenter(f"onnx:{path}")


@pytest.fixture(scope="module")
def confusions(deeplab, shared_data):
    root = shared_data("ade20k150")
    counts = {}
    for split in ("training", "validation"):
        photos = sorted((root / "images" / split).iterdir())
        labels = segment(deeplab, [read_image(photo) for photo in photos])
        counts[split] = sum(
            _confusion(
                label, np.asarray(Image.open(root / "annotations" / split / f"{photo.stem}.png"))
            )
            for photo, label in zip(photos, labels, strict=True)
        )
    return counts


# The figures of the real network: the two splits to 0.01, all 15 to the four digits published.
def test_deeplab_on_the_nine_validation_photos(confusions):
    miou, accuracy = _figures(confusions["validation"])
    assert miou == pytest.approx(0.395, abs=0.01)
    assert accuracy == pytest.approx(0.653, abs=0.01)


def test_deeplab_on_the_six_training_photos(confusions):
    miou, _ = _figures(confusions["training"])
    assert miou == pytest.approx(0.582, abs=0.01)


def test_deeplab_on_all_fifteen_photos(confusions):
    miou, accuracy = _figures(confusions["training"] + confusions["validation"])
    assert miou == pytest.approx(0.4693, abs=5e-5)
    assert accuracy == pytest.approx(0.7526, abs=5e-5)


def test_deeplab_has_the_parameters_of_its_architecture(deeplab, shared_data):
    """At least the convolutions' weights, at most the file's bytes: most are stored in one byte.

    MobileNetV2 up to its 320 channels has 1,780,160 weights in convolutions (Sandler et al. 2018,
    table 2); DeepLab's mobile head has 320 x 256 twice, 512 x 256 and 256 x 151.
    """
    convolutions = 1_780_160 + 2 * 320 * 256 + 512 * 256 + 256 * 151
    size = shared_data("weights/deeplabv3_mnv2_ade20k.onnx").stat().st_size
    assert convolutions < deeplab.parameters.total < size
    assert deeplab.parameters.trainable is None
