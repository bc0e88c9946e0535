"""The command line as users meet it: help, lists, errors, exit codes, interruption."""

import json
import resource
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from PIL import Image

from rass_bench.cli.tables import comparison_table, describe_run
from rass_bench.record import load_record
from tests.builders import accept_interrupts, labelled_set, model_file
from tests.cli.command import in_a_process, rass_bench

COMMANDS = [
    ["run"],
    ["score"],
    ["compare"],
    ["demo"],
    ["list"],
    ["doctor"],
    ["degrade"],
    ["degrade", "verify"],
    ["degrade", "show"],
    ["data", "check"],
    ["train", "segmenter"],
    ["weights", "convert"],
]


@pytest.fixture
def data(tmp_path):
    return labelled_set(tmp_path / "data")


@pytest.fixture
def model(tmp_path):
    return f"{model_file(tmp_path)}:Oracle"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_a_worked_example(command):
    done = rass_bench(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"rass-bench {command[0]}" in done.stdout.split("Example", 1)[1]


def test_help_is_quick_and_loads_nothing_heavy():
    script = (
        "import sys\n"
        "import rass_bench.cli.main\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pandas', 'cv2', 'numba', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        in_a_process("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Processor time, 0.35 s on an idle core: other tests share the machine, and the clock on the
    # wall would measure them too.
    assert min(seconds) < 0.7


def test_the_version_is_printed():
    assert in_a_process("--version").stdout.startswith("rass-bench 0.")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("models", ["identity", "bicubic", "nlm", "onnx:", "transformers:", "spandrel:"]),
        ("datasets", ["ade20k@1.0", "realsr@1.0", "scenes@1.0", "camvid@1.0"]),
        ("metrics", ["miou/gt-present", "miou/union", "psnr/y601", "ssim/y601-rounded"]),
        ("presets", ["rass", "blur-1", "noise-5", "jpeg-3", "resize-2"]),
    ],
)
def test_lists_name_everything(kind, words):
    done = rass_bench("list", kind)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout


@pytest.mark.parametrize("name", ["[bold]", "[/red]", "[/]"])
def test_brackets_in_names_are_printed_as_they_are(tmp_path, model, name):
    """Rich takes them for markup: it drops [bold] and fails at [/red]."""
    data = labelled_set(tmp_path / f"data{name}")
    definition = data / "dataset.yaml"
    definition.write_text(definition.read_text().replace("name: tiny", f"name: 'tiny{name}'"))
    commands = {
        ("run", "-m", model, "-d", data, "--out", f"run{name}"): f"run{name}/record.json",
        ("compare", f"run{name}"): f"tiny{name}@1.0",
        ("data", "check", data): f"tiny{name}@1.0",
        ("degrade", "-d", data, "--preset", "jpeg-1", "--out", f"out{name}"): f"out{name}",
        ("degrade", "show", data / "images/test/p0.png", "--out", f"{name}.png"): f"{name}.png",
    }
    for command, words in commands.items():
        done = rass_bench(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout


def test_a_degraded_folder_may_be_named_like_a_shipped_data_set(data, model, tmp_path):
    made = rass_bench(
        "degrade", "-d", data, "--preset", "jpeg-1", "--out", "ade20k-degraded", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    verified = rass_bench("degrade", "verify", "ade20k-degraded", cwd=tmp_path)
    assert verified.returncode == 0, verified.stderr
    told = made.stdout.split("rass-bench ", 1)[1].replace("--model M", f"--model {model}")
    measured = rass_bench(*shlex.split(told), "--limit", "1", cwd=tmp_path)
    assert measured.returncode == 0, measured.stderr


def test_run_writes_a_record_and_prints_it_as_json(data, model, tmp_path):
    done = rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "run/record.json").read_text())
    assert printed["metrics"]["miou/gt-present"] == {
        "value": 1.0,
        "n": 4,
        "ci95": [1.0, 1.0],
        "version": "1",
        "higher_is_better": True,
        "provenance": {},
    }
    assert set(printed["arguments_given"]) == {"model", "dataset", "out", "print_json"}


def test_run_prints_a_table_and_says_what_is_partial(data, model, tmp_path):
    done = rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "run", "--limit", 3)
    assert "miou/gt-present" in done.stdout
    assert "partial: --limit 3 of 4 images" in done.stdout


def test_the_default_folder_tells_data_model_and_protocol(data, model, tmp_path):
    done = rass_bench("run", "-m", model, "-d", data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "runs").rglob("record.json")
    folders = record.relative_to(tmp_path).parts[:-1]
    assert folders[:3] == ("runs", "tiny@1.0", "test")
    assert folders[3].startswith("red-reader@1")
    assert folders[4] == "dt"


def test_score_says_equal_and_exits_with_0_then_1_when_a_number_was_edited(data, model, tmp_path):
    rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "run")
    done = rass_bench("score", tmp_path / "run")
    assert (done.returncode, done.stdout.count("equal")) == (0, 5)
    path = tmp_path / "run/record.json"
    record = json.loads(path.read_text())
    record["metrics"]["macc"]["value"] = 0.5
    path.write_text(json.dumps(record))
    done = rass_bench("score", tmp_path / "run")
    assert done.returncode == 1
    assert "DIFFERS" in done.stdout


def test_compare_puts_runs_side_by_side_and_warns_when_they_do_not_compare(data, model, tmp_path):
    rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "a")
    rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "b", "--limit", 2)
    done = rass_bench("compare", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("100.00") >= 6
    assert "not comparable: different numbers of images: 2, 4" in done.stdout
    assert "2 images are in one run alone, p2 first" in " ".join(done.stdout.split())


def test_compare_states_paired_differences_to_the_first_run(data, model, tmp_path):
    rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "a")
    darken = ("--protocol", "r2s", "--restorer", model.replace("Oracle", "Darken"))
    for name, restored in (("b", ()), ("c", darken)):
        done = rass_bench("run", "-m", model, "-d", data, *restored, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    done = rass_bench("compare", *(tmp_path / name for name in "abc"))
    words = done.stdout.split()
    assert "the first" in done.stdout
    assert "+0.00" in words
    assert "-100.00" in words
    assert "no difference" not in done.stdout


def test_runs_that_would_be_described_alike_are_told_apart_by_revision(data, model, tmp_path):
    rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "a")
    record = load_record(tmp_path / "a")
    retrained = replace(record, model=replace(record.model, revision="retrained+option=value"))
    restored = replace(record, restorer=retrained.model)
    again = replace(restored, restorer=record.model)

    def labels(*records):
        table = comparison_table(records, ["aacc"], [None] * (len(records) - 1))
        return [str(cell) for cell in table.columns[0].cells]

    told, revision = describe_run(record), record.model.revision
    assert labels(record, replace(record, protocol="ft"))[0] == told
    assert labels(record, record) == [f"{told}\n{revision}"] * 2
    assert labels(retrained, retrained)[0].endswith("+option=value\nretrained")
    assert labels(again, again)[0].endswith(f"\n{revision} → {revision}")
    assert labels(restored, again) == [describe_run(restored), describe_run(again)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "-m", "segfromer"], "unknown model 'segfromer'"),
        (["run", "-m", "nlm", "-d", "scens", "--protocol", "restore"], "Did you mean scenes"),
        (["degrade", "--out", "x", "--preset", "ras"], "Did you mean rass"),
        (["score", "nowhere"], "no such folder (nowhere)"),
        (["run", "-m", "nlm", "-d", "a" * 5000], "File name too long"),
        (["run", "-m", "onnx:gone.onnx"], "gone.onnx"),
        (["run", "-m", "x", "--protocol", "r2s", "--restorer", "spandrel:gone.pth"], "gone.pth"),
    ],
)
def test_a_mistake_ends_in_one_paragraph_and_code_2(arguments, words, tmp_path):
    done = rass_bench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error:")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_option_is_told_by_name():
    done = rass_bench("run", "--modle", "x")
    assert done.returncode == 2
    assert "--modle" in done.stderr


def test_a_message_shows_square_brackets_as_they_are(tmp_path):
    done = rass_bench("data", "check", "[bold]x", cwd=tmp_path)
    assert "[bold]x" in done.stderr


def test_ctrl_c_ends_with_130_and_the_run_resumes(model, tmp_path):
    data = labelled_set(tmp_path / "big", count=80, size=(64, 64))
    (tmp_path / "models.py").write_text(
        (tmp_path / "models.py")
        .read_text()
        .replace("return [np.minimum", "__import__('time').sleep(0.02)\n        return [np.minimum")
    )
    out = tmp_path / "run"
    command = [sys.executable, "-m", "rass_bench.cli.main", "run", "-m", model, "-d", data]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=accept_interrupts,
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("predictions/*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in message
    assert "Traceback" not in message
    done = rass_bench("run", "-m", model, "-d", data, "--out", out, "--resume", "--json")
    assert json.loads(done.stdout)["scored"] == 80


def test_a_full_disk_is_told_and_the_run_resumes(data, model, tmp_path):
    # A file-size limit stands in for a full disk: the same failed write, without needing one.
    script = (
        "import resource, signal, sys\n"
        "from rass_bench.cli.main import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))\n"
        "main()\n"
    )
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "-m", model, "-d", str(data), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(out.rglob("*.tmp"))
    assert rass_bench("run", "-m", model, "-d", data, "--out", out, "--resume").returncode == 0


def test_a_place_that_cannot_be_written_is_named(data, model, tmp_path):
    (tmp_path / "notes.txt").write_text("a file, no folder")
    done = rass_bench("run", "-m", model, "-d", data, "--out", tmp_path / "notes.txt/run")
    assert done.returncode == 2
    assert "notes.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_check_names_a_bad_file_and_exits_with_1(data):
    assert rass_bench("data", "check", data).returncode == 0
    (data / "images/test/p1.png").write_bytes(b"no image")
    done = rass_bench("data", "check", data)
    assert done.returncode == 1
    assert "p1" in done.stdout


def test_doctor_finds_this_machine_ready():
    done = rass_bench("doctor")
    assert done.returncode == 0, done.stdout
    assert "rass-bench" in done.stdout
    assert "cache folder" in done.stdout


def test_degrade_verify_and_show(tmp_path, model):
    data = labelled_set(tmp_path / "data", count=2, size=(48, 40))
    out = tmp_path / "low"
    done = in_a_process("degrade", "--dataset", data, "--out", out, "--workers", 2, "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert rass_bench("degrade", "verify", out).returncode == 0
    assert rass_bench("run", "-m", model, "-d", out, "--out", tmp_path / "run").returncode == 0
    damaged = out / "images/test/p1.png"
    image = Image.open(damaged).convert("RGB")
    image.putpixel((3, 3), tuple(value ^ 1 for value in image.getpixel((3, 3))))
    image.save(damaged)
    done = rass_bench("degrade", "verify", out)
    assert done.returncode == 1
    assert "p1.png" in done.stdout
    picture = tmp_path / "shown.png"
    photo = data / "images/test/p0.png"
    done = rass_bench("degrade", "show", photo, "--out", picture)
    assert done.returncode == 0, done.stderr
    assert Image.open(picture).width > 2 * 40


def test_shell_completion_is_offered():
    done = in_a_process(_TYPER_COMPLETE="", COMP_WORDS="rass-bench ", COMP_CWORD="1")
    assert done.returncode in (0, 2)
    done = in_a_process("--show-completion", "bash")
    assert "rass" in done.stdout
