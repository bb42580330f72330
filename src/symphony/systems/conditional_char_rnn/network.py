"""Conditional Char-RNN's network: a Char-RNN with a condition (chapter 3).

The original Deep Symphony report joins a vector of 32 numbers to the input of every step: how
high, how dense, which pitch classes. Dropping parts of it while training lets one model play
with all of it, some of it, or none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig, State


@dataclass(frozen=True)
class ConditionalCharLSTMConfig(CharLSTMConfig):
    """The shape of a :class:`ConditionalCharLSTM`.

    While training, a window loses its whole condition with probability ``condition_dropout``; where
    it keeps it, each group is left out with the same probability.
    """

    groups: tuple[int, ...] = (10, 10, 12)  # numbers in each group; all zeros: no condition
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
        """Vectors of the symbols with the condition behind them; zeros where there is none."""
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
