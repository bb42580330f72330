"""The Velocity Net: two LSTMs over the keys struck at each onset (chapter 11)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

KEYS = 128
WAITS = 2  # since the onset before, until the onset after


@dataclass(frozen=True)
class VelocityNetConfig:
    """The shape of a Velocity Net.

    Attributes:
        hidden_size, num_layers: of the LSTM.
        bidirectional: read the passage from both ends.
        masked: the loss counts the keys that are struck; else all 128, silence as velocity 0.
    """

    hidden_size: int = 64
    num_layers: int = 2
    bidirectional: bool = True
    masked: bool = True


class VelocityNet(nn.Module):
    """How hard each key would be struck, at each onset of a passage."""

    def __init__(self, config: VelocityNetConfig) -> None:
        super().__init__()
        c = config
        self.config = config
        self.lstm = nn.LSTM(
            KEYS + WAITS,
            c.hidden_size,
            c.num_layers,
            batch_first=True,
            bidirectional=c.bidirectional,
        )
        self.out = nn.Linear((1 + c.bidirectional) * c.hidden_size, KEYS)

    def forward(
        self, struck: Float[Tensor, "B T 128"], waits: Float[Tensor, "B T 2"]
    ) -> Float[Tensor, "B T 128"]:
        """Velocities from 0 to 1 of all keys; of keys not ``struck`` (0 or 1) they mean nothing."""
        hidden, _ = self.lstm(torch.cat([struck, waits], dim=-1))  # [B, T, ways * hidden]
        return torch.sigmoid(self.out(hidden))
