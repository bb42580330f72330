"""Chapter 3's comparison: does it help a Char-RNN to be told about the music it reads?

Trains three seeds of each of three models alike (told nothing, told of the music around each
event, told of its past only) and reads the same unseen pieces with each, under true conditions,
another passage's, and none. The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/study_conditions.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from symphony.codecs import ConditionCodec, codec_from_dict
from symphony.corpora import load_corpus
from symphony.models.ngram import NGram
from symphony.studies import keep_study
from symphony.training import load_model, recipe, train_recipe
from symphony.training.baselines import baseline
from symphony.training.encoded import condition_codec, encode_songs
from symphony.training.measure import PieceLosses, symbol_losses

RUNS = Path(__file__).resolve().parents[1] / "runs" / "study-conditions"
MODEL = "conditional-char-rnn"
SEEDS = (0, 1, 2)
# On the chorales, where a small network learns in minutes what it can: nine half-learned pianists
# differed more from seed to seed than from told to untold.
BASE = replace(
    recipe("conditional-char-rnn"),
    name="study",
    corpus="chorales",
    codec=recipe("char-rnn").codec,
    model={**recipe("conditional-char-rnn").model, "layers": 1},
    steps=1000,
    window=128,
    learning_rate=3e-3,
)


PLAIN = {k: v for k, v in BASE.model.items() if k not in ("kind", "condition")}
PAST = {**BASE.model, "condition": ConditionCodec(past_only=True).to_dict()}
ARMS = {  # alike in everything but what they are told
    "vanilla": replace(BASE, model=PLAIN),
    "centred": BASE,
    "past": replace(BASE, model=PAST),
}


def main() -> None:
    """See the module's docstring."""
    corpus = load_corpus(BASE.corpus)
    codec = codec_from_dict(BASE.codec)
    stream = encode_songs(corpus.test, codec)
    rows: list[dict] = []

    def note(model: str, told: str, seed: int | None, losses: np.ndarray) -> None:
        cost = PieceLosses.of(losses, stream)
        rows.append(
            {"model": model, "told": told, "seed": seed}
            | {"bits_per_event": cost.bits_per_event, "bits_per_note": cost.bits_per_note}
            | {"nats": [round(float(nats), 1) for nats in cost.nats]}
        )
        print(f"{model:>8} told {told:<9} seed {seed}: {cost.bits_per_event:.4f} bits an event")

    for name in ("uniform", "unigram", "ngram"):
        chain = baseline(name, corpus, codec)
        assert isinstance(chain.model, NGram)
        note(chain.recipe.name, "nothing", None, chain.model.losses(stream))
    for seed in SEEDS:
        for name, plan in ARMS.items():
            plan, run = replace(plan, seed=seed), RUNS / f"{name}-{seed}"
            if not (run / "card.json").is_file():
                train_recipe(plan, run, resume=(run / "state.ckpt").is_file())
            model = load_model(run).model
            asked = condition_codec(plan)
            if asked is None:
                note(name, "nothing", seed, symbol_losses(model, stream))
                continue
            truth = asked.rows(stream, codec.vocabulary)
            # Another passage's conditions: the same values in the same order, half a corpus away.
            elsewhere = np.roll(truth, len(truth) // 2, axis=0)
            for told, given in (("truth", truth), ("elsewhere", elsewhere), ("nothing", None)):
                note(name, told, seed, symbol_losses(model, stream, given))
    cost = PieceLosses.of(np.zeros(len(stream) - 1), stream)
    study = {
        "recipes": {name: plan.hash for name, plan in ARMS.items()},
        "steps": BASE.steps,
        "batch": BASE.batch,
        "corpus": {"name": corpus.name, "fingerprint": corpus.fingerprint},
        "symbols": cost.symbols.tolist(),
        "notes": cost.notes.tolist(),
        "rows": rows,
    }
    keep_study(MODEL, study)


if __name__ == "__main__":
    main()
