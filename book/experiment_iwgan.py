"""Chapter 5's comparisons: a Wasserstein loss or cross-entropy, binary cells or grey ones.

Trains three seeds of each, alike in everything but the loss and the penalty that belongs to it, or
but what the generator's cells may be. The result lies beside the shipped weights, for the chapter
to show.

Run it with ``python book/experiment_iwgan.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import keep_experiment, train_arms
from symphony.systems import recipe

MODEL = "iwgan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
WASSERSTEIN = replace(recipe(MODEL), steps=600)
ARMS = {
    "Wasserstein": WASSERSTEIN,
    "bce": replace(WASSERSTEIN, loss="bce", gp_weight=0.0),
    "grey": replace(WASSERSTEIN, network=replace(WASSERSTEIN.network, binary=False)),
}


if __name__ == "__main__":
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS))
