"""RNN-GAN's networks: one LSTM composes, another listens (chapter 4).

Mogren, "C-RNN-GAN: Continuous recurrent neural networks with adversarial training", 2016, on
piano rolls and with the sizes of the original Deep Symphony.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from symphony.systems.iwgan.network import WGANConfig, WGANCritic, binarize


@dataclass(frozen=True)
class RNNGANConfig:
    """The shape of both networks."""

    steps: int = 96  # rows of a roll
    noise: int = 200  # numbers drawn for a roll
    hidden_size: int = 512  # cells of the LSTM layers, of which each network has two
    output_bias_init: float = -2.0  # added to the first output bias: rolls are mostly silence
    pitches: int = 128  # columns of a roll
    noise_rows: int = 1  # from the first on, that hear an equal part of the noise; all others none
    binary: bool = False  # the generator's cells are -1 or 1, as real ones are, and never between
    conv_channels: int = 0  # where not 0, WGAN's convolutions are the discriminator, of this width

    def __post_init__(self) -> None:
        if min(self.steps, self.noise, self.hidden_size) < 1 or self.conv_channels < 0:
            raise ValueError(f"An RNN-GAN needs steps, noise and cells, not {self}.")
        if not 1 <= self.noise_rows <= self.steps or self.noise % self.noise_rows:
            raise ValueError(
                f"noise is a multiple of noise_rows, which are 1 to {self.steps}: not {self.noise} "
                f"and {self.noise_rows}."
            )


class LSTMGenerator(nn.Module):
    """Hears its noise at the first rows, mostly at one, then only its own memory."""

    def __init__(self, config: RNNGANConfig) -> None:
        super().__init__()
        self.config = config
        heard = config.noise // config.noise_rows
        self.lstm = nn.LSTM(heard, config.hidden_size, 2, batch_first=True)
        self.last = nn.LSTM(config.hidden_size, config.pitches, batch_first=True)
        # An LSTM's output lies in (-1, 1), of which a sigmoid leaves (.27, .73): hence this layer.
        self.fc = nn.Linear(config.pitches, config.pitches)
        self.fc.bias.data += config.output_bias_init

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T 128"]:
        """Noise from U(-1, 1) to rolls from -1 (silent) to 1 (sounding)."""
        rows = noise.unflatten(1, (self.config.noise_rows, -1))  # [B, 1, z], or more rows
        silent = self.config.steps - self.config.noise_rows
        x = functional.pad(rows, (0, 0, 0, silent))  # [B, T, z]
        hidden, _ = self.lstm(x)  # [B, T, hidden]
        hidden, _ = self.last(hidden)  # [B, T, 128]
        sound = 2 * torch.sigmoid(self.fc(hidden)) - 1  # [B, T, 128]
        return binarize(sound) if self.config.binary else sound


class LSTMDiscriminator(nn.Module):
    """Listens to a roll from its first row to its last, then says how real it was."""

    def __init__(self, config: RNNGANConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(config.pitches, config.hidden_size, 2, batch_first=True)
        self.score = nn.Linear(config.hidden_size, 1)

    def forward(self, rolls: Float[Tensor, "B T 128"]) -> Float[Tensor, " B"]:
        """The logit of each roll being real."""
        hidden, _ = self.lstm(rolls)  # [B, T, hidden]
        return self.score(hidden[:, -1])[:, 0]  # [B]


def discriminator_of(config: RNNGANConfig) -> nn.Module:
    """An LSTM that listens, or the convolutions of chapter 5, which see the whole roll."""
    if not config.conv_channels:
        return LSTMDiscriminator(config)
    return WGANCritic(WGANConfig(config.steps, critic_channels=config.conv_channels))
