"""Build the book: run the chapters that changed, two at a time, then render the pages.

``python book/build.py`` builds; ``--tiny`` runs each chapter with TRAIN=True SIZE="tiny" instead,
which proves that training works; ``--refresh`` runs the stored chapters in place.
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
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from symphony.corpora import load_corpus

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TINY = {"TRAIN": True, "SIZE": "tiny"}
TOGETHER = 2  # chapters run at once

# The kernel is this very environment's, whatever kernels and settings its user has elsewhere.
SURROUNDINGS = {
    "JUPYTER_PREFER_ENV_PATH": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",  # two chapters share two cores
}


def fingerprint(chapter: Path, mode: str) -> str:
    """Changes when the chapter's cells, the library, its weights or its packages change."""
    cells = json.loads(chapter.read_text("utf-8"))["cells"]
    digest = hashlib.sha256(f"{mode} {sys.version}".encode())
    for cell in cells:
        digest.update(repr((cell["cell_type"], "".join(cell["source"]))).encode())
        digest.update(repr(cell["metadata"].get("tags", [])).encode())
    library = sorted(p for p in (ROOT / "src").rglob("*") if p.is_file() and p.suffix != ".pyc")
    for path in [*library, ROOT / "constraints.txt"]:
        if ".egg-info" not in str(path):
            digest.update(f"{path.relative_to(ROOT)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run(chapter: Path, mode: str) -> tuple[float, str]:
    """Run a chapter by papermill unless nothing changed; its seconds, and its error if any."""
    out = BUILD / mode / chapter.name
    stamp, wanted = out.with_suffix(".sha256"), fingerprint(chapter, mode)
    if out.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return 0.0, ""
    import papermill

    os.environ.update(SURROUNDINGS)
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
            extra_arguments=["--IPKernelApp.log_level=40"],  # errors: else each start is a warning
        )
    except Exception as error:  # whatever a cell raised, told once
        return time.perf_counter() - begun, str(error) or repr(error)
    stamp.write_text(wanted)
    return time.perf_counter() - begun, ""


def run_all(mode: str) -> None:
    """Run every chapter, two at a time, a line each; exit with 1 where one failed."""
    how = "in tiny training" if mode == "tiny" else "as a reader meets them"
    print(f"Running {len(CHAPTERS)} chapters {how}, {TOGETHER} at a time", flush=True)
    for name in ("chorales", "folk"):  # parsed once, not once in each chapter
        load_corpus(name)
    errors = {}
    with ProcessPoolExecutor(TOGETHER) as pool:
        begun = {pool.submit(run, chapter, mode): chapter for chapter in CHAPTERS}
        for ended, job in enumerate(as_completed(begun), 1):
            name, (seconds, error) = begun[job].stem, job.result()
            state = "FAILED" if error else f"{seconds:.0f} s" if seconds else "unchanged"
            print(f"  {ended}/{len(CHAPTERS)}  {name:32} {state:>9}", flush=True)
            if error:
                errors[name] = error
    for name, error in errors.items():
        print(f"\n{name} stopped:\n{error}", file=sys.stderr)
    if errors:
        sys.exit(1)


def assemble() -> Path:
    """The folder Jupyter Book reads: settings, prose, and the chapters as they ran."""
    source = BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    ignore = shutil.ignore_patterns(
        "__pycache__",
        "build.py",
        "weights.py",
        "experiment_*.py",
        "search_*.py",
        "trial_*.py",
        ".*",
    )
    shutil.copytree(ROOT / "book", source / "book", ignore=ignore)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, source)
    (source / "notebooks").mkdir()
    for chapter in CHAPTERS:
        document = json.loads((BUILD / "default" / chapter.name).read_text("utf-8"))
        strip(document)
        (source / "notebooks" / chapter.name).write_text(json.dumps(document), "utf-8")
    return source


def render() -> None:
    """Render the pages; warnings are errors."""
    print("Rendering the pages", flush=True)
    (BUILD / "page").mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [
            *(Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going"),
            *("--path-output", BUILD / "page", assemble()),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **SURROUNDINGS},
    )
    (BUILD / "page" / "build.log").write_text(built.stdout + built.stderr)
    if built.returncode:
        print(built.stdout, built.stderr, sep="\n", file=sys.stderr)
        sys.exit(built.returncode)
    page = BUILD / "page" / "_build" / "html" / "index.html"
    print(f"\nThe book is here: {page}\nTo read it, open this in a browser: {page.as_uri()}")


def strip(document: dict) -> None:
    """Remove what a run leaves of its machine: times, paths, versions of a kernel."""
    document["metadata"].pop("papermill", None)
    document["metadata"]["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    document["metadata"]["language_info"] = {"name": "python"}
    for cell in document["cells"]:
        for leftover in ("execution", "papermill"):
            cell["metadata"].pop(leftover, None)


def refresh() -> None:
    """Run the stored chapters in place, then take from them what belongs to one machine."""
    for chapter in CHAPTERS:
        print(f"Running {chapter.name}", flush=True)
        subprocess.run(
            [sys.executable, "-m", "jupyter", "execute", "--inplace", chapter.name],
            check=True,
            cwd=chapter.parent,
            env={**os.environ, **SURROUNDINGS},
        )
        document = json.loads(chapter.read_text("utf-8"))
        strip(document)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        chapter.write_text(text + "\n", "utf-8")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="run the chapters in tiny training")
    parser.add_argument("--refresh", action="store_true", help="run the stored chapters in place")
    chosen = parser.parse_args()
    if chosen.refresh:
        refresh()
    elif chosen.tiny:
        run_all("tiny")
    else:
        run_all("default")
        render()


if __name__ == "__main__":
    main()
