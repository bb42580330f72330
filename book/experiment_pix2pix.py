"""Chapter 9's comparison: a Pix2Pix with its discriminator and without, and on longer rolls.

Trains three seeds of each model. Those on longer rolls see as many rows at a step, in fewer rolls.
The result lies beside the shipped weights, for the chapter to show.

The runs behind what is kept there chose their step by the F1 of whole rolls, before the recipe
chose by that of the notes added.

Run it with ``python book/experiment_pix2pix.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from symphony.experiments import filling, keep_experiment, train_arms
from symphony.systems import recipe

MODEL = "pix2pix"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
BASE = replace(recipe(MODEL), steps=1500)


def of_rows(rows: int) -> Any:
    """The base on rolls of so many rows, as many rows a step."""
    network = replace(BASE.network, steps=rows)
    return replace(BASE, network=network, batch=BASE.batch * BASE.network.steps // rows)


ARMS = {
    "adversarial and L1": BASE,
    "L1 alone": replace(BASE, adversarial_weight=0.0),
    "256 rows": of_rows(256),
    "512 rows": of_rows(512),
}


if __name__ == "__main__":
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, filling))
