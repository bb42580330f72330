"""N-gram models: the anchors that every network is measured beside (chapter 1).

Order 0 is the unigram model, order k looks back k symbols (a Markov chain of order k). Orders are
blended by Witten and Bell's interpolation ("The zero-frequency problem", 1991): the more
different symbols have followed a context, the more weight goes to the shorter one. Below order 0
lies the uniform distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class _Counts:
    """What followed each context of one length: rows sorted by (context, symbol)."""

    contexts: np.ndarray  # distinct hashes, sorted
    begins: np.ndarray  # where each context's rows begin, and the end
    symbols: np.ndarray  # per row
    counts: np.ndarray  # per row
    totals: np.ndarray  # per context


class NGramTable(nn.Module):
    """Counts of what followed each context of up to ``order`` symbols; -1 is uniform.

    It has ``initial_state`` and ``step`` as an RNN has.
    """

    def __init__(self, vocab_size: int, order: int) -> None:
        super().__init__()
        if order < -1 or vocab_size < 1:
            raise ValueError(f"An n-gram model looks back 0 or more symbols (-1: uniform): {order}")
        self.bos, self.order = vocab_size, order
        self._orders: list[_Counts] = []

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """The counts as tensors: what stands in for weights."""
        for size, known in enumerate(self._orders):
            for name, value in vars(known).items():
                destination[f"{prefix}{name}_{size}"] = torch.from_numpy(value.view(np.int64))

    def _load_from_state_dict(self, state: Any, prefix: str, *_: Any) -> None:
        """Take counts back, whatever their number."""
        self.order = sum(key.startswith(f"{prefix}contexts_") for key in state) - 1
        self._orders = []
        for size in range(self.order + 1):
            names = (f"{prefix}{name}_{size}" for name in _Counts.__dataclass_fields__)
            hashes, *counts = (state[name].cpu().numpy() for name in names)
            self._orders.append(_Counts(hashes.view(np.uint64), *counts))

    def fit(self, stream: Int[np.ndarray, " t"]) -> NGramTable:
        """Count a stream of symbols; returns the model itself."""
        symbols = np.asarray(stream, dtype=np.int64)
        self._orders.clear()
        for size in range(self.order + 1):
            contexts, follows = _contexts(symbols, size)[:-1], symbols[size:]
            order = np.lexsort((follows, contexts))
            contexts, follows = contexts[order], follows[order]
            new = np.append(True, (np.diff(contexts) != 0) | (np.diff(follows) != 0))
            rows = np.flatnonzero(new)[: len(contexts)]
            counts = np.diff(np.append(rows, len(contexts)))
            heads = np.flatnonzero(np.append(True, np.diff(contexts[rows]) != 0))[: len(rows)]
            totals = np.add.reduceat(counts, heads) if len(heads) else np.empty(0, np.int64)
            table = (contexts[rows][heads], np.append(heads, len(rows)), follows[rows])
            self._orders.append(_Counts(*table, counts, totals))
        return self

    def distribution(self, history: Int[np.ndarray, " h"]) -> Float64[np.ndarray, " V+1"]:
        """Probabilities of the next symbol after a history, oldest symbol first."""
        p = np.full(self.bos + 1, 1.0 / (self.bos + 1))
        history = np.asarray(history, dtype=np.int64)
        for size, known in enumerate(self._orders[: len(history) + 1]):
            context = _contexts(history[len(history) - size :], size)[0]
            at = int(np.searchsorted(known.contexts, context))
            if at == len(known.contexts) or known.contexts[at] != context:
                break
            rows = slice(known.begins[at], known.begins[at + 1])
            kinds = rows.stop - rows.start
            p *= kinds
            p[known.symbols[rows]] += known.counts[rows]
            p /= known.totals[at] + kinds
        return p

    def shortened(self, order: int) -> NGramTable:
        """The same counts, looking back no further than ``order`` symbols."""
        if order > self.order:
            raise ValueError(f"An n-gram model of order {self.order} can't look back {order}.")
        shorter = NGramTable(self.bos, order)
        shorter._orders = self._orders[: order + 1]
        return shorter

    def losses(self, stream: Int[np.ndarray, " t"]) -> Float64[np.ndarray, " t-1"]:
        """Negative log-likelihood of each symbol after the first, in nats."""
        *_, p = self._probabilities(stream)
        return -np.log(p)

    def nll(self, stream: Int[np.ndarray, " t"]) -> float:
        """Its mean, in nats a symbol."""
        return float(self.losses(stream).mean())

    def nll_by_order(self, stream: Int[np.ndarray, " t"]) -> dict[int, float]:
        """The mean of this model and of every shorter one, by order; -1 is uniform."""
        every = enumerate(self._probabilities(stream), start=-1)
        return {order: float(-np.log(p).mean()) for order, p in every}

    def _probabilities(self, stream: np.ndarray) -> Iterator[Float64[np.ndarray, " t-1"]]:
        """The probability given to each symbol after the first, by one order after the other."""
        symbols = np.asarray(stream, dtype=np.int64)
        p = np.full(len(symbols) - 1, 1.0 / (self.bos + 1))
        yield p
        for size, known in enumerate(self._orders):
            begin = max(size - 1, 0)  # the first prediction with a context of this size
            contexts = _contexts(symbols, size)[:-1] if size else _contexts(symbols, 0)[1:-1]
            target = symbols[begin + 1 :]
            if not len(known.contexts) or not len(target):
                yield p
                continue
            at = np.minimum(np.searchsorted(known.contexts, contexts), len(known.contexts) - 1)
            seen = known.contexts[at] == contexts
            kinds = np.diff(known.begins)[at]
            rank = np.repeat(np.arange(len(known.contexts)), np.diff(known.begins))
            keys = rank * (self.bos + 1) + known.symbols
            wanted = at * (self.bos + 1) + target
            row = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            count = np.where(keys[row] == wanted, known.counts[row], 0)
            blended = (count + kinds * p[begin:]) / (known.totals[at] + kinds)
            p[begin:] = np.where(seen, blended, p[begin:])
            yield p

    def initial_state(self, batch: int) -> list[list[int]]:
        """No history yet."""
        return [[] for _ in range(batch)]

    def step(
        self, tokens: Int[Tensor, " B"], state: list[list[int]]
    ) -> tuple[Float[Tensor, "B V+1"], list[list[int]]]:
        """Log-probabilities of what follows, and the histories grown by ``tokens``."""
        keep = max(self.order, 0)
        state = [
            [*past, token][-keep:] if keep else []
            for past, token in zip(state, tokens.tolist(), strict=True)
        ]
        rows = [np.log(self.distribution(np.array(past, dtype=np.int64))) for past in state]
        return torch.from_numpy(np.stack(rows)), state


def _contexts(symbols: np.ndarray, size: int) -> np.ndarray:
    """A hash of each run of ``size`` symbols; for size 0 the same one between all symbols."""
    out = np.zeros(max(len(symbols) - size + 1, 0), np.uint64)
    for i in range(size):
        out = (out + symbols[i : i + len(out)].astype(np.uint64) + np.uint64(1)) * _MIX
        out ^= out >> np.uint64(31)
    return out
