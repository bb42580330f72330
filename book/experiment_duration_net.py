"""Chapter 11's comparison of Duration Nets, and of the ways that need none.

Trains three seeds of each: a Duration Net, one that hears the report's noise only, a
unidirectional one, one that answers with a number, and one that learns from tunes instead of
chorales. The result lies beside the shipped weights, for the chapter to show. What the shipped
net, which read chorales, makes of the tunes lies there under ``folk``, and what other ways make.

Run it with ``python book/experiment_duration_net.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony import load_corpus
from symphony.experiments import keep_experiment, refining, train_arms
from symphony.systems import load, recipe

MODEL = "duration-net"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
TUNES = "folk"
BASE = replace(recipe(MODEL), steps=1200)
ARMS = {
    "both noises": BASE,
    "report's noise only": replace(BASE, jitter=0.0, drift=0.0),
    "unidirectional": replace(BASE, network=replace(BASE.network, bidirectional=False)),
    "squared error": replace(BASE, network=replace(BASE.network, classes=False)),
    TUNES: replace(BASE, corpus=TUNES),
}


if __name__ == "__main__":
    corpora = {name: load_corpus(name) for name in (BASE.corpus, TUNES)}
    scores, tunes = corpora.values()
    found = train_arms(
        ARMS, SEEDS, RUNS, lambda t, _: refining.duration_results(t, corpora[t.recipe.corpus])
    )
    found["baselines"] = refining.duration_baselines(scores)
    found[TUNES] = refining.duration_transfer(load(MODEL), tunes)
    keep_experiment(MODEL, found)
