"""Char-RNN: predict the next symbol, then draw it, again and again (chapter 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch.nn import functional

from symphony.codecs import EventCodec
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.streams import ALL_KEYS, TINY, StreamRecipe, StreamSystem, draw_windows
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, descend

SMALL = CharLSTMConfig(num_layers=2, hidden_size=256, embedding_dim=128)
WIDE = CharLSTMConfig(num_layers=1, hidden_size=512, embedding_dim=128)


@dataclass(frozen=True, kw_only=True)
class CharRNNRecipe(StreamRecipe):
    """How to train a Char-RNN."""

    room: ClassVar[str] = "char_rnn"

    network: CharLSTMConfig = SMALL


@dataclass(frozen=True)
class CharRNN(StreamSystem):
    """An LSTM over symbols, by likelihood."""

    recipe: CharRNNRecipe

    def build(self, data: Data) -> Nets:
        """The network, untrained."""
        codec = self.recipe.codec
        return Nets({"network": CharLSTM(codec.vocab_size, self.recipe.network)})

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Teacher forcing: read true symbols, predict each next one, go downhill."""
        windows = draw_windows(data.train["symbols"], self.recipe, step)
        tokens = data.share(torch.from_numpy(windows))  # [B, T + 1]
        logits, _ = nets["network"](tokens[:, :-1])  # [B, T, V + 1]
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        descend(loss, opts["network"], lr=self.lr(step), clip=self.recipe.clip)
        return {"train": loss.detach()}


# The report's own setting, for whoever has its songs: never shipped.
REPORTED: dict[str, Any] = {
    **{"steps": 20_000, "window": 64, "lr": 1e-4, "keep": "last", "evaluate_every": 500}
}
# The copyist differs from its model in what it hears and in when it stops, and in nothing else.
CHORALES: dict[str, Any] = {
    "network": replace(WIDE, dropout=0.25),
    **{"steps": 6500, "window": 128, "lr": 4e-3, "schedule": "cosine", "warmup": 50},
    **{"transpose": ALL_KEYS, "evaluate_every": 250},
}
OVERFIT: dict[str, Any] = {
    **CHORALES,
    **{"subset": 32, "steps": 4500, "keep": "last", "evaluate_every": 50},
    "snapshots": (100, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 4500),
}
PERFORMANCES: dict[str, Any] = {
    # The same settings, and no dropout: there is more music here than a small network can take in.
    **CHORALES,
    **{"corpus": "asap", "network": WIDE, "steps": 11_000, "evaluate_every": 500},
    # Seven classes of loudness leave a pianist two or three. And keys, not pedals: a network that
    # also learns when each pedalled note dies away holds more than twice as many as pianists do.
    "codec": EventCodec(velocity_bins=32, pedal=False),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "char-rnn": CHORALES,
    "char-rnn-overfit": OVERFIT,
    "char-rnn-performances": PERFORMANCES,
    "char-rnn-reported": REPORTED,
}


def recipe(name: str, size: str) -> Any:
    """A Char-RNN's recipe by name and size."""
    return sized(CharRNNRecipe(name=name, size="small", **VARIANTS[name]), size)


def sized(base: Any, size: str) -> Any:
    """A small recipe in another size."""
    reported = base.name.endswith("-reported")
    if size == "tiny":
        shape = replace(base.network, num_layers=1, hidden_size=32, embedding_dim=16, dropout=0.0)
        snapshots = (10, 20, 30) if base.snapshots else ()
        return replace(base, size=size, network=shape, snapshots=snapshots, **TINY)
    if size == "small":
        return replace(base, steps=2000, lr=1e-3) if reported else base
    embedding = 500 if reported else 256
    dropout = 0.3 if base.network.dropout else 0.0
    shape = replace(
        base.network, num_layers=3, hidden_size=512, embedding_dim=embedding, dropout=dropout
    )
    base = replace(base, size=size, network=shape)
    longer = base.steps if base.subset else 20 * base.steps
    return base if reported else replace(base, lr=1e-3, batch=64, steps=longer)


SYSTEM = CharRNN
