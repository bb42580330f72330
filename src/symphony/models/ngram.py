"""Chains that look back a few symbols: the anchors that every network is measured beside.

Order 0 is the unigram, order k looks back k symbols. Orders are blended by Witten and Bell's
interpolation ("The zero-frequency problem", 1991): the more different symbols have followed a
context, the more weight goes to the shorter one. Below order 0 lies the uniform distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class NGramConfig:
    """The shape of an :class:`NGram`: symbols, and how many it looks back; -1 is uniform."""

    vocabulary: int
    order: int

    @property
    def start(self) -> int:
        """The extra symbol that begins every piece."""
        return self.vocabulary


@dataclass(frozen=True)
class _Counts:
    """What followed each context of one length: rows sorted by (context, symbol)."""

    contexts: np.ndarray  # distinct hashes, sorted
    begins: np.ndarray  # where each context's rows begin, and the end
    symbols: np.ndarray  # per row
    counts: np.ndarray  # per row
    totals: np.ndarray  # per context


@dataclass(frozen=True)
class NGram:
    """An n-gram chain with the same ``begin`` and ``step`` as a Char-RNN.

    Raises:
        ValueError: an order below -1 or a vocabulary without symbols.
    """

    config: NGramConfig
    _orders: list[_Counts] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.config.order < -1 or self.config.vocabulary < 1:
            raise ValueError(f"A chain looks back 0 or more symbols (-1: uniform): {self.config}.")

    def fit(self, stream: Int[np.ndarray, " t"]) -> NGram:
        """Count a stream of symbols; returns the chain itself."""
        symbols = np.asarray(stream, dtype=np.int64)
        self._orders.clear()
        for size in range(self.config.order + 1):
            contexts, follows = _contexts(symbols, size)[:-1], symbols[size:]
            order = np.lexsort((follows, contexts))
            contexts, follows = contexts[order], follows[order]
            new = np.append(True, (np.diff(contexts) != 0) | (np.diff(follows) != 0))
            rows = np.flatnonzero(new)[: len(contexts)]
            counts = np.diff(np.append(rows, len(contexts)))
            heads = np.flatnonzero(np.append(True, np.diff(contexts[rows]) != 0))[: len(rows)]
            totals = np.add.reduceat(counts, heads) if len(heads) else np.empty(0, np.int64)
            self._orders.append(
                _Counts(
                    contexts[rows][heads],
                    np.append(heads, len(rows)),
                    follows[rows],
                    counts,
                    totals,
                )
            )
        return self

    def distribution(self, history: Int[np.ndarray, " h"]) -> Float64[np.ndarray, " V+1"]:
        """Probabilities of the next symbol after a history, oldest symbol first."""
        chances = np.full(self.config.vocabulary + 1, 1.0 / (self.config.vocabulary + 1))
        history = np.asarray(history, dtype=np.int64)
        for size, known in enumerate(self._orders[: len(history) + 1]):
            context = _contexts(history[len(history) - size :], size)[0]
            at = int(np.searchsorted(known.contexts, context))
            if at == len(known.contexts) or known.contexts[at] != context:
                break
            rows = slice(known.begins[at], known.begins[at + 1])
            kinds = rows.stop - rows.start
            chances *= kinds
            chances[known.symbols[rows]] += known.counts[rows]
            chances /= known.totals[at] + kinds
        return chances

    def shortened(self, order: int) -> NGram:
        """The same counts, looking back no further than ``order`` symbols.

        Raises:
            ValueError: an order longer than the chain's own.
        """
        if order > self.config.order:
            raise ValueError(f"A chain of order {self.config.order} can't look back {order}.")
        return NGram(NGramConfig(self.config.vocabulary, order), self._orders[: order + 1])

    def losses(self, stream: Int[np.ndarray, " t"]) -> Float64[np.ndarray, " t-1"]:
        """Negative log-likelihood of each symbol after the first, in nats."""
        *_, chances = self._chances(stream)
        return -np.log(chances)

    def nll(self, stream: Int[np.ndarray, " t"]) -> float:
        """Mean negative log-likelihood of a stream after its first symbol, in nats a symbol."""
        return float(self.losses(stream).mean())

    def nll_by_order(self, stream: Int[np.ndarray, " t"]) -> dict[int, float]:
        """The mean of this chain and of every shorter one, by order; -1 is uniform."""
        every = enumerate(self._chances(stream), start=-1)
        return {order: float(-np.log(chances).mean()) for order, chances in every}

    def _chances(self, stream: Int[np.ndarray, " t"]) -> Iterator[Float64[np.ndarray, " t-1"]]:
        """The probability given to each symbol after the first, by one order after the other."""
        symbols = np.asarray(stream, dtype=np.int64)
        chances = np.full(len(symbols) - 1, 1.0 / (self.config.vocabulary + 1))
        yield chances
        for size, known in enumerate(self._orders):
            begin = max(size - 1, 0)  # the first prediction with a context of this size
            contexts = _contexts(symbols, size)[:-1] if size else _contexts(symbols, 0)[1:-1]
            target = symbols[begin + 1 :]
            if not len(known.contexts) or not len(target):
                yield chances
                continue
            at = np.minimum(np.searchsorted(known.contexts, contexts), len(known.contexts) - 1)
            seen = known.contexts[at] == contexts
            kinds = np.diff(known.begins)[at]
            rank = np.repeat(np.arange(len(known.contexts)), np.diff(known.begins))
            keys = rank * (self.config.vocabulary + 1) + known.symbols
            wanted = at * (self.config.vocabulary + 1) + target
            row = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            count = np.where(keys[row] == wanted, known.counts[row], 0)
            blended = (count + kinds * chances[begin:]) / (known.totals[at] + kinds)
            chances[begin:] = np.where(seen, blended, chances[begin:])
            yield chances

    def begin(self, batch: int) -> list[list[int]]:
        """No history yet."""
        return [[] for _ in range(batch)]

    def step(
        self, tokens: Int[Tensor, " B"], state: list[list[int]]
    ) -> tuple[Float[Tensor, "B V+1"], list[list[int]]]:
        """Log-probabilities of what follows, and the histories grown by ``tokens``."""
        keep = max(self.config.order, 0)
        state = [
            [*past, token][-keep:] if keep else []
            for past, token in zip(state, tokens.tolist(), strict=True)
        ]
        rows = [np.log(self.distribution(np.array(past, dtype=np.int64))) for past in state]
        return torch.from_numpy(np.stack(rows)), state


def _contexts(symbols: np.ndarray, size: int) -> np.ndarray:
    """A hash of each run of ``size`` symbols; for size 0 the same one between all symbols."""
    out = np.zeros(len(symbols) - size + 1, np.uint64)
    for i in range(size):
        out = (out + symbols[i : i + len(out)].astype(np.uint64) + np.uint64(1)) * _MIX
        out ^= out >> np.uint64(31)
    return out
