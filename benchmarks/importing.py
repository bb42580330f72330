"""``import symphony`` and two commands, each against its limit."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import Row, side_by_side

SYMPHONY = Path(sys.executable).with_name("symphony")


def measure() -> list[Row]:
    def run(*command: str | Path, cwd: str | None = None) -> object:
        return subprocess.run(command, check=True, capture_output=True, cwd=cwd)

    with tempfile.TemporaryDirectory() as folder:  # where the composed piece is left
        bare, ours, listed, composed = side_by_side(
            lambda: run(sys.executable, "-c", "pass"),
            lambda: run(sys.executable, "-c", "import symphony"),
            lambda: run(SYMPHONY, "--help"),
            lambda: run(SYMPHONY, "compose", "char-rnn", "--seconds", "10", cwd=folder),
            rounds=5,
        )
    return [
        ("import symphony, of its limit of 0.3 s", (ours - bare) / 0.3, "<=", 1.0),
        ("symphony --help, of its limit of 0.5 s", listed / 0.5, "<=", 1.0),
        ("symphony compose char-rnn, 10 s, of its limit of 4 s", composed / 4, "<=", 1.0),
    ]
