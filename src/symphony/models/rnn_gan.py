"""RNN-GAN: one LSTM composes, another listens (chapter 4).

Mogren, "C-RNN-GAN: Continuous recurrent neural networks with adversarial training", 2016, on
piano rolls and with the sizes of the original Deep Symphony.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

KEYS = 128  # of a roll: one a MIDI pitch


@dataclass(frozen=True)
class RNNGANConfig:
    """The shape of both networks.

    Attributes:
        steps: rows of a roll.
        noise: numbers drawn for a roll.
        width: cells of the LSTM layers, of which each network has two.
        quiet: added to the first bias of the keys, before their sigmoid: rolls are mostly silence.
    """

    steps: int = 96
    noise: int = 200
    width: int = 512
    quiet: float = -2.0

    def __post_init__(self) -> None:
        if min(self.steps, self.noise, self.width) < 1:
            raise ValueError(f"An RNN-GAN needs steps, noise and cells, not {self}.")


class RNNGANGenerator(nn.Module):
    """Hears its noise at the first step, then only its own memory."""

    def __init__(self, config: RNNGANConfig) -> None:
        super().__init__()
        self.config = config
        self.lstm = nn.LSTM(config.noise, config.width, 2, batch_first=True)
        self.last = nn.LSTM(config.width, KEYS, batch_first=True)
        # An LSTM's output lies in (-1, 1), of which a sigmoid leaves (.27, .73): hence this layer.
        self.keys = nn.Linear(KEYS, KEYS)
        self.keys.bias.data += config.quiet

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T 128"]:
        """Noise from U(-1, 1) to rolls from -1 (silent) to 1 (sounding)."""
        silence = noise.new_zeros(len(noise), self.config.steps - 1, self.config.noise)
        heard = torch.cat([noise[:, None], silence], 1)  # [B, T, z]
        hidden, _ = self.lstm(heard)  # [B, T, width]
        hidden, _ = self.last(hidden)  # [B, T, 128]
        return 2 * torch.sigmoid(self.keys(hidden)) - 1  # [B, T, 128]


class RNNGANCritic(nn.Module):
    """Listens to a roll from its first row to its last, then says how real it was."""

    def __init__(self, config: RNNGANConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(KEYS, config.width, 2, batch_first=True)
        self.score = nn.Linear(config.width, 1)

    def forward(self, rolls: Float[Tensor, "B T 128"]) -> Float[Tensor, " B"]:
        """The logit of each roll being real."""
        hidden, _ = self.lstm(rolls)  # [B, T, width]
        return self.score(hidden[:, -1])[:, 0]  # [B]
