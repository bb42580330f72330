"""The benchmark that plays on the page, for some seconds: what must hold however busy a machine."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_some_seconds_of_play_are_reported(browser):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.playing", "--seconds", "8"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["console"] == []
    assert found["notes"] > 5
    assert found["scheduled"] >= found["notes"] - 5  # counted from the first note on
    assert 0 <= found["late"] <= found["scheduled"]
    assert len(found["heap_mb"]) >= 3
    assert max(found["heap_mb"]) < 150
    assert found["copied"] is None or found["copied"] < 30
