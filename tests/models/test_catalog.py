"""Model references: names, adapters, plug-in files, plug-in packages."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from rass_bench.errors import UserError
from rass_bench.models.catalog import (
    load_restorer,
    load_segmenter,
    model_adapters,
    model_entries,
)
from rass_bench.models.protocols import Restorer, Segmenter
from rass_bench.models.registry import Kind, Runtime
from rass_bench.models.sizing import restore, segment

PLUGIN = """
import numpy as np
from rass_bench.models.protocols import ModelSpec, SizeRule
from rass_bench.models.registry import Kind, ModelEntry

class AllSky:
    parameters = None
    spec = ModelSpec(name="all-sky", revision="1", title="Sky everywhere", licence="MIT",
                     label_space="ade20k-150", size_rule=SizeRule(multiple_of=32))
    def __init__(self, runtime):
        self.runtime = runtime
    def predict(self, images):
        return [np.full(image.shape[:2], 2, np.uint8) for image in images]

class NoLabelSpace(AllSky):
    spec = ModelSpec(name="no-space", revision="1", title="No space", licence="MIT")

class UnknownLabelSpace(AllSky):
    spec = ModelSpec(name="x", revision="1", title="X", licence="MIT", label_space="ade")

class NoParameters:
    spec = AllSky.spec
    def __init__(self, runtime): pass
    def predict(self, images): return []

class NoSpec:
    def __init__(self, runtime): pass

entry = ModelEntry("all-sky", Kind.SEGMENTER, "Sky everywhere", "MIT", AllSky)
number = 3
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "my_model.py"
    path.write_text(PLUGIN)
    return path


# Models that bring no weights are loaded with some in tests of their own.
COMPLETE = [entry for entry in model_entries() if entry.takes_weights is None]


@pytest.mark.parametrize("entry", COMPLETE, ids=lambda entry: entry.name)
def test_each_entry_is_complete_and_loads_as_what_it_says(entry):
    load = load_segmenter if entry.kind is Kind.SEGMENTER else load_restorer
    model = load(entry.name)
    assert isinstance(model, Segmenter if entry.kind is Kind.SEGMENTER else Restorer)
    spec = model.spec
    assert (spec.name, spec.title, spec.licence) == (entry.name, entry.title, entry.licence)
    assert (spec.extra, spec.paper) == (entry.extra, entry.paper)
    assert spec.revision
    assert model.parameters is not None
    photo = np.zeros((40, 56, 3), np.uint8)
    if entry.kind is Kind.SEGMENTER:
        assert segment(model, [photo])[0].shape == (40, 56)
        assert len(spec.weights_sha256) == 64
    else:
        assert restore(model, [photo])[0].shape == (40 * spec.scale, 56 * spec.scale, 3)


def test_the_built_in_models():
    assert {"identity", "bicubic", "nlm"} <= {entry.name for entry in model_entries()}


@pytest.mark.parametrize("adapter", model_adapters(), ids=lambda adapter: adapter.prefix)
def test_each_adapter_shows_an_example_of_itself(adapter):
    assert adapter.example.startswith(f"{adapter.prefix}:")
    assert adapter.title
    assert adapter.extra == "models"


def test_listing_loads_nothing_heavy():
    script = (
        "import sys; from rass_bench.models.catalog import model_entries, model_adapters;"
        "model_entries(), model_adapters();"
        "heavy = {'torch', 'transformers', 'cv2', 'numba', 'onnxruntime', 'spandrel'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("bicubik", "unknown model 'bicubik'.*Did you mean bicubic"),
        ("transfomers:a/b", "unknown model adapter 'transfomers'.*Did you mean transformers"),
        ("nets/x4.pth", "write spandrel:nets/x4.pth"),
        ("net.onnx", "write onnx:net.onnx"),
        ("nvidia/segformer-b0", "write transformers:nvidia/segformer-b0"),
        ("my_model.py", "write my_model.py:ClassName"),
        ("spandrel:/absent/x4.pth", "weights file not found"),
        ("onnx:/absent/net.onnx", "weights file not found"),
        ("/absent/my_model.py:Net", "plug-in file not found"),
    ],
)
def test_an_unknown_reference(reference, message):
    load = load_segmenter if "onnx:/" in reference else load_restorer
    if "transf" in reference:
        load = load_segmenter
    with pytest.raises(UserError, match=message):
        load(reference)


def test_a_plugin_file(plugin):
    model = load_segmenter(f"{plugin}:AllSky", Runtime("cuda:1", threads=3))
    assert (model.runtime.device, model.runtime.threads) == ("cuda:1", 3)
    assert (segment(model, [np.zeros((9, 7, 3), np.uint8)])[0] == 2).all()
    assert load_segmenter(f"{plugin}:entry").spec.name == "all-sky"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("AllSki", "no 'AllSki' in the plug-in.*Did you mean AllSky"),
        ("NoSpec", "a NoSpec, has no `spec`"),
        ("NoParameters", "a segmenter is needed here; the NoParameters lacks parameters"),
        ("NoLabelSpace", "must state its label space"),
        ("UnknownLabelSpace", "unknown label space 'ade'"),
        ("number", "expected, not a int"),
    ],
)
def test_a_plugin_that_is_no_model(plugin, name, message):
    with pytest.raises(UserError, match=message):
        load_segmenter(f"{plugin}:{name}")


def test_the_wrong_kind(plugin):
    with pytest.raises(UserError, match="a segmenter is needed here, this is a restorer"):
        load_segmenter("bicubic")
    with pytest.raises(UserError, match="a restorer is needed here, this is a segmenter"):
        load_restorer("onnx:net.onnx")
    with pytest.raises(UserError, match="a restorer is needed here; the AllSky lacks restore"):
        load_restorer(f"{plugin}:AllSky")


def _install(folder, value):
    """A distribution as pip would leave it, with one entry point."""
    folder.joinpath("sky_package.py").write_text(PLUGIN)
    info = folder / "sky_package-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: sky-package\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(f"[rass_bench.models]\nall-sky = {value}\n")


def _run_with(folder, script):
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(folder)!r})\n{script}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_package_adds_a_model(tmp_path):
    _install(tmp_path, "sky_package:entry")
    done = _run_with(
        tmp_path,
        textwrap.dedent("""
        from rass_bench.models.catalog import load_segmenter, model_entries
        print("all-sky" in [entry.name for entry in model_entries()])
        print(load_segmenter("all-sky").spec.key)
        """),
    )
    assert done.stdout == "True\nall-sky@1\n", done.stderr


def test_an_installed_package_that_adds_something_else_is_named(tmp_path):
    _install(tmp_path, "sky_package:AllSky")
    done = _run_with(
        tmp_path, "from rass_bench.models.catalog import model_entries; model_entries()"
    )
    assert "the installed plug-in 'all-sky' is a type, not a ModelEntry" in done.stderr


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        (Runtime(weights="x"), "the model's weights cannot be chosen"),
        (Runtime(options=("batch=2",)), "the model has no options"),
    ],
)
def test_a_plugin_entry_refuses_choices_that_it_does_not_offer(tmp_path, runtime, words):
    (tmp_path / "entry.py").write_text(
        "from rass_bench.models.registry import Kind, ModelEntry\n"
        "ENTRY = ModelEntry('mine', Kind.RESTORER, 'Mine', 'CC0-1.0', lambda runtime: None)\n"
    )
    with pytest.raises(UserError, match=words):
        load_restorer(f"{tmp_path}/entry.py:ENTRY", runtime)
