"""Chapter 5's comparison: the same two networks under the new loss and under the classical one.

Trains three seeds of each, alike in everything but the loss and the penalty that belongs to it.
The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/study_iwgan.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.studies import keep_study, train_arms
from symphony.training import recipe

MODEL = "iwgan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"study-{MODEL}"
SEEDS = (0, 1, 2)
WASSERSTEIN = replace(recipe(MODEL), steps=600)
ARMS = {
    "Wasserstein": WASSERSTEIN,
    "classical": replace(WASSERSTEIN, loss="classical", penalty=0.0),
}


if __name__ == "__main__":
    keep_study(MODEL, train_arms(ARMS, SEEDS, RUNS))
