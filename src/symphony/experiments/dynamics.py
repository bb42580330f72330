"""A Char-RNN as a dynamical system: its path through state space, and its loops (chapter 2).

The original report guessed that memory sits in limit cycles. Under greedy generation the
network is a deterministic system: once its state returns, it repeats for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64

from symphony.systems.char_rnn.network import CharLSTM, State
from symphony.systems.sampling import one_thread


@dataclass(frozen=True)
class Path:
    """A greedy run: its symbols, the top layer's hidden values, and the full state at the end."""

    tokens: Int64[np.ndarray, " T"]
    hidden: Float32[np.ndarray, "T hidden"]
    state: State


@dataclass(frozen=True)
class Cycle:
    """The loop that a greedy run ends in.

    Attributes:
        start: the step at which the repetition begins.
        period: its length in symbols.
        symbols: one turn, rotated so that equal loops are equal tuples.
        drift: mean distance of the hidden values after one turn, relative to their mean distance
            half a turn away: near 0 for a true cycle of the state.
    """

    start: int
    period: int
    symbols: tuple[int, ...]
    drift: float


def follow(
    network: CharLSTM, steps: int, state: State | None = None, last: int | None = None
) -> Path:
    """Run greedily from a state (whose last symbol was ``last``), or from the beginning."""
    token = network.bos if last is None else last
    state = network.initial_state(1) if state is None else state
    hidden: list[np.ndarray] = []
    tokens, state = _greedy(network, steps, state, token, hidden)
    return Path(tokens[0], np.stack(hidden), state)


@torch.inference_mode()
def _greedy(
    network: CharLSTM, steps: int, state: State, last: int, hidden: list[np.ndarray] | None
) -> tuple[Int64[np.ndarray, "B T"], State]:
    batch = state[0].shape[1]
    token = torch.full((batch,), last)
    tokens = np.empty((batch, steps), np.int64)
    with one_thread():
        for t in range(steps):
            logits, state = network.step(token, state)
            logits[:, network.bos] = -torch.inf
            token = logits.argmax(dim=-1)
            tokens[:, t] = token.numpy()
            if hidden is not None:
                hidden.append(state[0][-1, 0].numpy())
    return tokens, state


def find_cycle(path: Path, turns: int = 3) -> Cycle | None:
    """The shortest period that the symbols repeat at least ``turns`` times up to the end.

    Returns:
        None where the run has not settled.
    """
    found = _period(path.tokens, turns)
    if found is None:
        return None
    start, period = found
    turn = min_rotation(path.tokens[-period:].tolist())
    return Cycle(start, period, turn, _drift(path.hidden[start:], period))


def _period(tokens: Int64[np.ndarray, " T"], turns: int) -> tuple[int, int] | None:
    """Where the shortest repetition begins, and its period."""
    for period in range(1, len(tokens) // turns + 1):
        tail = tokens[len(tokens) - turns * period :]
        if (tail[period:] == tail[:-period]).all():
            broken = np.flatnonzero(tokens[period:] != tokens[:-period])
            return (int(broken[-1]) + 1 if len(broken) else 0), period
    return None


def min_rotation(turn: Sequence[int]) -> tuple[int, ...]:
    """The smallest rotation of a loop: its name, wherever one starts to read it."""
    turn = list(turn)
    return min(tuple(turn[i:] + turn[:i]) for i in range(len(turn)))


def _drift(hidden: np.ndarray, period: int) -> float:
    half = max(period // 2, 1)
    turn = np.linalg.norm(hidden[period:] - hidden[:-period], axis=1).mean()
    away = np.linalg.norm(hidden[half:] - hidden[:-half], axis=1).mean()
    return float(turn / away) if away > 0 else 0.0


def perturb(state: State, size: float, seed: int) -> State:
    """Gaussian noise added to a state, ``size`` times the state's own standard deviation."""
    rng = torch.Generator().manual_seed(seed)
    hidden, cell = (
        part + size * part.std() * torch.randn(part.shape, generator=rng) for part in state
    )
    return hidden, cell


def after_perturbation(
    network: CharLSTM, path: Path, size: float, seeds: Sequence[int], steps: int
) -> list[tuple[int, ...] | None]:
    """For each seed: disturb the end of a path once, go on greedily, and see where it settles.

    Returns:
        The symbols of the loop each ends in (see :class:`Cycle`), None where it has not settled.
    """
    moved = [perturb(path.state, size, seed) for seed in seeds]
    hidden, cell = (torch.cat([part[i] for part in moved], dim=1) for i in (0, 1))
    tokens, _ = _greedy(network, steps, (hidden, cell), int(path.tokens[-1]), None)
    loops: list[tuple[int, ...] | None] = []
    for row in tokens:
        found = _period(row, 3)
        loops.append(min_rotation(row[-found[1] :].tolist()) if found else None)
    return loops
