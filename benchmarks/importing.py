"""``import symphony`` against its limit of 0.3 s."""

import subprocess
import sys

from benchmarks.common import Row, side_by_side


def measure() -> list[Row]:
    def start(code: str) -> object:
        return subprocess.run([sys.executable, "-c", code], check=True)

    bare, with_us = side_by_side(lambda: start("pass"), lambda: start("import symphony"))
    return [("import symphony, of its limit of 0.3 s", (with_us - bare) / 0.3, "<=", 1.0)]
