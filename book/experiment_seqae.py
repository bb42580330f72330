"""Chapter 10's comparison: what does each term of the Continuous SeqAE's objective do?

The report's four rows, its three designs of the continuous loss, straight-through gradients, more
levels (FSQ), a VAE, and a sweep of the continuous loss's weight, on folk tunes; the four rows on
chorales; the plain autoencoder with longer windows. Then five ways to walk among the codes of the
model that ships, two of them learned. Three seeds each. The result lies beside the shipped
weights, for the chapter to show.

Run it with ``python book/experiment_seqae.py``, two runs at a time (or as many as it is given); a
stopped run goes on where it left off.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from symphony import load_corpus
from symphony.experiments import (
    code_measures,
    compare_walks,
    keep_experiment,
    train_arms,
)
from symphony.systems import load, recipe

MODEL = "seqae"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
LONG = {"steps": 2400, "evaluate_every": 300, "validation_windows": 2048}  # curves lie flat by then
SHORT = LONG | {"steps": 1200, "evaluate_every": 200}
FULL = replace(recipe(MODEL), **LONG)
BARE = replace(FULL, con_weight=0.0, q_weight=0.0)
CHORALES = replace(recipe("seqae-chorales"), **SHORT)
PLAIN = replace(recipe("seq-autoencoder"), batch=8, **SHORT)
SWEEP = (0.25, 2.0, 4.0)  # times the continuous loss's weight
ABLATION = {
    "vanilla": BARE,
    "continuous": FULL,
    "only L_con": replace(FULL, q_weight=0.0),
    "only L_q": replace(FULL, con_weight=0.0),
}
OTHERS = {
    "plain distance": replace(FULL, continuity="plain"),
    "hinge": replace(FULL, continuity="hinge"),
    "straight-through": replace(BARE, gradient="straight-through"),
    "FSQ": replace(
        BARE, gradient="straight-through", network=replace(FULL.network, digits=8, levels=4)
    ),
    "VAE": replace(BARE, network=replace(FULL.network, variational=True)),
}
WEIGHTS = {f"L_con x {k:g}": replace(FULL, con_weight=k * FULL.con_weight) for k in SWEEP}
ON_CHORALES = {
    "chorales vanilla": replace(CHORALES, con_weight=0.0, q_weight=0.0),
    "chorales continuous": CHORALES,
    "chorales only L_con": replace(CHORALES, q_weight=0.0),
    "chorales only L_q": replace(CHORALES, con_weight=0.0),
}
LENGTHS = {
    f"{onsets} onsets": replace(
        PLAIN, network=replace(PLAIN.network, onsets=onsets, window=2 * onsets)
    )
    for onsets in (4, 8, 16)
}
ARMS = ABLATION | OTHERS | WEIGHTS | ON_CHORALES | LENGTHS


if __name__ == "__main__":
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    found = train_arms(ARMS, SEEDS, RUNS, code_measures, processes)
    kept = RUNS / "walks.json"
    if not kept.is_file():
        corpus = load_corpus(FULL.corpus)
        # Rewarded by a model of training tunes, measured by one of validation tunes, begun in tests
        parts = corpus.train, corpus.validation, corpus.test
        kept.write_text(json.dumps(compare_walks(load(MODEL), *parts, SEEDS)))
    found["walks"] = json.loads(kept.read_text())
    keep_experiment(MODEL, found)
