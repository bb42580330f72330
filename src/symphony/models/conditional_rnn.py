"""Conditional Char-RNN: a Char-RNN that is also told what the music should be like (chapter 3).

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
from torch.nn import functional

from symphony.models.char_rnn import CharRNN, CharRNNConfig, State


@dataclass(frozen=True)
class ConditionalCharRNNConfig(CharRNNConfig):
    """The shape of a :class:`ConditionalCharRNN`.

    Attributes:
        groups: how many numbers describe each thing told; a group of zeros isn't told.
        condition_dropout: chance that a training window isn't told anything, and, where it is,
            the chance of each group to be left out.
    """

    groups: tuple[int, ...] = (10, 10, 12)
    condition_dropout: float = 0.2

    @property
    def condition(self) -> int:
        """Numbers in a condition."""
        return sum(self.groups)

    @property
    def inputs(self) -> int:
        """Numbers that the first layer reads at each step: the symbol's and the condition's."""
        return super().inputs + self.condition


class ConditionalCharRNN(CharRNN):
    """Reads symbols beside a condition for the symbol to come, and predicts that symbol.

    B sequences at a time, T symbols each; V symbols in the vocabulary, K numbers in a condition.
    """

    config: ConditionalCharRNNConfig

    def joined(
        self, tokens: Int[Tensor, "*shape"], condition: Float[Tensor, "*shape K"] | None
    ) -> Float[Tensor, "*shape e+K"]:
        """Vectors of the symbols with the condition behind them; zeros where nothing is told.

        Raises:
            ValueError: a condition of another shape.
        """
        x = self.read(tokens)  # [..., e]
        shape = (*tokens.shape, self.config.condition)
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
        hidden, state = self.lstm(self.joined(tokens, condition), state)  # [B, T, width]
        return self.head(self.drop(hidden)), state  # [B, T, V + 1]

    def loss(
        self,
        tokens: Int[Tensor, "B T+1"],
        condition: Float[Tensor, "B T K"] | None = None,
    ) -> Float[Tensor, ""]:
        """Cross-entropy in nats a symbol; while training, with parts of the condition dropped."""
        if condition is not None and self.training:
            condition = self.dropped(condition)
        logits, _ = self(tokens[:, :-1], None, condition)
        return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    def dropped(self, condition: Float[Tensor, "B T K"]) -> Float[Tensor, "B T K"]:
        """The condition with whole groups zeroed, each for a whole window at a time."""
        batch, chance = len(condition), self.config.condition_dropout
        keep = torch.rand(batch, len(self.config.groups), device=condition.device) >= chance
        keep &= torch.rand(batch, 1, device=condition.device) >= chance
        sizes = torch.tensor(self.config.groups, device=condition.device)
        return condition * keep.repeat_interleave(sizes, dim=1)[:, None]  # [B, 1, K]

    def step(
        self,
        tokens: Int[Tensor, " B"],
        state: State,
        condition: Float[Tensor, "B K"] | None = None,
    ) -> tuple[Float[Tensor, "B V+1"], State]:
        """One symbol onwards, as :meth:`CharRNN.step`."""
        return self.cells(self.joined(tokens, condition), state)


@dataclass(frozen=True)
class Conditioned:
    """A conditional model that follows a plan over time: :func:`generate` draws from it.

    Attributes:
        model: what to ask.
        plan: gives the conditions [B, K] at so many seconds into each sequence, [B].
        seconds: how far each symbol moves time on, [V + 1].
    """

    model: ConditionalCharRNN
    plan: Callable[[np.ndarray], np.ndarray]
    seconds: np.ndarray

    @property
    def config(self) -> ConditionalCharRNNConfig:
        """The model's."""
        return self.model.config

    def begin(self, batch: int) -> tuple[State, np.ndarray]:
        """The model's state before the first symbol, at 0 s."""
        return self.model.begin(batch), np.zeros(batch)

    def step(
        self, tokens: Int[Tensor, " B"], state: tuple[State, np.ndarray]
    ) -> tuple[Float[Tensor, "B V+1"], Any]:
        """One symbol onwards, told what the plan wants at the time it leads to."""
        elapsed = state[1] + self.seconds[tokens.cpu().numpy()]
        condition = torch.from_numpy(self.plan(elapsed)).to(tokens.device)
        logits, inner = self.model.step(tokens, state[0], condition)
        return logits, (inner, elapsed)
