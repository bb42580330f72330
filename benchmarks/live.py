"""Ten minutes of play in virtual time against their limits, and a network's step in a browser."""

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np

from benchmarks.common import Row
from symphony import load
from symphony.live import Improviser, Slowed, Steady, Tape, VirtualClock, mapping_for, with_stalls
from symphony.live.browser import write_model
from symphony.live.traces import hand

SECONDS = 600
STEPS = """() => {
  const model = new play.Model(symphonyModel), times = [];
  const condition = model.condition({ density: 0.5, pitch: 0.5, key: "A minor" });
  let state = model.initial();
  for (let i = 0; i < 1500; i++) {
    const begun = performance.now();
    [, state] = model.step((i * 37) % model.bos, state, condition);
    times.push(performance.now() - begun);
  }
  const kept = times.slice(500).sort((a, b) => a - b);
  return [kept[500], model.layers.reduce((sum, l) => sum + l.hidden.rows * l.hidden.cols, 0)];
}"""


def measure() -> list[Row]:
    return [*_answers(), *_browser()]


def _answers() -> list[Row]:
    led, clock, tape = load("conditional-char-rnn").lead(key="C major"), VirtualClock(), Tape()
    wander = hand(np.random.default_rng(0).random((SECONDS // 2, 2)), seed=0)
    improviser = Improviser(Slowed(led, clock, with_stalls()), tape, clock)
    report = improviser.play(Steady(wander), mapping_for(2, 2, led.levels), SECONDS)
    waits = report.control_to_sound()
    return [
        ("a hand's move to its first note, median: seconds", float(np.median(waits)), "<=", 0.15),
        (
            "a hand's move to its first note, 95 %: seconds",
            float(np.percentile(waits, 95)),
            "<=",
            0.5,
        ),
        (
            "notes late by 10 ms or more, one step in 500 stalled: share",
            report.late_share,
            "<=",
            0.005,
        ),
        ("keys down at the end", float(len(tape.down)), "<=", 0),
    ]


def _browser() -> list[Row]:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        return []
    from playwright.sync_api import sync_playwright

    module = files("symphony.live").joinpath("play.js").read_text("utf-8")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        write_model(load("conditional-char-rnn"), Path(home) / "model.js")
        script = f'<script type="module">{module}\nglobalThis.play = {{ Model }};</script>'
        page_file = Path(home) / "x.html"
        page_file.write_text(f'<script src="model.js"></script>{script}', "utf-8")
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page()
        page.goto(page_file.as_uri())
        page.wait_for_function("globalThis.play")
        step, weights = page.evaluate(STEPS)
        opened.close()
    # The limit is 1.5 ms for two layers of 256 cells; a larger memory may take longer in proportion.
    limit = 1.5 * max(1.0, weights / (2 * 256 * 1024))
    return [("a network's step in the browser: milliseconds", float(step), "<=", limit)]
