"""A full evaluation, 100 pieces of 30 s beside four anchors, against its limit of two minutes."""

import time

from benchmarks.common import Row
from symphony import load, load_corpus
from symphony.corpora import is_present
from symphony.experiments import evaluate


def measure() -> list[Row]:
    name = "conditional-char-rnn" if is_present("asap") else "char-rnn"
    trained = load(name)
    corpus = load_corpus(trained.recipe.corpus, progress=False)
    begun = time.perf_counter()
    evaluate(trained, corpus, progress=False)
    seconds = time.perf_counter() - begun
    return [(f"evaluating on {corpus.name}, of its limit of 120 s", seconds / 120, "<=", 1.0)]
