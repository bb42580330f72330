"""Build the book: run the chapters that changed, two at a time, then render the pages.

``python book/build.py`` builds; ``--tiny`` runs each chapter with TRAIN=True SIZE="tiny" instead,
which proves that training works; ``--tidy`` removes what a kernel leaves in stored chapters.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TINY = {"TRAIN": True, "SIZE": "tiny"}


def fingerprint(chapter: Path, mode: str) -> str:
    """Changes when the chapter's cells, the library, its weights or its packages change."""
    cells = json.loads(chapter.read_text())["cells"]
    digest = hashlib.sha256(mode.encode())
    for cell in cells:
        digest.update(repr((cell["cell_type"], "".join(cell["source"]))).encode())
        digest.update(repr(cell["metadata"].get("tags", [])).encode())
    library = sorted(p for p in (ROOT / "src").rglob("*") if p.is_file() and p.suffix != ".pyc")
    for path in [*library, ROOT / "constraints.txt"]:
        if ".egg-info" not in str(path):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run(chapter: Path, mode: str) -> tuple[str, float, str]:
    """Run a chapter by papermill unless nothing changed; its name, seconds and any error."""
    out = BUILD / mode / chapter.name
    stamp, wanted = out.with_suffix(".sha256"), fingerprint(chapter, mode)
    if out.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return chapter.name, 0.0, ""
    import papermill

    out.parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    try:
        papermill.execute_notebook(
            chapter,
            out,
            parameters=TINY if mode == "tiny" else {},
            kernel_name="python3",
            progress_bar=False,
            cwd=chapter.parent,
        )
    except Exception as error:  # whatever a cell raised, told once
        return chapter.name, time.perf_counter() - begun, str(error)
    stamp.write_text(wanted)
    return chapter.name, time.perf_counter() - begun, ""


def run_all(mode: str) -> None:
    """Run every chapter, two at a time, a line each; exit with 1 where one failed."""
    failed = False
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two chapters share two cores
    with ProcessPoolExecutor(2) as pool:
        for name, seconds, error in pool.map(run, CHAPTERS, [mode] * len(CHAPTERS)):
            failed |= bool(error)
            state = "FAILED" if error else f"{seconds:5.0f} s" if seconds else "unchanged"
            print(f"{name:32} {state}", flush=True)
            if error:
                print(error, file=sys.stderr)
    if failed:
        sys.exit(1)


def render() -> None:
    """Assemble prose and executed chapters, and render them; warnings are errors."""
    source = BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "build.py", ".*")
    shutil.copytree(ROOT / "book", source / "book", ignore=ignore)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, source)
    (source / "notebooks").mkdir()
    for chapter in CHAPTERS:
        document = json.loads((BUILD / "default" / chapter.name).read_text())
        document["metadata"].pop("papermill", None)
        (source / "notebooks" / chapter.name).write_text(json.dumps(document))
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going"]
    built = subprocess.run(
        [*command, "--path-output", BUILD / "page", source], capture_output=True, text=True
    )
    if built.returncode:
        print(built.stdout, built.stderr, sep="\n", file=sys.stderr)
        sys.exit(built.returncode)
    page = BUILD / "page" / "_build" / "html" / "index.html"
    print(f"\nThe book is at {page}\nOpen it in a browser: {page.as_uri()}")


def tidy() -> None:
    """Remove execution times and kernel details from stored chapters."""
    for chapter in CHAPTERS:
        document = json.loads(chapter.read_text())
        for cell in document["cells"]:
            cell["metadata"].pop("execution", None)
        document["metadata"]["language_info"] = {"name": "python"}
        chapter.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="run the chapters in tiny training")
    parser.add_argument("--tidy", action="store_true", help="clean the stored chapters")
    chosen = parser.parse_args()
    if chosen.tidy:
        tidy()
    elif chosen.tiny:
        run_all("tiny")
    else:
        run_all("default")
        render()


if __name__ == "__main__":
    main()
