"""Pix2Pix's networks: a roll with holes in, the roll it might have been out (chapter 9).

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017: a U-Net
whose only noise is its dropout, and a discriminator that judges patches. Facades there, music
here: a facade is a roll from which whole notes were dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PITCHES = 128  # columns of a roll
DEPTH = 7  # halvings until 128 keys are one
MOST = 8  # times the first layer's channels, in the deepest
NOISY = 3  # of the decoder's layers, the deepest ones


@dataclass(frozen=True)
class Pix2PixConfig:
    """The shape of both networks."""

    steps: int = 128  # rows of a roll, a multiple of 128
    channels: int = 64  # of the U-Net's first layer; each has twice as many, up to 8 times
    discriminator_channels: int = 64  # of the PatchGAN's first layer, then 2, 4 and 8 times as many

    def __post_init__(self) -> None:
        if self.steps < PITCHES or self.steps % PITCHES:
            raise ValueError(f"steps is a multiple of 128, not {self.steps}.")
        if min(self.channels, self.discriminator_channels) < 1:
            raise ValueError(f"A Pix2Pix needs channels, not {self}.")

    def width(self, level: int) -> int:
        """Channels after ``level`` + 1 halvings."""
        return self.channels * min(2**level, MOST)

    def maps(self) -> list[tuple[int, int, int]]:
        """Channels, rows and keys of the maps that dropout thins out."""
        sides = [2 ** (i + 1) for i in range(NOISY)]
        rows = self.steps // PITCHES
        return [(self.width(DEPTH - 2 - i), rows * side, side) for i, side in enumerate(sides)]

    @property
    def noise(self) -> int:
        """Numbers drawn for a roll: one for each value that dropout may zero."""
        return sum(c * t * k for c, t, k in self.maps())


class UNet(nn.Module):
    """A U-Net: seven halvings, seven doublings, and skip connections between equals."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        c = [config.width(level) for level in range(DEPTH)]
        self.down = nn.ModuleList(
            nn.Conv2d(1 if i == 0 else c[i - 1], c[i], 4, stride=2, padding=1) for i in range(DEPTH)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(
                c[i] if i == DEPTH - 1 else 2 * c[i],
                1 if i == 0 else c[i - 1],
                4,
                stride=2,
                padding=1,
            )
            for i in reversed(range(DEPTH))
        )

    def forward(
        self, noise: Float[Tensor, "B z"], facade: Float[Tensor, "B T 128"]
    ) -> Float[Tensor, "B T 128"]:
        """A facade of -1 and 1 to the full roll, from -1 (silent) to 1 (sounding).

        Where the noise, from U(-1, 1), is below 0 the decoder's value is dropped, as by dropout of
        a half. It stays on when composing: nothing else is random.
        """
        x, skips = facade[:, None], []  # [B, 1, T, 128]
        for i, down in enumerate(self.down):
            x = down(functional.leaky_relu(x, 0.2) if i else x)  # halves T and keys
            if 0 < i < DEPTH - 1:  # the first sees silence, the last is a single key wide
                x = functional.instance_norm(x)
            skips.append(x)
        at = 0
        for i, up in enumerate(self.up):
            if i:
                x = torch.cat([x, skips[DEPTH - 1 - i]], 1)  # the skip of its size
            x = up(functional.relu(x))  # doubles T and keys
            if i < DEPTH - 1:
                x = functional.instance_norm(x)
            if i < NOISY:
                drawn = noise[:, at : at + x[0].numel()].view_as(x)
                x, at = x * (drawn > 0) * 2, at + x[0].numel()
        return torch.tanh(x[:, 0])  # [B, T, 128]


class PatchGAN(nn.Module):
    """A PatchGAN: each of its answers sees 70 x 70 of the roll and of its facade."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        c = config.discriminator_channels
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=s, padding=1)
            for a, b, s in ((2, c, 2), (c, 2 * c, 2), (2 * c, 4 * c, 2), (4 * c, 8 * c, 1))
        )
        self.score = nn.Conv2d(8 * c, 1, 4, padding=1)

    def forward(
        self, rolls: Float[Tensor, "B T 128"], facade: Float[Tensor, "B T 128"]
    ) -> Float[Tensor, "B t k"]:
        """The logit of each patch being real; 14 x 14 patches for 128 rows."""
        x = torch.stack([rolls, facade], 1)  # [B, 2, T, 128]
        for i, layer in enumerate(self.layers):
            x = layer(x)
            x = functional.leaky_relu(functional.instance_norm(x) if i else x, 0.2)
        return self.score(x)[:, 0]  # [B, t, k]
