"""Chapter 4's comparison: do replay and noisy labels keep an RNN-GAN from mode collapse?

Trains three seeds with the tricks and three without, alike in everything else. The result lies
beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_rnn_gan.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import keep_experiment, train_arms
from symphony.systems import recipe

MODEL = "rnn-gan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
TRICKS = recipe(MODEL)
ARMS = {
    "with the tricks": TRICKS,
    "without": replace(TRICKS, replay_batches=0, label_flip=0.0, label_smoothing=0.0),
}


if __name__ == "__main__":
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS))
