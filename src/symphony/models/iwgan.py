"""Improved WGAN: convolutions judge the whole picture of a roll (chapter 5).

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

KEYS = 128  # of a roll: one a MIDI pitch


@dataclass(frozen=True)
class IWGANConfig:
    """The shape of both networks.

    Attributes:
        steps: rows of a roll, a multiple of 16.
        noise: numbers drawn for a roll.
        generator: "conv" paints the roll with transposed convolutions, "gru" plays it in time.
        width: channels of the generator's first map; each layer after has half as many.
        recurrent: cells of the two GRU layers, where it has them.
        critic: channels of the critic's first layer; each after has twice as many, up to eight
            times.
        quiet: added to the first bias of the keys, before their tanh: rolls are mostly silence.
    """

    steps: int = 64
    noise: int = 100
    generator: str = "conv"
    width: int = 256
    recurrent: tuple[int, int] = (64, 32)
    critic: int = 32
    quiet: float = -1.0

    def __post_init__(self) -> None:
        if self.steps < 16 or self.steps % 16:
            raise ValueError(f"steps is a multiple of 16, not {self.steps}.")
        if self.generator not in ("conv", "gru"):
            raise ValueError(f"generator is conv or gru, not {self.generator!r}.")
        if self.width < 8 or min(self.noise, self.critic, *self.recurrent) < 1:
            raise ValueError(f"An IWGAN needs noise and channels (8 at least), not {self}.")


class Painter(nn.Module):
    """Noise becomes a small map, and four transposed convolutions double its sides."""

    def __init__(self, config: IWGANConfig) -> None:
        super().__init__()
        c = config.width
        self.small = (c, config.steps // 16, KEYS // 16)  # [width, T/16, 8]
        self.seed = nn.Linear(config.noise, c * self.small[1] * self.small[2])
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)
            for a, b in ((c, c // 2), (c // 2, c // 4), (c // 4, c // 8), (c // 8, 1))
        )

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T 128"]:
        """What the keys get, before the tanh."""
        x = self.seed(noise).view(-1, *self.small)  # [B, width, T/16, 8]
        for layer in self.grow:
            x = layer(functional.relu(functional.group_norm(x, 1)))  # each doubles T and keys
        return x[:, 0]  # [B, T, 128]


class Player(nn.Module):
    """Two GRUs that hear the same noise at every step, and what share of the roll has gone."""

    def __init__(self, config: IWGANConfig) -> None:
        super().__init__()
        first, second = config.recurrent
        self.first = nn.GRU(config.noise + 1, first, batch_first=True)
        self.second = nn.GRU(first, second, batch_first=True)
        self.keys = nn.Linear(second, KEYS)
        self.steps = config.steps

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T 128"]:
        """What the keys get, before the tanh."""
        clock = torch.arange(self.steps, device=noise.device, dtype=noise.dtype) / self.steps
        clock = clock.expand(len(noise), -1)[..., None]  # [B, T, 1]
        heard = torch.cat([noise[:, None].expand(-1, self.steps, -1), clock], 2)  # [B, T, z + 1]
        hidden, _ = self.first(heard)  # [B, T, 64]
        hidden, _ = self.second(hidden)  # [B, T, 32]
        return self.keys(hidden)  # [B, T, 128]


class IWGANGenerator(nn.Module):
    """Noise to a roll, painted or played."""

    def __init__(self, config: IWGANConfig) -> None:
        super().__init__()
        self.config = config
        self.body = Painter(config) if config.generator == "conv" else Player(config)
        last = self.body.grow[-1] if isinstance(self.body, Painter) else self.body.keys
        bias: Any = last.bias
        bias.data += config.quiet

    def forward(self, noise: Float[Tensor, "B z"]) -> Float[Tensor, "B T 128"]:
        """Noise from U(-1, 1) to rolls from -1 (silent) to 1 (sounding)."""
        return torch.tanh(self.body(noise))  # [B, T, 128]


class IWGANCritic(nn.Module):
    """Four strided convolutions over time and pitch, and one number at the end."""

    def __init__(self, config: IWGANConfig) -> None:
        super().__init__()
        c = config.critic
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 5, stride=2, padding=2)
            for a, b in ((1, c), (c, 2 * c), (2 * c, 4 * c), (4 * c, 8 * c))
        )
        self.score = nn.Linear(8 * c * (config.steps // 16) * (KEYS // 16), 1)

    def forward(self, rolls: Float[Tensor, "B T 128"]) -> Float[Tensor, " B"]:
        """How real each roll looks; only differences mean something."""
        x = rolls[:, None]  # [B, 1, T, 128]
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)  # each halves T and keys
        return self.score(x.flatten(1))[:, 0]  # [B]
