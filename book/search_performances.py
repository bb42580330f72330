"""Chapter 3's search: what gives a model of performances a beat at the lowest price?

Two models learn the same performances for as many steps, alike in everything but what they hear of
a note: how long it rings under the sustain pedal, or how long its key is held. Validation judges:
bits a note, and of 64 pieces of 30 s how many notes sound at once and how clear the pulse is. The
result lies beside the shipped weights of the conditional model, for the chapter to show.

Run it with ``python book/search_performances.py``; settings that are done are not repeated. It is a
pilot: one seed, a tenth of the shipped model's steps. Two more settings, the same with seven
classes of loudness, were not run to their end, for the pedal had made the difference.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from symphony import load_corpus
from symphony.codecs import EventCodec
from symphony.experiments import shipped_folder
from symphony.experiments.scores import MUSICAL, real_windows
from symphony.experiments.seeds import train_once
from symphony.files import written
from symphony.song import Song
from symphony.systems import recipe

RUNS = Path(__file__).resolve().parents[1] / "runs" / "search-performances"
KEPT = shipped_folder("conditional-char-rnn") / "search.json"
BASE = replace(recipe("char-rnn-performances"), steps=1000, evaluate_every=250)
SETTINGS = {
    name: replace(BASE, codec=EventCodec(velocity_bins=32, pedal=pedal))
    for name, pedal in (("as long as they ring", True), ("as long as keys are held", False))
}
PIECES, SECONDS, SEED = 64, 30.0, 1000


def statistics(songs: list[Song]) -> dict[str, float]:
    """The mean of each musical statistic."""
    return {
        name: round(float(np.nanmean([measure(song) for song in songs])), 3)
        for name, measure in MUSICAL.items()
    }


def measured(name: str) -> dict[str, Any]:
    """What a setting reached on validation music, and that music as its codec writes it."""
    trained = train_once(SETTINGS[name], RUNS / name.replace(" ", "-"))
    codec, metrics = trained.recipe.codec, trained.card.metrics
    real = real_windows(load_corpus("asap").validation, PIECES, SECONDS, SEED)
    found: dict[str, Any] = {"notes last": name, "minutes": round(trained.card.minutes, 1)}
    for title, what in (("bits an event", "event"), ("bits a note", "note")):
        found[title] = round(metrics[f"validation_bits_per_{what}"], 3)
    pieces = trained.compose(SECONDS, batch=PIECES, seed=SEED)
    return found | {
        "composed": statistics(pieces),
        "real": statistics([codec.decode(codec.encode(song)) for song in real]),
    }


def main() -> None:
    """See the module's docstring."""
    rows = json.loads(KEPT.read_text()) if KEPT.is_file() else []
    for name in SETTINGS:
        if name not in [row["notes last"] for row in rows]:
            rows.append(measured(name))
            with written(KEPT) as partial:
                partial.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
