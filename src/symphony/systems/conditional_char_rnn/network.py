"""Conditional Char-RNN's network: a Char-RNN that is also told what to play (chapter 3).

The original Deep Symphony report joins a vector of 32 numbers to the input of every step: how
high, how dense, which pitch classes. Dropping parts of it while training lets one model play
with all of it, some of it, or none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig, State


@dataclass(frozen=True)
class ConditionalCharLSTMConfig(CharLSTMConfig):
    """The shape of a :class:`ConditionalCharLSTM`.

    Attributes:
        groups: how many numbers describe each thing told; a group of zeros isn't told.
        condition_dropout: probability that a training window isn't told anything, and, where it
            is, that of each group to be left out.
    """

    groups: tuple[int, ...] = (10, 10, 12)
    condition_dropout: float = 0.2


class ConditionalCharLSTM(CharLSTM):
    """Reads symbols beside a condition for the symbol to come, and predicts that symbol.

    B sequences at a time, T symbols each; V symbols in the vocabulary, K numbers in a condition.
    """

    config: ConditionalCharLSTMConfig

    def __init__(self, vocab_size: int, config: ConditionalCharLSTMConfig) -> None:
        super().__init__(vocab_size, config, condition=sum(config.groups))

    def joined(
        self, tokens: Int[Tensor, "*shape"], condition: Float[Tensor, "*shape K"] | None
    ) -> Float[Tensor, "*shape e+K"]:
        """Vectors of the symbols with the condition behind them; zeros where nothing is told.

        Raises:
            ValueError: a condition of another shape.
        """
        x = self.read(tokens)  # [..., e]
        shape = (*tokens.shape, sum(self.config.groups))
        if condition is None:
            condition = x.new_zeros(shape)
        if condition.shape != shape:
            raise ValueError(f"This needs a condition of shape {shape}, not {condition.shape}.")
        return torch.cat([x, condition.to(x)], dim=-1)

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        state: State | None = None,
        condition: Float[Tensor, "B T K"] | None = None,
    ) -> tuple[Float[Tensor, "B T V+1"], State]:
        """Logits for what follows each symbol, and the state after the last.

        ``condition[:, t]`` describes the surroundings of symbol t + 1, the one predicted.
        """
        return self.predict(self.joined(tokens, condition), state)

    def dropped(self, condition: Float[Tensor, "B T K"]) -> Float[Tensor, "B T K"]:
        """The condition with whole groups zeroed, each for a whole window at a time."""
        batch, p = len(condition), self.config.condition_dropout
        keep = torch.rand(batch, len(self.config.groups), device=condition.device) >= p
        keep &= torch.rand(batch, 1, device=condition.device) >= p
        sizes = torch.tensor(self.config.groups, device=condition.device)
        return condition * keep.repeat_interleave(sizes, dim=1)[:, None]  # [B, 1, K]

    def step(
        self,
        tokens: Int[Tensor, " B"],
        state: State,
        condition: Float[Tensor, "B K"] | None = None,
    ) -> tuple[Float[Tensor, "B V+1"], State]:
        """One symbol onwards, as :meth:`CharLSTM.step`."""
        return self.cells(self.joined(tokens, condition), state)


@dataclass(frozen=True)
class Conditioned:
    """A conditional model that follows a plan over time: ``generate`` draws from it.

    Attributes:
        model: what to ask.
        plan: gives the conditions [B, K] at so many seconds into each sequence, [B].
        seconds: how far each symbol moves time on, [V + 1].
    """

    model: ConditionalCharLSTM
    plan: Callable[[np.ndarray], np.ndarray]
    seconds: np.ndarray

    @property
    def bos(self) -> int:
        """The model's start symbol."""
        return self.model.bos

    def initial_state(self, batch: int) -> tuple[State, np.ndarray]:
        """The model's state before the first symbol, at 0 s."""
        return self.model.initial_state(batch), np.zeros(batch)

    def step(
        self, tokens: Int[Tensor, " B"], state: tuple[State, np.ndarray]
    ) -> tuple[Float[Tensor, "B V+1"], Any]:
        """One symbol onwards, told what the plan wants at the time it leads to."""
        elapsed = state[1] + self.seconds[tokens.cpu().numpy()]
        condition = torch.from_numpy(self.plan(elapsed)).to(tokens.device)
        logits, inner = self.model.step(tokens, state[0], condition)
        return logits, (inner, elapsed)
