"""Official weights files come in whole; hostile, damaged and mistaken ones are told."""

import os
import pickle
import tracemalloc
import zipfile
from collections import OrderedDict
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from rass_bench.errors import UserError
from rass_bench.models.rass.checkpoint_file import official_state, read_scr, read_tensors

STATE = OrderedDict(
    weight=torch.arange(12, dtype=torch.float32).reshape(3, 4),
    half=torch.tensor([1.5, -2.0], dtype=torch.float16),
    count=torch.tensor(7),
)


def save_torch(content, path, legacy=False):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def save_pickle(content, path, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def assert_is_state(tensors):
    assert tensors.keys() == STATE.keys()
    for name, tensor in tensors.items():
        assert type(tensor) is torch.Tensor
        assert tensor.dtype == STATE[name].dtype
        assert torch.equal(tensor, STATE[name])


# What training saves


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".pkl"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_of_torch_save_is_read_whatever_its_suffix(tmp_path, suffix, legacy):
    assert_is_state(official_state(save_torch(STATE, tmp_path / f"rass{suffix}", legacy)))


def test_a_detectron2_checkpoint_gives_its_model(tmp_path):
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([parameter], lr=1e-4)
    parameter.sum().backward()
    optimizer.step()
    content = {
        "model": STATE,
        "optimizer": optimizer.state_dict(),
        "scheduler": {"base_lrs": [1e-4], "last_epoch": 5},
        "best_metric": np.float64(47.42),
        "iteration": 159_999,
    }
    path = save_torch(content, tmp_path / "rass.pth")
    assert_is_state(official_state(path))
    whole = read_tensors(path)
    assert whole["iteration"] == 159_999
    assert whole["best_metric"] == 47.42


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_arrays_is_read(tmp_path, protocol):
    arrays = {name: tensor.numpy() for name, tensor in STATE.items()}
    content = {"model": arrays, "__author__": "somebody", "matching_heuristics": True}
    assert_is_state(official_state(save_pickle(content, tmp_path / "model.pkl", protocol)))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,  # by column
        np.arange(6, dtype=">i4").reshape(2, 3),  # of another byte order
        np.arange(10)[::3],  # with gaps
        np.array([True, False]),
        np.array(3.5, dtype=np.float16),
    ],
)
def test_arrays_keep_their_values(tmp_path, protocol, array):
    path = save_pickle({"x": array}, tmp_path / "model.pkl", protocol)
    tensor = official_state(path)["x"]
    assert tensor.shape == array.shape
    assert np.array_equal(tensor.numpy(), array)
    assert tensor.numpy().dtype == array.dtype.newbyteorder("=")


def test_a_pickle_from_python_2_is_read(tmp_path):
    # Its strings are bytes: this is protocol 2 with the opcodes that Python 2 writes.
    values = np.array([1.0, -2.5], dtype="<f4").tobytes()
    stream = (
        b"\x80\x02}U\x06weightcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08" + values + b"tbs."
    )
    (tmp_path / "model.pkl").write_bytes(stream)
    assert official_state(tmp_path / "model.pkl")["weight"].tolist() == [1.0, -2.5]


def test_safetensors_are_read(tmp_path):
    save_file(dict(STATE), tmp_path / "rass.safetensors")
    assert_is_state(official_state(tmp_path / "rass.safetensors"))


def test_a_large_file_is_mapped_not_read(tmp_path):
    save_torch({"weight": torch.zeros(64 * 2**20, dtype=torch.uint8)}, tmp_path / "rass.pth")
    before = resident_bytes()
    tensors = official_state(tmp_path / "rass.pth")
    assert resident_bytes() - before < 32 * 2**20
    assert tensors["weight"][-1] == 0


def resident_bytes():
    with open("/proc/self/statm") as stream:  # noqa: PTH123
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_parameters_become_tensors_without_gradients(tmp_path):
    path = save_torch({"weight": torch.nn.Parameter(torch.ones(2))}, tmp_path / "rass.pth")
    [tensor] = official_state(path).values()
    assert type(tensor) is torch.Tensor
    assert not tensor.requires_grad


# Attacks


class Call:
    """Pickles as a call: whoever loads it without a check runs it."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def payload(name, marker):
    write = f"open({str(marker)!r}, 'w').close()"
    return {
        "os.system": Call(os.system, f"touch {marker}"),
        "eval": Call(eval, write),
        "exec": Call(exec, write),
        "getattr": Call(getattr, "", "format"),
        "torch.load": Call(torch.load, str(marker.with_name("inner.pth")), None, None),
        "nested": {"model": {"weight": [Call(os.system, f"touch {marker}")]}},
        "tensor": Call(np.load, str(marker.with_name("inner.npy")), None, True),
    }[name]


SAVERS = {
    "archive": save_torch,
    "legacy torch": lambda content, path: save_torch(content, path, legacy=True),
    **{
        f"pickle {protocol}": lambda content, path, protocol=protocol: save_pickle(
            content, path, protocol
        )
        for protocol in range(6)
    },
}


@pytest.mark.parametrize("saver", SAVERS)
@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("os.system", "posix.system"),
        ("eval", "eval"),
        ("exec", "exec"),
        ("getattr", "getattr"),
        ("torch.load", "torch.serialization.load"),
        ("nested", "posix.system"),
        ("tensor", "load"),
    ],
)
def test_no_code_of_a_file_runs(tmp_path, saver, name, named):
    marker = tmp_path / "ran"
    inner = Call(os.system, f"touch {marker}")
    (tmp_path / "inner.pth").write_bytes(pickle.dumps(inner))
    (tmp_path / "inner.npy").write_bytes(pickle.dumps(inner))
    path = tmp_path / "rass.pth"
    SAVERS[saver](payload(name, marker), path)
    with pytest.raises(UserError, match=f"names .*{named}, which no tensor needs") as caught:
        read_tensors(path)
    assert "weights_only" not in str(caught.value)  # torch's advice to load it all the same
    assert not marker.exists()


def test_the_attacks_would_succeed_without_the_check(tmp_path):
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps(payload("os.system", marker)))
    assert marker.exists()


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("posix.system", b"cposix\nsystem\n(S'true'\ntR."),
        ("os.system", b"(S'true'\nios\nsystem\n."),  # the opcode INST
        ("builtins.eval", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."),
        # A name with dots would reach from a known global to another.
        ("collections.OrderedDict.__init__", b"\x80\x04\x8c\x0bcollections\x8c\x14"
         b"OrderedDict.__init__\x93."),
        ("numpy.fromfile", b"\x80\x02cnumpy\nfromfile\n."),
    ],
)  # fmt: skip
def test_every_way_to_name_a_global_is_guarded(tmp_path, name, stream):
    (tmp_path / "model.pkl").write_bytes(stream)
    with pytest.raises(UserError, match=f"names {name}, which"):
        read_tensors(tmp_path / "model.pkl")


REBUILD = b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n)R"
FLOAT = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
OBJECT = b"cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R"


@pytest.mark.parametrize(
    "stream",
    [
        # (version, shape, dtype, by column, values)
        REBUILD + b"(K\x01J\xff\xff\xff\x7f\x85" + FLOAT + b"K\x00C\x04abcdtb.",  # a huge side
        REBUILD + b"(K\x01J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86" + FLOAT + b"K\x00C\x04abcdtb.",
        REBUILD + b"(K\x01K\x01\x85" + OBJECT + b"K\x00C\x08\x00\x00\x00\x00\x00\x00\x00\x00tb.",
        REBUILD + b"(K\x01K\x01\x85" + OBJECT + b"K\x00]K\x01atb.",  # a list of objects
        REBUILD + b"K\x01b.",  # no state at all
        b"\x80\x02cnumpy._core.multiarray\nscalar\nN}X\x07\x00\x00\x00__new__Ns\x86b.",
        b"\x80\x02cnumpy\nndarray\nN}X\x01\x00\x00\x00xNs\x86b.",  # attributes of the class itself
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes beyond all memory
        b"\x80\x02P0\n.",
        b"\x80\x02.",
        b"garbage",
    ],
)
def test_forged_pickles_are_told(tmp_path, stream):
    (tmp_path / "model.pkl").write_bytes(stream)
    with pytest.raises(UserError, match="cannot be read"):
        read_tensors(tmp_path / "model.pkl")


def test_a_stream_cannot_ask_for_a_table_of_any_size(tmp_path):
    # "Remember this as number 33,554,431": Python's unpickler in C makes room for twice as many.
    (tmp_path / "model.pkl").write_bytes(b"\x80\x02}r\xff\xff\xff\x01.")
    tracemalloc.start()
    try:
        assert read_tensors(tmp_path / "model.pkl") == {}
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


class ForgedTensor:
    """A tensor whose stated sizes are not those of its data."""

    def __init__(self, numel, size, stride):
        self.numel, self.size, self.stride = numel, size, stride

    def __reduce__(self):
        arguments = (self.numel, 0, self.size, self.stride, False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments


class StoragePickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", torch.FloatStorage, "0", "cpu", value.numel)
        return None


class Storage:
    def __init__(self, numel):
        self.numel = numel


@pytest.mark.parametrize(
    ("numel", "size", "stride"),
    [
        (4, (10**6,), (1,)),  # reaches behind the storage
        (10**6, (10**6,), (1,)),  # as does the storage itself
        (10**12, (10**12,), (1,)),
        (4, (2, 2), (10**6, 1)),
        (4, (4,), (-1,)),
        (-4, (4,), (1,)),
    ],
)
def test_a_tensor_larger_than_its_data_is_told(tmp_path, numel, size, stride):
    stream = BytesIO()
    StoragePickler(stream, 2).dump({"weight": ForgedTensor(Storage(numel), size, stride)})
    with zipfile.ZipFile(tmp_path / "rass.pth", "w") as archive:
        archive.writestr("rass/data.pkl", stream.getvalue())
        archive.writestr("rass/byteorder", "little")
        archive.writestr("rass/data/0", np.arange(4, dtype=np.float32).tobytes())
        archive.writestr("rass/version", "3\n")
    with pytest.raises(UserError, match="cannot be read"):
        official_state(tmp_path / "rass.pth")


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    save_torch(STATE, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "rass.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(UserError, match="is compressed"):
        read_tensors(tmp_path / "rass.pth")


def test_a_torchscript_archive_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "rass.pt", "w") as archive:
        archive.writestr("rass/constants.pkl", b"\x80\x02).")
        archive.writestr("rass/data.pkl", b"\x80\x02}.")
        archive.writestr("rass/version", "3\n")
    with pytest.raises(UserError, match="TorchScript"):
        read_tensors(tmp_path / "rass.pt")


# Damage


def saved_bytes(saver):
    content = {"model": {"weight": np.arange(6.0)}, "iteration": 3}
    if not saver.startswith("pickle"):
        content["model"]["bias"] = torch.arange(3.0)
    stream = BytesIO()
    stream.write_bytes = stream.write
    SAVERS[saver](content, stream)
    return stream.getvalue()


@pytest.mark.parametrize("saver", ["archive", "legacy torch", "pickle 2", "pickle 4", "pickle 5"])
@given(data=st.data())
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
def test_a_damaged_file_is_read_or_told_but_never_a_bug(tmp_path, saver, data):
    content = bytearray(saved_bytes(saver))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "rass.pth"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        assert isinstance(read_tensors(path), dict)
    except UserError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("saver", ["archive", "legacy torch", "pickle 4"])
def test_a_truncated_file_is_told(tmp_path, saver):
    content = saved_bytes(saver)
    path = tmp_path / "rass.pth"
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UserError, match="ownload"):
        read_tensors(path)


@pytest.mark.parametrize("name", ["rass.pth", "scr.pkl", "rass.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><title>Google Drive - Virus scan</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    ],
)
def test_what_often_lies_in_a_weights_files_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_tensors(tmp_path / name)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path, tmp_path / "rass.pth"):
        with pytest.raises(UserError, match="not found"):
            read_tensors(path)


@pytest.mark.parametrize("content", [[1, 2], {3: torch.ones(1)}, torch.ones(2), None])
def test_something_else_than_a_mapping_is_told(tmp_path, content):
    with pytest.raises(UserError, match="not tensors by name"):
        read_tensors(save_torch(content, tmp_path / "rass.pth"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "holds no tensors"),
        ({"model": {}}, "holds no tensors"),
        ({"model": {"weight": [1.0]}}, "weight is a list"),
        ({"weight": torch.ones(1), "epoch": 3}, "epoch is a int"),
        ({"weight": torch.ones(1, device="meta")}, "weight is a Tensor, not a tensor with values"),
        ({"weight": torch.eye(2).to_sparse()}, "not a tensor with values"),
    ],
)
def test_a_state_of_something_else_than_tensors_is_told(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        official_state(save_torch(content, tmp_path / "rass.pth"))


# SCR


SCR = {
    "rank_unet": 4,
    "unet_lora_encoder_modules": ["conv_in", "down_blocks.0.attentions.0.proj_in"],
    "unet_lora_decoder_modules": ["up_blocks.0.resnets.0.conv1"],
    "unet_lora_others_modules": [],
    "state_dict_unet": {"conv_in.base_layer.weight": torch.ones(2)},
}


def test_scr_is_read(tmp_path):
    scr = read_scr(save_torch(SCR | {"rank_vae": 4}, tmp_path / "scr.pkl"))
    assert scr.rank == 4
    assert scr.encoder == ("conv_in", "down_blocks.0.attentions.0.proj_in")
    assert scr.decoder == ("up_blocks.0.resnets.0.conv1",)
    assert scr.others == ()
    assert torch.equal(scr.tensors["conv_in.base_layer.weight"], torch.ones(2))
    assert scr.unused == ("rank_vae",)


@pytest.mark.parametrize("key", SCR)
def test_a_missing_scr_key_is_named(tmp_path, key):
    content = {name: value for name, value in SCR.items() if name != key}
    with pytest.raises(UserError, match=f"the keys {key} are missing"):
        read_scr(save_torch(content, tmp_path / "scr.pkl"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rank_unet", 0, "rank_unet is 0"),
        ("rank_unet", -4, "rank_unet is -4"),
        ("rank_unet", 4.0, "rank_unet is 4.0"),
        ("rank_unet", True, "rank_unet is True"),
        ("rank_unet", torch.tensor(4), "rank_unet is tensor"),
        ("unet_lora_encoder_modules", "conv_in", "encoder_modules is no list"),
        ("unet_lora_decoder_modules", [3], "decoder_modules is no list"),
        ("unet_lora_others_modules", None, "others_modules is no list"),
        ("unet_lora_encoder_modules", ["conv_in", "conv_in"], "conv_in is listed twice"),
        ("unet_lora_others_modules", ["conv_in"], "conv_in is listed twice"),
        ("state_dict_unet", {}, "no tensors"),
        ("state_dict_unet", [torch.ones(1)], "no tensors"),
        ("state_dict_unet", {"conv_in": 3}, "conv_in is a int"),
    ],
)
def test_a_wrong_scr_value_is_told(tmp_path, key, value, message):
    with pytest.raises(UserError, match=message):
        read_scr(save_torch(SCR | {key: value}, tmp_path / "scr.pkl"))


def test_the_official_layout_is_read(oracle_file):
    scr = read_scr(oracle_file("scr_tiny.pkl"))
    assert scr.rank == 3
    assert scr.encoder[0] == "conv_in"
    assert scr.unused == ()
    assert len(scr.tensors) == 332
    for adapter, modules in [("encoder", scr.encoder), ("decoder", scr.decoder)]:
        for module in modules:
            weight = scr.tensors[f"{module}.lora_A.default_{adapter}.weight"]
            assert weight.shape[0] == scr.rank
