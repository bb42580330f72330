"""Chapter 11's comparisons: Duration Nets and Velocity Nets, and what can be done without one.

Trains three seeds of each model: Duration Nets, those that read onwards only, and those that
answer with a number; Velocity Nets, and those whose loss counts silence too. The results lie
beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_refine.py``, or with ``durations`` or ``velocities`` behind it
for one half; a stopped run goes on where it left off. The Velocity Nets need the corpus asap; where it is not here they are left alone.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from symphony import load_corpus
from symphony.corpora import is_present
from symphony.experiments import keep_experiment, refining, train_arms
from symphony.systems import recipe
from symphony.training import Data, Trained

RUNS = Path(__file__).resolve().parents[1] / "runs" / "experiment-refine"
SEEDS = (0, 1, 2)
DURATION = replace(recipe("duration-net"), steps=400)
VELOCITY = replace(recipe("velocity-net"), steps=300, batch=16)
DURATION_ARMS = {
    "both noises": DURATION,
    "onwards only": replace(DURATION, network=replace(DURATION.network, bidirectional=False)),
    "squared error": replace(DURATION, network=replace(DURATION.network, classes=False)),
}
VELOCITY_ARMS = {
    "masked": VELOCITY,
    "silence counted": replace(VELOCITY, network=replace(VELOCITY.network, masked=False)),
}


def durations() -> None:
    """Train, measure and keep the Duration Nets, and the ways without one."""
    corpus = load_corpus(DURATION.corpus)

    def measure(trained: Trained, data: Data) -> dict[str, Any]:
        return refining.duration_results(trained, corpus)

    found = train_arms(DURATION_ARMS, SEEDS, RUNS / "durations", measure)
    found["baselines"] = refining.duration_baselines(corpus)
    keep_experiment("duration-net", found)


def velocities() -> None:
    """Train, measure and keep the Velocity Nets, and the ways without one."""
    if not is_present(VELOCITY.corpus):
        print(f"The corpus {VELOCITY.corpus} is not here: Velocity Nets are left alone.")
        return
    corpus = load_corpus(VELOCITY.corpus)

    def measure(trained: Trained, data: Data) -> dict[str, Any]:
        system: Any = trained.system

        def way(song: Any) -> Any:
            return system.velocities(trained, song)

        return {"scores": refining.velocity_scores(way, corpus.test)}

    found = train_arms(VELOCITY_ARMS, SEEDS, RUNS / "velocities", measure)
    found["baselines"] = refining.velocity_table(corpus.train, corpus.test)
    keep_experiment("velocity-net", found)


if __name__ == "__main__":
    halves = {"durations": durations, "velocities": velocities}
    for half in sys.argv[1:] or halves:
        halves[half]()
