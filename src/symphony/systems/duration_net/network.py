"""The Duration Net: two LSTMs read notes and their durations, a third answers (chapter 11)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

TOKENS = 129  # 128 pitches, and the wait for the next onset
CLASSES = 16  # durations of 1 to 16 sixteenths
BINS = 8  # a sixteenth, as the net reads distorted durations
LONGEST_READ = 24  # sixteenths; what is longer reads alike


@dataclass(frozen=True)
class DurationNetConfig:
    """The shape of a Duration Net.

    Attributes:
        token_dim, duration_dim: of the embeddings of notes and of distorted durations.
        hidden_size: of the LSTM of each.
        top_size: of the LSTM that reads both.
        fc_size: of the layer before the answer.
        bidirectional: read the passage from both ends; the original's reads onwards only.
        classes: answer with a distribution over 16 classes; else with one number of sixteenths.
    """

    token_dim: int = 512
    duration_dim: int = 256
    hidden_size: int = 64
    top_size: int = 128
    fc_size: int = 200
    bidirectional: bool = True
    classes: bool = True


class DurationNet(nn.Module):
    """What each note and wait should last, from all of the passage's notes and distorted times."""

    def __init__(self, config: DurationNetConfig) -> None:
        super().__init__()
        c, ways = config, 1 + config.bidirectional
        both = {"batch_first": True, "bidirectional": c.bidirectional}
        self.config = config
        self.token = nn.Embedding(TOKENS, c.token_dim)
        self.duration = nn.Embedding(BINS * LONGEST_READ + 1, c.duration_dim)
        self.read_tokens = nn.LSTM(c.token_dim, c.hidden_size, **both)
        self.read_durations = nn.LSTM(c.duration_dim, c.hidden_size, **both)
        self.top = nn.LSTM(2 * ways * c.hidden_size, c.top_size, **both)
        self.fc = nn.Linear(ways * c.top_size, c.fc_size)
        self.out = nn.Linear(c.fc_size, CLASSES if c.classes else 1)

    def forward(
        self, tokens: Int64[Tensor, "B T"], durations: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T out"]:
        """Logits of 1 to 16 sixteenths, or their number, from ``durations`` as heard."""
        bins = (durations * BINS).round().clamp(0, BINS * LONGEST_READ).long()
        notes, _ = self.read_tokens(self.token(tokens))  # [B, T, ways * hidden]
        times, _ = self.read_durations(self.duration(bins))  # [B, T, ways * hidden]
        hidden, _ = self.top(torch.cat([notes, times], dim=-1))  # [B, T, ways * top]
        out: Tensor = self.out(torch.relu(self.fc(hidden)))
        return out

    def sixteenths(
        self, tokens: Int64[Tensor, "B T"], durations: Float[Tensor, "B T"]
    ) -> Int64[Tensor, "B T"]:
        """The likeliest class, or the whole number nearest to the answer."""
        out = self(tokens, durations)
        if self.config.classes:
            return out.argmax(-1) + 1
        return out[..., 0].round().clamp(1, CLASSES).long()
