"""Chapter 6's comparison: what do repeating the plan and the key histogram do for a DCRNN?

Trains three seeds of each model, alike in everything else: the recipe that the shipped one grew
from. The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_dcrnn.py``; a stopped run goes on where it left off, and what
is kept of an unchanged recipe is taken as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import form_and_key, keep_experiment, shipped_experiment, train_arms
from symphony.systems import recipe
from symphony.systems.dcrnn.network import DCRNNConfig

MODEL = "dcrnn"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
BASE = replace(
    recipe(MODEL),
    network=DCRNNConfig(critic_channels=8),
    transpose=tuple(range(-5, 7)),
    **{"steps": 400, "evaluate_every": 50, "critic_steps": 2, "ema_decay": 0.95},
    **{"generator_lr": 2e-3, "discriminator_lr": 3e-4},
)
ARMS = {
    "repeated": BASE,
    "not repeated": replace(BASE, network=replace(BASE.network, repeat=1)),
    "without the key": replace(BASE, network=replace(BASE.network, conditional=False)),
    "fully connected": replace(BASE, network=replace(BASE.network, strip_channels=0)),
}


if __name__ == "__main__":
    kept = shipped_experiment(MODEL)
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, form_and_key, kept=kept))
