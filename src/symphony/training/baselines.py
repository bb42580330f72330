"""Chains as models like any other: the anchors that a network is measured beside (chapter 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symphony.models.ngram import NGram, NGramConfig
from symphony.training.checkpoint import CheckpointError, Trained, load_model
from symphony.training.encoded import encode_songs
from symphony.training.recipes import Recipe

if TYPE_CHECKING:
    from symphony.codecs import EventCodec
    from symphony.corpora import Corpus

ORDERS = {"uniform": -1, "unigram": 0} | {f"ngram-{order}": order for order in range(1, 9)}
BASELINES = (*ORDERS, "ngram")
MOST_SYMBOLS = 1_000_000  # counted; more costs minutes and changes little
CHOSEN_ON = 200_000  # symbols of the validation split


def load_any(name_or_folder: str, corpus: str = "chorales") -> Trained:
    """A chain counted on ``corpus``, a shipped model by name, or the model in a run's folder.

    Raises:
        CheckpointError: none of them.
    """
    from symphony.corpora import load_corpus

    if name_or_folder in BASELINES:
        return baseline(name_or_folder, load_corpus(corpus))
    return load_model(name_or_folder)


def baseline(name: str, corpus: Corpus, codec: EventCodec | None = None) -> Trained:
    """A chain counted on a corpus, ready to compose.

    Args:
        name: uniform, unigram, or ngram-1 to ngram-8; "ngram" takes the order that the
            validation split likes best.
        corpus: what to count: the first million symbols of its training split.
        codec: how; the 363 events if left out.

    Raises:
        CheckpointError: no such chain, or no music to count.
    """
    from symphony.codecs import EventCodec

    if name not in BASELINES:
        raise CheckpointError(f"There is no chain {name!r}; known: {', '.join(BASELINES)}.")
    codec = codec or EventCodec()
    stream = encode_songs(corpus.train, codec)[:MOST_SYMBOLS]
    if len(stream) < 2:
        raise CheckpointError(f"{corpus.name} holds no training music to count.")
    chain = NGram(NGramConfig(codec.vocabulary, ORDERS.get(name, max(ORDERS.values())))).fit(stream)
    if name == "ngram":
        held_out = chain.nll_by_order(encode_songs(corpus.validation, codec)[:CHOSEN_ON])
        order = min(held_out, key=lambda order: held_out[order])
        name = next(known for known, looks_back in ORDERS.items() if looks_back == order)
        chain = chain.shortened(order)
    plan = Recipe(name, "small", corpus.name, codec.to_dict(), {"order": chain.config.order})
    return Trained(chain, codec, {}, plan)
