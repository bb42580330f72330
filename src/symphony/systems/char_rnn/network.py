"""Char-RNN's network: an LSTM that predicts the next symbol of a stream (chapter 2).

Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015, with the
sizes of the original Deep Symphony report: three layers of 512 cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, Tensor]  # hidden and cell, each [layers, B, hidden]


@dataclass(frozen=True)
class CharLSTMConfig:
    """The shape of a :class:`CharLSTM`."""

    num_layers: int = 3  # LSTM layers, one on top of the other
    hidden_size: int = 512  # LSTM cells in a layer
    embedding_dim: int | None = None  # numbers that stand for a symbol; None for one-hot
    dropout: float = 0.0  # share of values zeroed between layers while training

    def __post_init__(self) -> None:
        if min(self.num_layers, self.hidden_size, self.embedding_dim or 1) < 1:
            raise ValueError(f"A Char-RNN needs layers and cells, not {self}.")


class CharLSTM(nn.Module):
    """Reads symbols, predicts the next one.

    B sequences at a time, T symbols each; ``vocab_size`` V symbols, and symbol V begins every
    piece. ``condition`` counts the numbers joined to each symbol's vector.
    """

    def __init__(self, vocab_size: int, config: CharLSTMConfig, condition: int = 0) -> None:
        super().__init__()
        if vocab_size < 1:
            raise ValueError(f"A Char-RNN needs symbols, not {vocab_size}.")
        symbols = vocab_size + 1
        self.config, self.bos = config, vocab_size
        self.embed = nn.Embedding(symbols, config.embedding_dim) if config.embedding_dim else None
        self.lstm = nn.LSTM(
            (config.embedding_dim or symbols) + condition,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
        )
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, symbols)

    def read(self, tokens: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape e"]:
        """Symbols as vectors: learned embeddings, or one-hot."""
        if self.embed is not None:
            return self.embed(tokens)
        return functional.one_hot(tokens, self.bos + 1).to(self.head.weight.dtype)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V+1"], State]:
        """Logits for what follows each symbol, and the state after the last."""
        return self.predict(self.read(tokens), state)

    def predict(
        self, x: Float[Tensor, "B T e"], state: State | None
    ) -> tuple[Float[Tensor, "B T V+1"], State]:
        """:meth:`forward` once the symbols are vectors."""
        hidden, state = self.lstm(x, state)  # [B, T, hidden]
        return self.head(self.drop(hidden)), state  # [B, T, V + 1]

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol: zeros."""
        shape = (self.config.num_layers, batch, self.config.hidden_size)
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
        for layer, weights in enumerate(self.lstm.all_weights):
            h, c = torch.lstm_cell(x, (state[0][layer], state[1][layer]), *weights)
            hidden.append(h)
            cell.append(c)
            x = h  # [B, hidden]
        return self.head(x), (torch.stack(hidden), torch.stack(cell))
