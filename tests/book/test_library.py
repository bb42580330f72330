"""The page on the library says what is true: its code runs, its lists are whole."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "symphony"
PAGE = (ROOT / "book" / "library.md").read_text()
BLOCKS = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE)


def test_its_code_runs_from_top_to_bottom(tmp_path):
    code = "".join(block for block in BLOCKS if not block.startswith("class "))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "piece.mid").stat().st_size > 100
    assert (tmp_path / "runs" / "wide" / "card.json").is_file()


def test_it_shows_the_whole_protocol_of_a_system():
    from symphony.training import System

    (shown,) = (block for block in BLOCKS if block.startswith("class System"))
    names = re.findall(r"(?m)^    (?:def )?(\w+)", shown)
    assert sorted(names) == sorted(n for n in {*vars(System), "controls"} if n[0] != "_")


def test_it_names_every_package():
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")} | {"weights"}
    assert packages == set(re.findall(r"(?m)^(\w+)/ ", PAGE.split("## Where things lie")[1]))
