"""Improved WGAN's networks: convolutions judge the whole picture of a roll (chapter 5).

Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, whose critic is held to slopes
of 1 by a penalty. The penalty looks at one roll at a time, so nothing here normalises over a
batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PITCHES = 128  # columns of a roll


@dataclass(frozen=True)
class WGANConfig:
    """The shape of both networks."""

    steps: int = 64  # rows of a roll, a multiple of 16
    noise: int = 100  # numbers drawn for a roll
    generator: str = "conv"  # paints with transposed convolutions; "gru" plays in time
    channels: int = 256  # of the generator's first map; each layer after has half as many
    recurrent: tuple[int, int] = (64, 32)  # cells of the two GRU layers, where it has them
    critic_channels: int = 32  # of its first layer; each after has twice as many
    output_bias_init: float = -1.0  # added to the first output bias: rolls are mostly silence
    lowest: int = 0  # the lowest key that it plays and hears; all others stay silent
    pitches: int = PITCHES  # keys from there on, a multiple of 16
    binary: bool = False  # the generator's cells are -1 or 1, as real ones are, and never between

    def __post_init__(self) -> None:
        for name, size in (("steps", self.steps), ("pitches", self.pitches)):
            if size < 16 or size % 16:
                raise ValueError(f"{name} is a multiple of 16, not {size}.")
        if self.lowest < 0 or self.lowest + self.pitches > PITCHES:
            raise ValueError(f"{self.pitches} keys from {self.lowest} on leave the keyboard.")
        if self.generator not in ("conv", "gru"):
            raise ValueError(f"generator is conv or gru, not {self.generator!r}.")
        if self.channels < 8 or min(self.noise, self.critic_channels, *self.recurrent) < 1:
            raise ValueError(f"A WGAN needs noise and channels (8 at least), not {self}.")


def binarize(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """-1 or 1 by the sign of x, with the gradient of x: the straight-through estimator.

    Bengio, Léonard & Courville, 2013; for piano rolls Dong & Yang, "Convolutional generative
    adversarial networks with binary neurons for polyphonic music generation", 2018.
    """
    sign = torch.where(x > 0, 1.0, -1.0)
    return x + (sign - x).detach()


class ConvDecoder(nn.Module):
    """Noise becomes a small map, and four transposed convolutions double its sides."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        c = config.channels
        self.small = (c, config.steps // 16, config.pitches // 16)  # [channels, T/16, P/16]
        self.fc = nn.Linear(config.noise, c * self.small[1] * self.small[2])
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)
            for a, b in ((c, c // 2), (c // 2, c // 4), (c // 4, c // 8), (c // 8, 1))
        )

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T P"]:
        """Logits, before the tanh."""
        x = self.fc(noise).view(-1, *self.small)  # [B, channels, T/16, P/16]
        for layer in self.layers:
            x = layer(functional.relu(functional.group_norm(x, 1)))  # each doubles T and P
        return x[:, 0]  # [B, T, P]


class GRUDecoder(nn.Module):
    """Two GRUs that read the same noise at every step, and what share of the roll has gone."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        first, second = config.recurrent
        self.first = nn.GRU(config.noise + 1, first, batch_first=True)
        self.second = nn.GRU(first, second, batch_first=True)
        self.fc = nn.Linear(second, config.pitches)
        self.steps = config.steps

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T P"]:
        """Logits, before the tanh."""
        clock = torch.arange(self.steps, device=noise.device, dtype=noise.dtype) / self.steps
        clock = clock.expand(len(noise), -1)[..., None]  # [B, T, 1]
        x = torch.cat([noise[:, None].expand(-1, self.steps, -1), clock], 2)  # [B, T, z + 1]
        hidden, _ = self.first(x)  # [B, T, 64]
        hidden, _ = self.second(hidden)  # [B, T, 32]
        return self.fc(hidden)  # [B, T, P]


class WGANGenerator(nn.Module):
    """Noise to a roll, painted or played."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = ConvDecoder(config) if config.generator == "conv" else GRUDecoder(config)
        last = self.decoder.layers[-1] if isinstance(self.decoder, ConvDecoder) else self.decoder.fc
        bias: Any = last.bias
        bias.data += config.output_bias_init

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T 128"]:
        """Noise from U(-1, 1) to rolls from -1 (silent) to 1 (sounding)."""
        c, sound = self.config, torch.tanh(self.decoder(noise))  # [B, T, P]
        sound = binarize(sound) if c.binary else sound
        return functional.pad(sound, (c.lowest, PITCHES - c.lowest - c.pitches), value=-1.0)


class WGANCritic(nn.Module):
    """Four strided convolutions over time and pitch, and one number at the end."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        c, self.keys = config.critic_channels, slice(config.lowest, config.lowest + config.pitches)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 5, stride=2, padding=2)
            for a, b in ((1, c), (c, 2 * c), (2 * c, 4 * c), (4 * c, 8 * c))
        )
        self.score = nn.Linear(8 * c * (config.steps // 16) * (config.pitches // 16), 1)

    def forward(self, rolls: Float[Tensor, "B T 128"]) -> Float[Tensor, " B"]:
        """How real each roll looks; only differences mean something."""
        x = rolls[:, None, :, self.keys]  # [B, 1, T, P]
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)  # each halves T and P
        return self.score(x.flatten(1))[:, 0]  # [B]
