"""Drawing sequences from a model that predicts the next symbol (chapter 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from symphony.codecs import LogitsProcessor
from symphony.errors import RequestError
from symphony.typed import check_fields, control


class StepModel(Protocol):
    """What :func:`generate` needs of a model: RNNs and n-gram models both have it."""

    @property
    def bos(self) -> int:
        """The extra symbol that begins a piece."""

    def initial_state(self, batch: int) -> Any:
        """The state before the first symbol."""

    def step(self, tokens: Tensor, state: Any, *condition: Any) -> tuple[Tensor, Any]:
        """Logits of what follows, and the state after ``tokens``."""


@dataclass(frozen=True)
class SamplingControls:
    """The controls of a model of symbols."""

    temperature: float = control(1.0, "below 1 is safer, above 1 wilder; 0 takes the likeliest", 0)
    top_p: float = control(
        1.0, "draw only from the likeliest symbols that hold this probability", 0, 1, True
    )
    greedy: bool = control(False, "always take the likeliest symbol")


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
        RequestError: a temperature not above 0, ``top_p`` outside (0, 1], or no finite logit.
    """
    check_fields(SamplingControls(temperature, top_p))
    if not temperature > 0:
        raise RequestError("A softmax needs a temperature above 0.")
    logits = np.asarray(logits, dtype=np.float64)
    highest = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise RequestError("The model's logits are not finite: it has not been trained well.")
    weights = np.exp((logits - highest) / temperature)
    p = weights / weights.sum(axis=-1, keepdims=True)
    if top_p == 1:
        return p
    order = np.argsort(-p, axis=-1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=-1)
    ranked[np.cumsum(ranked, axis=-1) - ranked >= top_p - 1e-12] = 0.0
    np.put_along_axis(p, order, ranked, axis=-1)
    return p / p.sum(axis=-1, keepdims=True)


def draw(p: Float[np.ndarray, "B V"], uniform: Float[np.ndarray, " B"]) -> np.ndarray:
    """The symbol where each cumulative distribution passes a number in [0, 1)."""
    total = np.cumsum(p, axis=-1)
    found = (total <= uniform[:, None] * total[:, -1:]).sum(axis=-1)
    last = p.shape[-1] - 1 - np.argmax(p[:, ::-1] > 0, axis=-1)
    return np.minimum(found, last)


@torch.inference_mode()
def generate(
    model: StepModel,
    steps: int,
    *,
    batch: int = 1,
    temperature: float = 1.0,
    top_p: float = 1.0,
    greedy: bool = False,
    seed: int = 0,
    prompt: Sequence[int] = (),
    processor: LogitsProcessor | None = None,
    condition: Callable[[], np.ndarray] | None = None,
) -> Int64[np.ndarray, "B steps"]:
    """Let a model continue from the start symbol, or from a prompt.

    Sequence i of a batch draws from its own stream of random numbers, so it is the same
    whatever the batch size. The start symbol is never drawn: a piece goes on until ``steps``.

    Args:
        model: predicts the next symbol.
        steps, batch, seed: symbols to draw, for so many sequences.
        temperature, top_p: see :func:`probabilities`; a temperature of 0 is greedy.
        greedy: always take the likeliest symbol.
        prompt: symbols to read before drawing; they are not part of the answer.
        processor: what may be drawn, and when it is enough.
        condition: the condition of the next symbols, [batch, K].

    Returns:
        Symbols [batch, steps], or fewer where there were enough.

    Raises:
        RequestError: nothing to draw, or logits that are not finite.
    """
    if steps < 1 or batch < 1:
        raise RequestError(f"Ask for at least one step and one sequence, not {steps} and {batch}.")
    uniform = np.stack([np.random.default_rng((seed, i)).random(steps) for i in range(batch)])
    greedy = greedy or temperature == 0
    device: Any = "cpu"
    if isinstance(model, torch.nn.Module):
        model.eval()
        device = next((p.device for p in model.parameters()), device)
    out = np.empty((batch, steps), np.int64)
    with one_thread():
        state = model.initial_state(batch)

        def step(tokens: np.ndarray) -> tuple[Tensor, Any]:
            conditions = () if condition is None else (torch.from_numpy(condition()).to(device),)
            return model.step(torch.from_numpy(tokens).to(device), state, *conditions)

        for token in (model.bos, *prompt):
            logits, state = step(np.full(batch, token, np.int64))
        for t in range(steps):
            scores = logits.double().cpu().numpy()
            scores[:, model.bos] = -np.inf
            if processor is not None:
                scores = processor(scores)
            if greedy:
                if not np.isfinite(scores.max(axis=-1)).all():
                    raise RequestError("The model's logits are not finite.")
                out[:, t] = scores.argmax(axis=-1)
            else:
                out[:, t] = draw(probabilities(scores, temperature, top_p), uniform[:, t])
            if processor is not None and processor.accept(out[:, t]):
                return out[:, : t + 1]
            logits, state = step(out[:, t])
    return out
