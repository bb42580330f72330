"""Chapter 4's comparison: do history replay and confused labels keep an RNN-GAN from collapsing?

Trains three seeds with the tricks and three without, alike in everything else. The result lies
beside the shipped weights, for the chapter to show.

Run it with ``python book/study_rnn_gan.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.studies import keep_study, train_arms
from symphony.training import recipe

MODEL = "rnn-gan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"study-{MODEL}"
SEEDS = (0, 1, 2)
TRICKS = recipe(MODEL)
ARMS = {
    "with the tricks": TRICKS,
    "without": replace(TRICKS, history=0, flip=0.0, smooth=0.0),
}


if __name__ == "__main__":
    keep_study(MODEL, train_arms(ARMS, SEEDS, RUNS))
