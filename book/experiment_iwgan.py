"""Chapter 5's comparisons: losses, at several learning rates; grey or binary cells; generators.

Trains three seeds of each, alike in everything but what is compared: a Wasserstein loss or
cross-entropy, with the penalty that belongs to it, on the networks that the shipped ones grew from
(all 128 keys, grey cells); the same two for half as long at other learning rates; and on the
shipped networks' 64 keys grey cells or binary ones, transposed convolutions or the report's GRUs.
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
    **{"steps": 600, "evaluate_every": 50, "generator_lr": 2e-4, "discriminator_lr": 2e-4},
)
NETWORK = WGANConfig(channels=128, critic_channels=12, lowest=30, pitches=64, binary=True)
BINARY = replace(WASSERSTEIN, network=NETWORK)
LOSSES = {"Wasserstein": WASSERSTEIN, "bce": replace(WASSERSTEIN, loss="bce", gp_weight=0.0)}
RATES = (1e-3, 5e-3)  # of both networks, beside the 2e-4 of the others
ARMS = {
    **LOSSES,
    "grey": replace(BINARY, network=replace(NETWORK, binary=False)),
    "binary": BINARY,
    "recurrent": replace(BINARY, network=replace(NETWORK, binary=False, generator="gru")),
    **{
        f"{loss} at {rate:g}": replace(base, generator_lr=rate, discriminator_lr=rate, steps=300)
        for rate in RATES
        for loss, base in LOSSES.items()
    },
}


if __name__ == "__main__":
    kept = shipped_experiment(MODEL)
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, pulse_and_scale, kept=kept))
