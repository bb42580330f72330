"""Chapter 5's comparisons: losses, grey and binary rolls, generators, and learning rates.

Three seeds of each arm, alike in everything but what the arm's name says; the grid of learning
rates and losses has one seed a setting. The networks of the first comparison are those that the
shipped ones grew from, on all 128 keys, with grey cells; all others have the shipped ones' 64 keys.
The result lies beside the shipped weights, for the chapter to show.

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
BY_SEED = {
    "Wasserstein": WASSERSTEIN,
    "bce": replace(WASSERSTEIN, loss="bce", gp_weight=0.0),
    "grey": replace(BINARY, network=replace(NETWORK, binary=False)),
    "binary": BINARY,
    "recurrent": replace(BINARY, network=replace(NETWORK, generator="gru")),
}
RATES = (5e-5, 2e-4, 8e-4)  # of both networks; the middle one is the shipped recipe's
LOSSES = {"Wasserstein": {}, "bce": {"loss": "bce", "gp_weight": 0.0}}
GRID = {
    f"{loss}, rate {rate:g}": replace(
        BINARY, steps=300, generator_lr=rate, discriminator_lr=rate, **change
    )
    for loss, change in LOSSES.items()
    for rate in RATES
}
ARMS = BY_SEED | GRID


if __name__ == "__main__":
    kept = shipped_experiment(MODEL)
    found = train_arms(BY_SEED, SEEDS, RUNS, pulse_and_scale, kept=kept)
    grid = train_arms(GRID, SEEDS[:1], RUNS, kept=kept)
    found["recipes"] |= grid["recipes"]
    found["rows"] += grid["rows"]
    keep_experiment(MODEL, found)
