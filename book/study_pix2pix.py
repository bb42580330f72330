"""Chapter 9's comparison: a Pix2Pix with its critic and without, and on longer rolls.

Trains three seeds of each model. Those on longer rolls see as many rows at a step, in fewer rolls.
The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/study_pix2pix.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.studies import filling, keep_study, train_arms
from symphony.training import recipe

MODEL = "pix2pix"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"study-{MODEL}"
SEEDS = (0, 1, 2)
BASE = replace(recipe(MODEL), steps=1500)
ARMS = {
    "critic and L1": BASE,
    "L1 alone": replace(BASE, fool=0.0),
    "256 rows": replace(BASE, window=256, batch=BASE.batch // 2),
    "512 rows": replace(BASE, window=512, batch=BASE.batch // 4),
}


if __name__ == "__main__":
    keep_study(MODEL, train_arms(ARMS, SEEDS, RUNS, filling))
