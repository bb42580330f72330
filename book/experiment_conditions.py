"""Chapter 3's comparison: does a condition help a Char-RNN to predict the music it reads?

Trains three seeds of each of three models alike (without a condition, with one measured around
each event, with one measured on its past only) and reads the same unseen pieces with each, under
true conditions, shuffled ones (another passage's), and none. A stretch of the training music is
read in the same way: a model that has begun to overfit reads it better than unseen music. The
result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_conditions.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from symphony.codecs import ConditionCodec
from symphony.corpora import load_corpus
from symphony.evaluation import PieceLosses
from symphony.experiments import keep_experiment, train_once
from symphony.systems import recipe
from symphony.systems.char_rnn.network import CharLSTMConfig
from symphony.systems.char_rnn.system import CharRNNRecipe
from symphony.systems.ngram.system import fit
from symphony.systems.streams import BITS, encode_songs, held_out_loss, symbol_losses

MODEL = "conditional-char-rnn"
RUNS = Path(__file__).resolve().parents[1] / "runs" / "experiment-conditions"
SEEDS = (0, 1, 2)
TRAINING_SYMBOLS = 65_536  # of the training music, as many as validation reads
# On the chorales, where a small network learns in minutes what it can: nine half-learned pianists
# differed more from seed to seed than from one condition to another.
BASE = replace(
    recipe(MODEL),
    name="experiment",
    corpus="chorales",
    codec=recipe("char-rnn").codec,
    network=replace(recipe(MODEL).network, hidden_size=256),
    **{"steps": 1000, "lr": 3e-3, "schedule": "linear", "warmup": 0, "evaluate_every": 100},
)


def unconditional(base: Any) -> CharRNNRecipe:
    """The same recipe for a Char-RNN without a condition."""
    shape = {f.name: getattr(base.network, f.name) for f in fields(CharLSTMConfig)}
    rest = {f.name: getattr(base, f.name) for f in fields(CharRNNRecipe) if f.name != "network"}
    return CharRNNRecipe(network=CharLSTMConfig(**shape), **rest)


ARMS = {  # alike in everything but their condition
    "vanilla": unconditional(BASE),
    "centred": BASE,
    "past": replace(BASE, condition=ConditionCodec(past_only=True)),
}


def main() -> None:
    """See the module's docstring."""
    corpus, codec = load_corpus(BASE.corpus), BASE.codec
    stream = encode_songs(corpus.test, codec)
    learned = encode_songs(corpus.train, codec)[: TRAINING_SYMBOLS + 1]
    rows: list[dict[str, Any]] = []

    def note(
        model: str, condition: str, seed: int | None, losses: np.ndarray, **more: float
    ) -> None:
        cost = PieceLosses.of(losses, stream)
        rows.append(
            {"model": model, "condition": condition, "seed": seed}
            | {"bits_per_event": cost.bits_per_event, "bits_per_note": cost.bits_per_note}
            | {"nats": [round(float(nats), 1) for nats in cost.nats]}
            | more
        )
        print(f"{model:>8}, {condition:<8}, seed {seed}: {cost.bits_per_event:.4f} bits an event")

    for name in ("uniform", "unigram", "ngram"):
        ngram = fit(replace(recipe(name), codec=codec, corpus=corpus.name), corpus)
        note(ngram.name, "none", None, ngram.nets["network"].losses(stream))
    for seed in SEEDS:
        for name, arm in ARMS.items():
            trained = train_once(replace(arm, seed=seed), RUNS / f"{name}-{seed}")
            network = trained.nets["network"]
            read: dict[str, tuple[np.ndarray | None, ...]] = {"none": (None, None)}
            if hasattr(arm, "condition"):
                truth, known = (arm.condition.rows(each, codec.bos) for each in (stream, learned))
                # Another passage's: the same values in the same order, half a corpus away.
                shuffled = [np.roll(rows, len(rows) // 2, axis=0) for rows in (truth, known)]
                read = {"true": (truth, known), "shuffled": tuple(shuffled)} | read
            for condition, (unseen, seen) in read.items():
                losses = symbol_losses(network, stream, unseen)
                bits = held_out_loss(network, learned, seen) / BITS
                note(name, condition, seed, losses, train_bits_per_event=bits)
    cost = PieceLosses.of(np.zeros(len(stream) - 1), stream)
    experiment = {
        "recipes": {name: arm.hash for name, arm in ARMS.items()},
        "steps": BASE.steps,
        "batch": BASE.batch,
        "corpus": {"name": corpus.name, "fingerprint": corpus.fingerprint},
        "symbols": cost.symbols.tolist(),
        "notes": cost.notes.tolist(),
        "rows": rows,
    }
    keep_experiment(MODEL, experiment)


if __name__ == "__main__":
    main()
