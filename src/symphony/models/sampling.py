"""Drawing sequences from a model that predicts the next symbol (chapter 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor


class Steps(Protocol):
    """What :func:`generate` needs of a model: Char-RNNs and chains both have it."""

    @property
    def config(self) -> Any:
        """Its vocabulary, and the symbol that begins a piece."""

    def begin(self, batch: int) -> Any:
        """The state before the first symbol."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits of what follows, and the state after ``tokens``."""


class Rules(Protocol):
    """What :func:`generate` may be told about the symbols it draws."""

    def constrain(self, logits: Float64[np.ndarray, "B V"]) -> Float64[np.ndarray, "B V"]:
        """The logits of what comes next in each sequence, some of them changed."""

    def add(self, symbols: Int64[np.ndarray, " B"]) -> bool:
        """Take a symbol of each sequence; true where that is enough."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Small steps are faster on one thread, and repeat bit for bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def probabilities(
    logits: Float[np.ndarray, "B V"], temperature: float = 1.0, top_p: float = 1.0
) -> Float[np.ndarray, "B V"]:
    """Softmax of logits / temperature, cut to the nucleus that holds ``top_p``.

    The nucleus is the smallest set of likeliest symbols whose probability reaches ``top_p``
    (Holtzman et al., "The curious case of neural text degeneration", 2020).

    Raises:
        ValueError: a temperature not above 0, ``top_p`` outside (0, 1], or no finite logit.
    """
    if not (temperature > 0 and np.isfinite(temperature)):
        raise ValueError(f"A temperature is a finite number above 0, not {temperature}.")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p is a share above 0 and at most 1, not {top_p}.")
    logits = np.asarray(logits, dtype=np.float64)
    highest = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise ValueError("The model's logits are not finite: it has not been trained well.")
    weights = np.exp((logits - highest) / temperature)
    chances = weights / weights.sum(axis=-1, keepdims=True)
    if top_p == 1:
        return chances
    order = np.argsort(-chances, axis=-1, kind="stable")
    ranked = np.take_along_axis(chances, order, axis=-1)
    ranked[np.cumsum(ranked, axis=-1) - ranked >= top_p - 1e-12] = 0.0
    np.put_along_axis(chances, order, ranked, axis=-1)
    return chances / chances.sum(axis=-1, keepdims=True)


def draw(chances: Float[np.ndarray, "B V"], uniform: Float[np.ndarray, " B"]) -> np.ndarray:
    """The symbol where each cumulative distribution passes a number in [0, 1)."""
    total = np.cumsum(chances, axis=-1)
    found = (total <= uniform[:, None] * total[:, -1:]).sum(axis=-1)
    last = chances.shape[-1] - 1 - np.argmax(chances[:, ::-1] > 0, axis=-1)
    return np.minimum(found, last)


@torch.inference_mode()
def generate(
    model: Steps,
    steps: int,
    *,
    batch: int = 1,
    temperature: float = 1.0,
    top_p: float = 1.0,
    greedy: bool = False,
    seed: int | Sequence[int] = 0,
    prompt: Sequence[int] = (),
    state: Any = None,
    trace: list[np.ndarray] | None = None,
    rules: Rules | None = None,
) -> Int64[np.ndarray, "B steps"]:
    """Let a model continue from the start symbol, or from a prompt.

    Sequence i of a batch draws from its own stream of random numbers, so it is the same
    whatever the batch size. The start symbol is never drawn: a piece goes on until ``steps``.

    Args:
        model: a Char-RNN or a chain.
        steps: symbols to draw.
        batch: how many sequences at once.
        temperature: below 1 sharpens, above 1 flattens; 0 is greedy.
        top_p: the nucleus to draw from.
        greedy: always take the likeliest symbol.
        seed: one seed for the batch, or one for each sequence.
        prompt: symbols to read before drawing; they are not part of the answer.
        state: go on from this state, instead of the beginning; the prompt's last symbol
            (or the start symbol) is read first.
        trace: a list to which each step appends the top layer's hidden values, [B, width].
        rules: what may be drawn, and when it is enough.

    Returns:
        Symbols [batch, steps], or fewer where there were enough.
    """
    if steps < 1 or batch < 1:
        raise ValueError(f"Ask for at least one step and one sequence, not {steps} and {batch}.")
    seeds = [(seed, i) for i in range(batch)] if isinstance(seed, int) else list(seed)
    if len(seeds) != batch:
        raise ValueError(f"Give one seed, or {batch}: one for each sequence.")
    chance = np.stack([np.random.default_rng(s).random(steps) for s in seeds])
    greedy = greedy or temperature == 0
    begin = getattr(model, "eval", None)
    if begin is not None:
        begin()
    start = model.config.start
    read = [*prompt] if len(prompt) and state is not None else [start, *prompt]
    device = next(model.parameters()).device if isinstance(model, torch.nn.Module) else "cpu"
    out = np.empty((batch, steps), np.int64)
    with one_thread():
        state = model.begin(batch) if state is None else state
        for token in read:
            logits, state = model.step(torch.full((batch,), int(token), device=device), state)
        for t in range(steps):
            scores = logits.double().cpu().numpy()
            scores[:, start] = -np.inf
            if rules is not None:
                scores = rules.constrain(scores)
            if greedy:
                if not np.isfinite(scores.max(axis=-1)).all():
                    raise ValueError("The model's logits are not finite.")
                out[:, t] = scores.argmax(axis=-1)
            else:
                out[:, t] = draw(probabilities(scores, temperature, top_p), chance[:, t])
            logits, state = model.step(torch.from_numpy(out[:, t]).to(device), state)
            if rules is not None and rules.add(out[:, t]):
                return out[:, : t + 1]
            if trace is not None:
                trace.append(state[0][-1].cpu().numpy())
    return out
