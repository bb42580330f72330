"""The page to play on, played in a browser: breaks, late notes, memory and what the console says.

``python -m benchmarks.playing --seconds 600`` plays for ten minutes and prints a report; ``make
bench`` plays for one. What it finds is the machine's as well: a busy one breaks off.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Row
from symphony import load
from symphony.experiments import shipped_folder
from symphony.live.browser import page, write_model
from symphony.live.copies import KEPT, CopyIndex

MODEL = "conditional-char-rnn"
SECONDS, EVERY = 60.0, 3.0  # of play, and between two moves of the hand
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGS = ["--no-sandbox", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
        "--enable-precise-memory-info", "--js-flags=--expose-gc"]  # fmt: skip
PLAYING = "document.querySelector('.symphony-play').playing"
# Notes are late that are given to the sound when their time has passed.
COUNT = f"""() => {{
  const {{ piano, context }} = {PLAYING}, play = piano.play;
  globalThis.counted = {{ notes: 0, late: 0, most: 0 }};
  piano.play = (notes, time) => {{
    const late = context.currentTime - time, struck = notes.filter(([, v]) => v).length;
    counted.notes += struck;
    if (late >= 0.01) counted.late += struck;
    counted.most = Math.max(counted.most, notes.length ? late : 0);
    return play.call(piano, notes, time);
  }};
}}"""
HEAP = "() => { gc(); return performance.memory.usedJSHeapSize / 1e6; }"
REPORT = f"""() => {{
  const {{ improviser, piano, context }} = {PLAYING}, {{ report }} = improviser;
  return {{
    notes: report.notes, underruns: report.underruns, lookAhead: improviser.lookAhead,
    discarded: report.discarded / report.steps, step: report.spent / report.steps,
    answers: report.answers, late: counted.late, latest: counted.most, scheduled: counted.notes,
    sounding: piano.notes.size, elements: document.querySelectorAll("*").length,
    recordings: piano.recordings?.buffers.size ?? 0,
    copied: document.querySelector(".play-copies").meter?.longest.run ?? null,
  }};
}}"""


def write_page(home: Path) -> Path:
    """The page as the book has it: the model, the copy meter, and the piano that can be had."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_ext"))
    import symphony_piano

    write_model(load(MODEL), home / "model.js")
    CopyIndex.load(shipped_folder(MODEL) / KEPT).write_script(home / "copies.js")
    symphony_piano.write_piano(home / "piano", symphony_piano.package())
    frame = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}</body></html>'
    body = page("model.js", "copies.js", "piano")
    (home / "play.html").write_text(frame.format(body), "utf-8")
    return home / "play.html"


def play(browser: str, seconds: float, seed: int = 0) -> dict[str, Any]:
    """Press Start, wander over the pad, and report."""
    from playwright.sync_api import sync_playwright

    rng, said = np.random.default_rng(seed), []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=ARGS)
        page = opened.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(write_page(Path(home)).as_uri())
        begun = time.perf_counter()
        page.get_by_role("button", name="Start").click()
        page.wait_for_function(f"{PLAYING}?.improviser.report.notes > 0", timeout=120_000)
        first = time.perf_counter() - begun
        page.evaluate(COUNT)
        heaps, begun = [], time.perf_counter()
        while (played := time.perf_counter() - begun) < seconds:
            density, pitch = rng.random(2).round(2).tolist()
            place = {"density": density, "pitch": pitch}
            page.evaluate("place => document.querySelector('.symphony-play').set(place)", place)
            if played >= len(heaps) * seconds / 10:  # ten times, at even distances
                heaps.append(page.evaluate(HEAP))
            page.wait_for_timeout(1000 * min(EVERY, max(seconds - played, 0.01)))
        report = page.evaluate(REPORT)
        heaps.append(page.evaluate(HEAP))
        page.get_by_role("button", name="Stop").click()
        page.wait_for_function(f"{PLAYING}.piano.notes.size === 0", timeout=20_000)
        opened.close()
    answers = report.pop("answers")
    return {
        "seconds": seconds,
        "first_note_after": first,
        **report,
        "answer_median": float(np.median(answers)) if answers else None,
        "answer_p95": float(np.percentile(answers, 95)) if answers else None,
        "heap_mb": [round(heap, 2) for heap in heaps],
        "console": said,
        "load": os.getloadavg()[0] / (os.cpu_count() or 1),  # more than 1: it had to wait
    }


def measure() -> list[Row]:
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        return []
    found = play(browser, SECONDS)
    settled = found["heap_mb"][len(found["heap_mb"]) // 2 :]  # all recordings have come
    # The first layer's answer to each symbol is kept: 3 MB, and as much is the collector's mood.
    return [
        ("a minute on the page to play on: breaks", float(found["underruns"]), "<=", 0),
        ("notes late by 10 ms or more: share", found["late"] / found["scheduled"], "<=", 0.005),
        ("what its console says: messages", float(len(found["console"])), "<=", 0),
        ("memory of its scripts in the second half: growth in MB", settled[-1] - settled[0],
         "<=", 6.0),
    ]  # fmt: skip


def main() -> None:
    """Play, and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        sys.exit("There is no Chromium here.")
    print(json.dumps(play(browser, parser.parse_args().seconds), indent=1))


if __name__ == "__main__":
    main()
