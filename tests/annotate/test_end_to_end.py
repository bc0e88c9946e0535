"""From photos to a measured data set: the real server, the real page, and every command between."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rass_bench.annotate.compose import compose
from rass_bench.annotate.credentials import load_credentials
from rass_bench.annotate.project import load_project
from rass_bench.annotate.regions import read_regions
from rass_bench.data.dataset import open_dataset
from rass_bench.data.reading import read_truth
from rass_bench.files import sha256_file
from rass_bench.labels import IGNORE, load_label_space
from tests.annotate.labelling import client_of, correct, patch
from tests.annotate.page import log_in

pytestmark = [pytest.mark.server, pytest.mark.browser]

ROOT = Path(__file__).resolve().parents[2]
ADE = load_label_space("ade20k-150")
ANN, BOB, EVE = "ann@example.org", "bob@example.org", "eve@example.org"
PHOTOS = 20
WALL, PERSON, BOAT = (ADE.id_of(name) for name in ("wall", "person", "boat"))

DEEPLAB = """\
title: DeepLabV3-MobileNetV2, ADE20K
licence: Apache-2.0
label_space: ade20k-150
mean: [127.5, 127.5, 127.5]
std: [127.5, 127.5, 127.5]
size_rule: {letterbox: 513, pad_value: 128}
input_layout: NHWC
output_layout: NHWC
label_offset: 1
upsampling: bilinear
"""

STROKE = [(0.3, 0.7), (0.6, 0.7)]
"""Where ann paints, in shares of the photo's sides; she erases, and takes the erasing back."""


class Shell:
    """Commands in a folder, with the seconds and the memory that each took."""

    def __init__(self, folder):
        self.folder = folder
        self.costs = []

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "rass_bench.cli.main", *arguments],
            cwd=self.folder,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **options,
        )

    def run(self, line, code=0):
        """Run a line, which must end with that exit code; return what it printed."""
        started, log = time.monotonic(), self.folder / "output.log"
        with log.open("w") as stream:
            process = self.start(*line.split(), stdout=stream, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        output = log.read_text()
        assert process.returncode == code, f"{line}\n{output}"
        self.costs.append((line, time.monotonic() - started, usage.ru_maxrss / 1024))
        return output

    def print_costs(self):
        for line, seconds, megabytes in self.costs:
            print(f"{seconds:6.1f} s {megabytes:6.0f} MB  {line}")


@pytest.fixture
def shell(tmp_path, shared_data):
    """A folder with twenty real low-quality photos and a network trained on ADE20K."""
    photos = sorted((shared_data("lq_realsrset") / "images").iterdir())
    photos += sorted((shared_data("lq_real47") / "images").iterdir())
    (tmp_path / "photos").mkdir()
    for photo in photos[:PHOTOS]:
        shutil.copy(photo, tmp_path / "photos" / photo.name)
    (tmp_path / "deeplab.onnx").symlink_to(shared_data("weights") / "deeplabv3_mnv2_ade20k.onnx")
    (tmp_path / "deeplab.yaml").write_text(DEEPLAB)
    return Shell(tmp_path)


@pytest.fixture
def server(shell, installation):
    """The server as `serve` runs it; ends as Ctrl-C ends it, which must leave nothing running."""
    shell.run("annotate init --dataset reallq")
    started = time.monotonic()
    process = shell.start("annotate", "serve", stdout=subprocess.PIPE)
    url = re.fullmatch(r"Label Studio: (http://127.0.0.1:\d+)\n", process.stdout.readline())
    shell.costs.append(("annotate serve", time.monotonic() - started, 0))
    assert url
    yield url.group(1)
    process.terminate()
    said, _ = process.communicate()
    assert process.returncode == 0
    assert said.endswith("Stopped. What was labelled is kept.\n")
    assert not (shell.folder / "annotation/address.json").exists()


def test_photos_become_a_data_set(shell, server, browser):
    shell.run("annotate init --dataset reallq")
    for email in (ANN, BOB, EVE):
        shell.run(f"annotate annotator {email}")
    pushed = shell.run("annotate push --images photos --prelabel onnx:deeplab.onnx")
    assert f"{PHOTOS} photos added, 0 were there; {PHOTOS} given a prediction" in pushed
    again = shell.run("annotate push --images photos --prelabel onnx:deeplab.onnx")
    assert f"0 photos added, {PHOTOS} were there; 0 given a prediction" in again

    project = load_project(shell.folder / "annotation")
    number = ann_paints_on_the_page(browser, server, shell.folder)
    assert bob_paints_on_the_page(browser, server, shell.folder) == number
    (drawn,) = [task for task in project.tasks if task.task_id == number]
    predicted = prediction(shell.folder, drawn)
    others = [task for task in project.tasks if task != drawn]
    disputed = others[0]
    others_are_labelled(shell.folder, others, disputed)

    pulled = shell.run("annotate pull")
    assert f"{2 * PHOTOS} new, 0 changed, 0 deleted; {2 * PHOTOS} annotations can be used" in pulled
    assert "0 new, 0 changed, 0 deleted" in shell.run("annotate pull")
    allow_specks(shell.folder / "annotation/policy.yaml")
    judged = shell.run("annotate qa --model onnx:deeplab.onnx")
    assert f"{PHOTOS - 1} pass, 1 adjudicate, 0 fix" in judged
    assert f"adjudicate: {disputed.sample} (task {disputed.task_id})" in judged
    refused = shell.run("annotate build --out built", code=2)
    assert f"1 of {PHOTOS} photos did not pass: {disputed.sample}" in refused

    assert "photos that await a decision: 1, of them new: 1" in shell.run("annotate adjudicate")
    assert "photos that await a decision: 1, of them new: 0" in shell.run("annotate adjudicate")
    eve_decides_on_the_page(browser, server, shell.folder)
    assert "adjudication: 1 new" in shell.run("annotate pull")
    assert f"{PHOTOS} pass, 0 adjudicate, 0 fix" in shell.run("annotate qa")
    shell.run("annotate build --out built")
    the_masks_are_what_was_drawn(shell.folder, drawn, disputed, predicted)

    shell.run("run --dataset reallq --data-root built --model onnx:deeplab.onnx --out runs/reallq")
    record = json.loads((shell.folder / "runs/reallq/record.json").read_text())
    assert (record["scored"], record["status"]) == (PHOTOS, "complete")
    no_secret_is_in_what_others_get(shell.folder)
    shell.print_costs()


def account(folder, email):
    accounts = load_credentials(folder / "annotation").annotators
    return next(one for one in accounts if one.email == email)


def prediction(folder, task):
    """What the model sees in a task's photo, as the server has it."""
    with client_of(folder / "annotation", ANN) as client:
        (shown,) = client.get("/api/predictions", task=task.task_id)
    regions = read_regions(shown["result"], task.height, task.width, "test")
    return compose(regions, task.height, task.width, ADE, "test").labels


def ann_paints_on_the_page(browser, server, folder):
    """A stroke of the class boat, a part of it erased, the erasing undone; return the task."""
    page = log_in(browser, server, account(folder, ANN))
    page.open_stream(project_number(folder))
    page.choose_by_filter("boat")
    page.draw(*STROKE)
    page.take_eraser()
    page.draw((0.45, 0.6), (0.45, 0.8))
    page.undo()
    task = page.task["id"]
    page.submit()
    assert (page.strangers, page.dialogs) == ([], [])
    page.tab.context.close()
    return task


def bob_paints_on_the_page(browser, server, folder):
    """The same stroke, by one who does not see hers; return the task."""
    page = log_in(browser, server, account(folder, BOB))
    page.open_stream(project_number(folder))
    assert (page.task["annotations"], len(page.task["predictions"])) == ([], 1)
    page.choose_by_filter("boat")
    page.draw(*STROKE)
    task = page.task["id"]
    page.submit()
    page.tab.context.close()
    return task


def others_are_labelled(folder, tasks, disputed):
    """Both paint the same patch on each photo, but for one, where bob sees something else."""
    for email in (ANN, BOB):
        with client_of(folder / "annotation", email) as client:
            for task in tasks:
                labels = patch(task, WALL)
                if task == disputed and email == BOB:
                    labels[:] = PERSON
                correct(client, task, ADE, labels)


def allow_specks(policy):
    """The network's maps are full of specks, which nobody removes here; bob was quick."""
    text = policy.read_text()
    for gate in ("max_specks", "min_seconds", "max_holes", "max_roughness"):
        text = re.sub(rf"^{gate}: .*$", f"{gate}: null", text, flags=re.MULTILINE)
    policy.write_text(text)


def eve_decides_on_the_page(browser, server, folder):
    """The adjudicator sees both opinions and hands in one of them with a stroke of hers."""
    project = load_project(folder / "annotation/adjudication")
    (task,) = project.tasks
    page = log_in(browser, server, account(folder, EVE))
    page.open_task(project.project_id, task.task_id)
    opinions = "() => window.Htx.annotationStore.predictions.length"
    assert page.tab.evaluate(opinions) == 2
    page.choose_by_filter("boat")
    page.draw(*STROKE)
    page.submit()
    page.tab.context.close()


def project_number(folder):
    return load_project(folder / "annotation").project_id


def the_masks_are_what_was_drawn(folder, drawn, disputed, predicted):
    """The model's labels but for the stroke; the decided photo holds eve's stroke, too."""
    built = open_dataset(str(folder / "built"))
    masks = {sample.id: read_truth(built, sample) for sample in built.samples}
    assert len(masks) == PHOTOS
    mask = masks[drawn.sample]
    row, columns = stroke_pixels(drawn)
    assert (mask[row, columns] == BOAT).all()
    changed = np.argwhere(mask != predicted)
    reach = 0.1 * drawn.height
    assert (abs(changed[:, 0] - row) < reach).all()
    row, columns = stroke_pixels(disputed)
    assert (masks[disputed.sample][row, columns] == BOAT).all()
    provenance = json.loads((folder / "built/provenance.json").read_text())
    made_by = {one["sample"]: one["made_by"] for one in provenance["masks"]}
    assert made_by.pop(disputed.sample) == "adjudicator"
    assert set(made_by.values()) == {"majority"}
    for one in provenance["masks"]:
        path = folder / f"built/annotations/validation/{one['sample']}.png"
        assert sha256_file(path) == one["mask_sha256"]
    assert not np.isin(IGNORE, mask).any()


def stroke_pixels(task):
    """The middle row of the stroke and the columns that it surely covers."""
    (left, y), (right, _) = STROKE
    return int(y * task.height), slice(
        int((left + 0.01) * task.width), int((right - 0.01) * task.width)
    )


def no_secret_is_in_what_others_get(folder):
    """Passwords, tokens and addresses stay in the project's own file."""
    secrets = load_credentials(folder / "annotation").secrets
    for path in (*(folder / "built").rglob("*.json"), *(folder / "annotation/qa").iterdir()):
        text = path.read_text()
        assert not any(secret in text for secret in (*secrets, "@example.org")), path
