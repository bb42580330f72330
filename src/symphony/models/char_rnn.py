"""Char-RNN: an LSTM that predicts the next symbol of a stream (chapter 2).

Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015, with the
sizes of the original Deep Symphony report: three layers of 512 cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, Tensor]  # hidden and cell, each [layers, B, width]


@dataclass(frozen=True)
class CharRNNConfig:
    """The shape of a :class:`CharRNN`.

    Attributes:
        vocabulary: how many symbols the codec has; one more marks the start of a piece.
        layers: LSTM layers, one on top of the other.
        width: LSTM cells in a layer.
        embedding: numbers that stand for a symbol; None for one-hot.
        dropout: share of values zeroed between layers while training.
    """

    vocabulary: int
    layers: int = 3
    width: int = 512
    embedding: int | None = None
    dropout: float = 0.0

    @property
    def start(self) -> int:
        """The extra symbol that begins every piece."""
        return self.vocabulary

    @property
    def inputs(self) -> int:
        """Numbers that the first layer reads at each step."""
        return self.embedding or self.vocabulary + 1


class CharRNN(nn.Module):
    """Reads symbols, predicts the next one.

    B sequences at a time, T symbols each; V symbols in the vocabulary, and one for the start.
    """

    def __init__(self, config: CharRNNConfig) -> None:
        super().__init__()
        if min(config.vocabulary, config.layers, config.width) < 1:
            raise ValueError(f"A Char-RNN needs symbols, layers and cells, not {config}.")
        symbols = config.vocabulary + 1
        self.config = config
        self.embed = nn.Embedding(symbols, config.embedding) if config.embedding else None
        self.lstm = nn.LSTM(
            config.inputs,
            config.width,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.width, symbols)

    def read(self, tokens: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape e"]:
        """Symbols as vectors: learned embeddings, or one-hot."""
        if self.embed is not None:
            return self.embed(tokens)
        return functional.one_hot(tokens, self.config.vocabulary + 1).to(self.head.weight.dtype)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V+1"], State]:
        """Logits for what follows each symbol, and the state after the last."""
        hidden, state = self.lstm(self.read(tokens), state)  # [B, T, width]
        return self.head(self.drop(hidden)), state  # [B, T, V + 1]

    def loss(self, tokens: Int[Tensor, "B T+1"]) -> Float[Tensor, ""]:
        """Cross-entropy of each symbol given those before it, in nats a symbol."""
        logits, _ = self(tokens[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    def begin(self, batch: int) -> State:
        """The state before the first symbol: zeros."""
        shape = (self.config.layers, batch, self.config.width)
        zeros = torch.zeros(shape, dtype=self.head.weight.dtype, device=self.head.weight.device)
        return zeros, zeros.clone()

    def step(self, tokens: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B V+1"], State]:
        """One symbol onwards with the weights of ``self.lstm``, without its set-up costs.

        On a CPU, ``nn.LSTM`` repacks all weights at each call; the cell does not.
        """
        return self.cells(self.read(tokens), state)

    def cells(self, x: Float[Tensor, "B e"], state: State) -> tuple[Float[Tensor, "B V+1"], State]:
        """:meth:`step` once the symbols are vectors."""
        hidden, cell = [], []
        for layer in range(self.config.layers):
            weights: list[Any] = self.lstm._flat_weights[4 * layer : 4 * layer + 4]
            h, c = torch.lstm_cell(x, (state[0][layer], state[1][layer]), *weights)
            hidden.append(h)
            cell.append(c)
            x = h  # [B, width]
        return self.head(x), (torch.stack(hidden), torch.stack(cell))
