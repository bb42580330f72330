"""Chapters 4 and 5: what keeps an RNN-GAN from mode collapse?

Chapter 4 asks it of replay and noisy labels, and of noise at every row; chapter 5 of a
convolutional discriminator, the report's one step. All are alike in everything else, but that the
later arms run half as long. The result lies beside the shipped weights, for the chapters to show.

Run it with ``python book/experiment_rnn_gan.py``; a stopped run goes on where it left off, and what
is kept of an unchanged recipe is taken as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.experiments import keep_experiment, shipped_experiment, train_arms
from symphony.systems import recipe
from symphony.systems.rnn_gan.network import RNNGANConfig

MODEL = "rnn-gan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
TRICKS = recipe(MODEL)
WITHOUT = replace(TRICKS, replay_batches=0, label_flip=0.0, label_smoothing=0.0)
SMALL = RNNGANConfig(steps=64, hidden_size=128)  # of all arms; one hears its noise at the first row
EVERY_ROW = replace(SMALL, noise=64 * SMALL.steps, noise_rows=SMALL.steps)  # 64 new ones a row
SHORT = replace(WITHOUT, steps=750)  # compared with the curve of the longer run up to there
ARMS = {
    "with the tricks": TRICKS,
    "without": WITHOUT,
    "noise at every row": replace(SHORT, network=EVERY_ROW),
    "convolutional": replace(SHORT, network=replace(SMALL, conv_channels=12)),
    "binary": replace(SHORT, network=replace(SMALL, binary=True)),
}


if __name__ == "__main__":
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, kept=shipped_experiment(MODEL)))
