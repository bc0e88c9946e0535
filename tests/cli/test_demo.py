"""The demonstration: what a newcomer sees first must work, offline, and make sense."""

import json
import os
import subprocess
import sys


def test_the_demonstration_degrades_restores_and_prints_one_table(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rass_bench.cli.main", "demo", "--out", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "COLUMNS": "80",
            "HF_HUB_OFFLINE": "1",
            "https_proxy": "http://127.0.0.1:9",  # whoever goes online fails here
            "http_proxy": "http://127.0.0.1:9",
        },
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("demo/*/record.json"))]
    assert [record["protocol"] for record in records] == ["dt", "dt", "r2s"]
    assert [record["scored"] for record in records] == [40, 40, 40]
    clean, direct, restored = (record["metrics"]["miou/gt-present"]["value"] for record in records)
    assert clean > direct
    assert clean > restored
    for value in (clean, direct, restored):
        assert f"{100 * value:.2f}" in done.stdout
    assert "a demonstration" in done.stdout
