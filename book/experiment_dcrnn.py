"""Chapter 6's comparison: what do repeating the plan and the key histogram do for a DCRNN?

Trains three seeds of each model, alike in everything else. The result lies beside the shipped
weights, for the chapter to show.

Run it with ``python book/experiment_dcrnn.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import form_and_key, keep_experiment, train_arms
from symphony.systems import recipe

MODEL = "dcrnn"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
BASE = replace(recipe(MODEL), steps=400)
ARMS = {
    "repeated": BASE,
    "not repeated": replace(BASE, network=replace(BASE.network, repeat=1)),
    "without the key": replace(BASE, network=replace(BASE.network, conditional=False)),
}


if __name__ == "__main__":
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, form_and_key))
