"""Chapter 6's comparison: what does repeating the plan do to a DCRNN, and telling it the key?

Trains three seeds of each model, alike in everything else. The result lies beside the shipped
weights, for the chapter to show.

Run it with ``python book/study_dcrnn.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.studies import form_and_key, keep_study, train_arms
from symphony.training import recipe

MODEL = "dcrnn"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"study-{MODEL}"
SEEDS = (0, 1, 2)
BASE = replace(recipe(MODEL), steps=400)
ARMS = {
    "repeated": BASE,
    "not repeated": replace(BASE, model={**BASE.model, "repeat": 1}),
    "not told the key": replace(BASE, model={**BASE.model, "conditional": False}),
}


if __name__ == "__main__":
    keep_study(MODEL, train_arms(ARMS, SEEDS, RUNS, form_and_key))
