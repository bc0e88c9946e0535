"""Annotators at work without a browser: each hands in a prediction with a patch of their own."""

import numpy as np

from rass_bench.annotate.client import Client
from rass_bench.annotate.credentials import load_credentials
from rass_bench.annotate.project import load_project
from rass_bench.annotate.push import prediction_result
from rass_bench.annotate.server import connect

SECONDS = 60.0
"""What an annotator says to have spent on a photo."""


def client_of(folder, email):
    """A connection in the name of an annotator."""
    (account,) = [one for one in load_credentials(folder).annotators if one.email == email]
    with connect(folder) as admin:
        return Client(admin.url, account.token)


def patch(task, class_id):
    """A label map with one rectangle of a class in its middle, and nothing elsewhere."""
    labels = np.full((task.height, task.width), 255, np.uint8)
    labels[task.height // 3 : task.height // 2, task.width // 4 : task.width // 2] = class_id
    return labels


def correct(client, task, space, labels):
    """Hand in the first prediction of a task with a label map drawn over it; return its number."""
    shown = client.get("/api/predictions", task=task.task_id)[0]
    kept = [region | {"origin": "prediction"} for region in shown["result"]]
    drawn = prediction_result(labels, space)
    result = [*kept, *(region | {"id": f"by hand {i}"} for i, region in enumerate(drawn))]
    body = {"result": result, "lead_time": SECONDS, "parent_prediction": shown["id"]}
    return client.post(f"/api/tasks/{task.task_id}/annotations/", body)["id"]


def label_everything(folder, emails, space):
    """Let each annotator hand in a patch of one class on every photo."""
    for email in emails:
        with client_of(folder, email) as client:
            for task in load_project(folder).tasks:
                correct(client, task, space, patch(task, 0))
