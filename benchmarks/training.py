"""A training step of the library, beside a bare nn.LSTM loop of the same shape."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.common import Row, side_by_side, stepping
from symphony.systems import recipe
from symphony.systems.char_rnn.system import CharRNNRecipe
from symphony.training import Data

STEPS = 24


def bare_step(stream: torch.Tensor, recipe: CharRNNRecipe) -> Callable[[], None]:
    """The shortest honest loop: the same layers, dropout, optimizer and clipping, nothing kept."""
    shape, symbols = recipe.network, recipe.codec.vocab_size + 1
    embed = nn.Embedding(symbols, shape.embedding_dim)
    lstm = nn.LSTM(shape.embedding_dim, shape.hidden_size, shape.num_layers, batch_first=True,
                   dropout=shape.dropout)  # fmt: skip
    head = nn.Linear(shape.hidden_size, symbols)
    weights = [*embed.parameters(), *lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=recipe.lr)

    def step() -> None:
        starts = torch.randint(0, len(stream) - recipe.window - 1, (recipe.batch, 1))
        rows = stream[starts + torch.arange(recipe.window + 1)]
        optimizer.zero_grad()
        logits = head(functional.dropout(lstm(embed(rows[:, :-1]))[0], shape.dropout))
        functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(weights, recipe.clip)
        optimizer.step()

    return step


def measure() -> list[Row]:
    stream = np.random.default_rng(0).integers(0, 363, 100_000).astype(np.int16)
    data, char_rnn = Data({"train": {"symbols": stream}}, {}), recipe("char-rnn")
    bare = bare_step(torch.from_numpy(stream).long(), char_rnn)
    bare()
    ours, theirs = side_by_side(stepping(char_rnn, data), bare, rounds=STEPS)
    return [("a training step: of a bare nn.LSTM loop's time", ours / theirs, "<=", 1.05)]
