"""Chapter 11's comparison of Velocity Nets, and of the ways that need none.

Trains three seeds of each: a Velocity Net, a unidirectional one, and one whose loss counts
silence too. The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_velocity_net.py``, where the corpus asap is; a stopped run
goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony import load_corpus
from symphony.experiments import keep_experiment, refining, train_arms
from symphony.systems import recipe

MODEL = "velocity-net"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
BASE = replace(recipe(MODEL), steps=1000, batch=16)
ARMS = {
    "masked": BASE,
    "unidirectional": replace(BASE, network=replace(BASE.network, bidirectional=False)),
    "silence counted": replace(BASE, network=replace(BASE.network, masked=False)),
}


if __name__ == "__main__":
    corpus = load_corpus(BASE.corpus)
    found = train_arms(
        ARMS,
        SEEDS,
        RUNS,
        lambda t, _: {
            "scores": refining.velocity_scores(refining.network_velocities(t), corpus.test)
        },
    )
    baselines = refining.velocity_table(corpus.train, corpus.test)
    keep_experiment(MODEL, found | {"baselines": baselines})
