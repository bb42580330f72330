"""N-gram models: count what followed what, and play that (chapter 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from symphony.systems.ngram.network import NGramTable
from symphony.systems.streams import StreamSystem, SymbolRecipe
from symphony.training.card import Card
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, Trained
from symphony.typed import count, ranged

if TYPE_CHECKING:
    from symphony.corpora import Corpus

LONGEST_ORDER = 8
COUNTED = 1_000_000  # symbols of the training split; more costs minutes and changes little
CHOSEN_ON = 200_000  # symbols of the validation split


@dataclass(frozen=True, kw_only=True)
class NGramRecipe(SymbolRecipe):
    """What to count."""

    room: ClassVar[str] = "ngram"

    order: int | None = ranged(None, -1, LONGEST_ORDER)  # None: the one that validation likes best
    steps: int = count(1)
    validation_symbols: int | None = count(CHOSEN_ON)


@dataclass(frozen=True)
class NGram(StreamSystem):
    """Counting in place of learning: one step sees all the music."""

    recipe: NGramRecipe

    def build(self, data: Data) -> Nets:
        """A table without counts."""
        order = LONGEST_ORDER if self.recipe.order is None else self.recipe.order
        return Nets({"network": NGramTable(self.recipe.codec.vocab_size, order)})

    def optimizers(self, nets: Nets) -> Optimizers:
        """None: nothing descends."""
        return {}

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Count; then, if the recipe gives no order, take the one that validation likes best."""
        table = nets["network"].fit(np.asarray(data.train["symbols"][:COUNTED]))
        if self.recipe.order is None:
            held_out = table.nll_by_order(
                np.asarray(data.arrays["validation"]["symbols"][:CHOSEN_ON])
            )
            nets["network"] = table = table.shortened(min(held_out, key=held_out.__getitem__))
        return {"train": torch.tensor(table.nll(data.train["symbols"][:CHOSEN_ON]))}

    def loss(self, nets: Nets, stream: np.ndarray) -> float:
        """Held-out loss in nats a symbol."""
        return float(nets["network"].nll(np.asarray(stream)))


def fit(recipe: NGramRecipe, corpus: Corpus) -> Trained:
    """An n-gram model counted on a corpus in memory, which takes seconds.

    The order that validation chose is in its name.
    """
    system = NGram(recipe)
    data = system.encode(corpus)
    nets = system.build(data)
    system.train_step(nets, {}, data, 0)
    order = nets["network"].order
    found = replace(recipe, name=name_of(order), order=order)
    return Trained(NGram(found), nets, Card.of(found, data.facts))


def name_of(order: int) -> str:
    """What an n-gram model of this order is called."""
    return {-1: "uniform", 0: "unigram"}.get(order, f"ngram-{order}")


def recipe(name: str, size: str) -> NGramRecipe:
    """An n-gram model's recipe by name; its sizes are all the same."""
    orders = {name_of(order): order for order in range(-1, LONGEST_ORDER + 1)}
    return NGramRecipe(name=name, size=size, order=orders.get(name))


SYSTEM = NGram
