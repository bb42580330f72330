"""Chapter 5's comparison: the same two networks under a Wasserstein loss and under cross-entropy.

Trains three seeds of each, alike in everything but the loss and the penalty that belongs to it. The
networks are those that the shipped ones grew from: on all 128 keys, with grey cells. The result
lies beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_iwgan.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import keep_experiment, train_arms
from symphony.systems import recipe
from symphony.systems.iwgan.network import WGANConfig

MODEL = "iwgan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
WASSERSTEIN = replace(
    recipe(MODEL),
    network=WGANConfig(channels=128, critic_channels=12),
    **{"steps": 600, "evaluate_every": 50},
)
ARMS = {
    "Wasserstein": WASSERSTEIN,
    "bce": replace(WASSERSTEIN, loss="bce", gp_weight=0.0),
}


if __name__ == "__main__":
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS))
