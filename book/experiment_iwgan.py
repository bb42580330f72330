"""Chapter 5's comparisons: a Wasserstein loss or cross-entropy, grey cells or binary ones.

Trains three seeds of each, alike in everything but the loss and the penalty that belongs to it, or
but the cells. The networks of the first comparison are those that the shipped ones grew from, on
all 128 keys, with grey cells; those of the second have the shipped ones' 64 keys. The result lies
beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_iwgan.py``; a stopped run goes on where it left off, and what
is kept of an unchanged recipe is taken as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import keep_experiment, pulse_and_scale, shipped_experiment, train_arms
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
NETWORK = WGANConfig(channels=128, critic_channels=12, lowest=30, pitches=64, binary=True)
BINARY = replace(WASSERSTEIN, network=NETWORK)
ARMS = {
    "Wasserstein": WASSERSTEIN,
    "bce": replace(WASSERSTEIN, loss="bce", gp_weight=0.0),
    "grey": replace(BINARY, network=replace(NETWORK, binary=False)),
    "binary": BINARY,
}


if __name__ == "__main__":
    kept = shipped_experiment(MODEL)
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, pulse_and_scale, kept=kept))
