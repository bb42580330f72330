"""DCRNN: one LSTM plans a phrase that is repeated, another plays it, never twice alike (chapter 6).

The model of the original Deep Symphony report. The noise may change from step to step, so that a
plan of letters, a slow walk between two of them, or a musician's arm can lead the piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

KEYS = 128  # of a roll: one a MIDI pitch
OCTAVE, OCTAVES, LOWEST = 12, 10, 4  # a hand spans an octave; ten are 120 keys, up from pitch 4


@dataclass(frozen=True)
class DCRNNConfig:
    """The shape of both networks.

    Attributes:
        steps: rows of the rolls it learns from, a multiple of 8; a form may be longer.
        noise: numbers drawn for each letter of a form.
        phrase: steps that RNNa plans before its plan is repeated.
        repeat: how often RNNb plays each plan; 1 plans every step anew.
        planner: LSTM cells of RNNa.
        player: LSTM cells of RNNb.
        hands: channels under the strip kernel: chords the model can learn.
        critic: channels of the critic's first layer, then 2, 4 and 4 times as many.
        conditional: whether generator and critic read a key histogram.
        quiet: added to the first bias of the keys, before their tanh: rolls are mostly silence.
    """

    steps: int = 96
    noise: int = 100
    phrase: int = 16
    repeat: int = 3
    planner: int = 64
    player: int = 32
    hands: int = 32
    critic: int = 32
    conditional: bool = True
    quiet: float = -1.0

    def __post_init__(self) -> None:
        counts = (self.noise, self.phrase, self.repeat, self.planner, self.player, self.hands)
        if min(*counts, self.critic) < 1:
            raise ValueError(f"A DCRNN needs noise, phrases, cells and channels, not {self}.")
        if self.steps < 8 or self.steps % 8:
            raise ValueError(f"steps is a multiple of 8, not {self.steps}.")

    @property
    def section(self) -> int:
        """Rows that one plan and its repeats take: the shortest section of a form."""
        return self.phrase * self.repeat


class DCRNNGenerator(nn.Module):
    """RNNa plans, the plan is repeated, RNNb plays it with ten hands an octave wide."""

    def __init__(self, config: DCRNNConfig) -> None:
        super().__init__()
        self.config = config
        heard = config.noise + (OCTAVE if config.conditional else 0)
        self.plan = nn.LSTM(heard, config.planner, batch_first=True)  # RNNa
        self.play = nn.LSTM(config.planner, config.player, batch_first=True)  # RNNb
        self.reach = nn.Linear(config.player, OCTAVES * config.hands)
        strip: Any = {"kernel_size": (1, OCTAVE), "stride": (1, OCTAVE)}
        self.strip = nn.ConvTranspose2d(config.hands, 1, **strip)
        bias: Any = self.strip.bias
        bias.data += config.quiet

    def forward(
        self,
        noise: Float[Tensor, "B z"] | Float[Tensor, "B T z"],
        key_histogram: Float[Tensor, "B 12"] | None = None,
    ) -> Float[Tensor, "B T 128"]:
        """Noise from U(-1, 1) to rolls from -1 (silent) to 1 (sounding).

        Args:
            noise: one vector for a roll of ``config.steps`` rows, or one for each row, of any
                number of rows. RNNa reads those of the rows where a plan is first played.
            key_histogram: the share of each pitch class, C first; needed where the model is
                conditional, refused where it is not.
        """
        c = self.config
        if noise.dim() == 2:
            noise = noise[:, None].expand(-1, c.steps, -1)  # [B, T, z]
        if (key_histogram is not None) != c.conditional:
            which = "needs" if c.conditional else "takes no"
            raise ValueError(f"This DCRNN {which} key histogram.")
        if key_histogram is not None:
            keys = evenly(key_histogram)[:, None].expand(-1, noise.shape[1], -1)  # [B, T, 12]
            noise = torch.cat([noise, keys], 2)  # [B, T, z + 12]
        batch, steps = noise.shape[:2]
        phrase = c.phrase if c.repeat > 1 else steps
        whole = -(-steps // (phrase * c.repeat))  # plans, the last perhaps cut short
        padded = functional.pad(noise, (0, 0, 0, whole * phrase * c.repeat - steps))
        first = padded.unflatten(1, (whole, c.repeat, phrase))[:, :, 0]  # [B, plans, phrase, z]
        plan, _ = self.plan(first.flatten(1, 2))  # [B, plans * phrase, planner]
        plan = plan.unflatten(1, (whole, 1, phrase)).expand(-1, -1, c.repeat, -1, -1)
        played, _ = self.play(plan.flatten(1, 3)[:, :steps])  # [B, T, player]
        hands = self.reach(played).view(batch, steps, OCTAVES, c.hands)  # [B, T, 10, hands]
        keys = self.strip(hands.permute(0, 3, 1, 2))[:, 0]  # [B, T, 120]
        sound = torch.tanh(keys)
        return functional.pad(sound, (LOWEST, KEYS - sound.shape[2] - LOWEST), value=-1.0)


def evenly(key_histogram: Float[Tensor, "B 12"]) -> Float[Tensor, "B 12"]:
    """Shares as distances from equal ones, as large as noise is: else they would go unheard."""
    return OCTAVE * key_histogram - 1


def self_similarity(rolls: Float[Tensor, "B T 128"]) -> Float[Tensor, "B T T"]:
    """XX' of each roll, as a share of its keys: how alike every two of its rows are."""
    return rolls @ rolls.transpose(1, 2) / rolls.shape[2]


class Eye(nn.Module):
    """Four 5 x 5 convolutions over a picture, down to one vector."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        super().__init__()
        c = channels
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 5, stride=s, padding=2)
            for a, b, s in ((1, c, 2), (c, 2 * c, 2), (2 * c, 4 * c, 2), (4 * c, 4 * c, 1))
        )
        self.size = 4 * c * (height // 8) * (width // 8)

    def forward(self, picture: Float[Tensor, "B h w"]) -> Float[Tensor, "B size"]:
        """What it sees, flat."""
        x = picture[:, None]  # [B, 1, h, w]
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
        return x.flatten(1)  # [B, 4c * h/8 * w/8]


class DCRNNCritic(nn.Module):
    """Looks at the roll, at its self-similarity, and at the key it was asked for."""

    def __init__(self, config: DCRNNConfig) -> None:
        super().__init__()
        self.roll = Eye(config.steps, KEYS, config.critic)
        self.form = Eye(config.steps, config.steps, config.critic)
        self.key = nn.Linear(OCTAVE * OCTAVE, 32) if config.conditional else None
        seen = self.roll.size + self.form.size + (32 if config.conditional else 0)
        self.score = nn.Linear(seen, 1)

    def forward(
        self, rolls: Float[Tensor, "B T 128"], key_histogram: Float[Tensor, "B 12"] | None = None
    ) -> Float[Tensor, " B"]:
        """How real each roll looks for its key; only differences mean something."""
        seen = [self.roll(rolls), self.form(self_similarity(rolls))]
        if self.key is not None and key_histogram is not None:
            keys = functional.pad((rolls.mean(1) + 1) / 2, (0, -KEYS % OCTAVE))  # [B, 132]
            classes = keys.unflatten(1, (-1, OCTAVE)).sum(1)  # [B, 12], C first
            # Products, so that what sounds is weighed by what was asked for.
            match = classes[:, :, None] * evenly(key_histogram)[:, None]  # [B, 12, 12]
            seen.append(functional.leaky_relu(self.key(match.flatten(1)), 0.2))  # [B, 32]
        return self.score(torch.cat(seen, 1))[:, 0]  # [B]
