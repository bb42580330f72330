"""DCRNN's networks: one LSTM plans a phrase, another plays it, never twice alike (chapter 6).

The model of the original Deep Symphony report. The noise may change from step to step, so that a
plan of letters, a slow walk between two of them, or a musician's arm can lead the piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from symphony.systems.iwgan.network import binarize

PITCHES = 128  # columns of a roll
OCTAVE = 12  # keys of a strip


@dataclass(frozen=True)
class DCRNNConfig:
    """The shape of both networks."""

    steps: int = 96  # rows of the rolls it learns from, a multiple of 8; a form may be longer
    noise: int = 100  # numbers drawn for each letter of a form
    phrase: int = 16  # steps that RNNa plans before its plan is repeated
    repeat: int = 3  # how often RNNb plays each plan; 1 plans every step anew
    hidden_a: int = 64  # LSTM cells of RNNa
    hidden_b: int = 32  # LSTM cells of RNNb
    strip_channels: int = 32  # under the strip kernel: chords to learn; 0 connects every key alone
    critic_channels: int = 32  # of the critic's first layer, then 2, 4 and 4 times as many
    conditional: bool = True  # whether generator and critic read a key histogram
    output_bias_init: float = -1.0  # added to the first output bias: rolls are mostly silence
    lowest: int = 4  # the lowest key that it plays and hears; all others stay silent
    octaves: int = 10  # strips from there on
    binary: bool = False  # the generator's cells are -1 or 1, as real ones are, and never between

    def __post_init__(self) -> None:
        counts = (self.noise, self.phrase, self.repeat, self.hidden_a, self.hidden_b)
        if min(*counts, self.critic_channels) < 1 or self.strip_channels < 0:
            raise ValueError(f"A DCRNN needs noise, phrases, cells and channels, not {self}.")
        if self.lowest < 0 or not 1 <= self.octaves <= (PITCHES - self.lowest) // OCTAVE:
            raise ValueError(f"{self.octaves} octaves from {self.lowest} on leave the keyboard.")
        if self.steps < 8 or self.steps % 8:
            raise ValueError(f"steps is a multiple of 8, not {self.steps}.")

    @property
    def section(self) -> int:
        """Rows that one plan and its repeats take: the shortest section of a form."""
        return self.phrase * self.repeat

    @property
    def pitches(self) -> int:
        """Keys under all strips."""
        return OCTAVE * self.octaves


class PlanState(NamedTuple):
    """Where a piece stands that is played row by row."""

    at: int  # rows of this plan and its repeats that have been played
    plan: tuple[Tensor, ...]  # what RNNa has planned of it so far, each [B, 1, hidden_a]
    a: tuple[Tensor, Tensor] | None  # RNNa's hidden and cell
    b: tuple[Tensor, Tensor] | None  # RNNb's


class DCRNNGenerator(nn.Module):
    """RNNa plans, the plan is repeated, RNNb plays it with strips an octave wide."""

    def __init__(self, config: DCRNNConfig) -> None:
        super().__init__()
        self.config = config
        size = config.noise + (OCTAVE if config.conditional else 0)
        self.rnn_a = nn.LSTM(size, config.hidden_a, batch_first=True)
        self.rnn_b = nn.LSTM(config.hidden_a, config.hidden_b, batch_first=True)
        if config.strip_channels:
            self.fc = nn.Linear(config.hidden_b, config.octaves * config.strip_channels)
            strip: Any = {"kernel_size": (1, OCTAVE), "stride": (1, OCTAVE)}
            self.strip = nn.ConvTranspose2d(config.strip_channels, 1, **strip)
        else:
            self.fc = nn.Linear(config.hidden_b, config.pitches)
        bias: Any = self.strip.bias if config.strip_channels else self.fc.bias
        bias.data += config.output_bias_init

    def forward(
        self,
        noise: Float[Tensor, "B z"] | Float[Tensor, "B T z"],
        key_histogram: Float[Tensor, "B 12"] | None = None,
    ) -> Float[Tensor, "B T 128"]:
        """Noise from U(-1, 1) to rolls from -1 (silent) to 1 (sounding).

        One noise vector makes a roll of ``config.steps`` rows, one a row a roll of any length;
        RNNa reads those of the rows where a plan is first played. The key histogram, C first, is
        needed where the model is conditional, and refused where it is not.
        """
        c = self.config
        if noise.dim() == 2:
            noise = noise[:, None].expand(-1, c.steps, -1)  # [B, T, z]
        if (key_histogram is not None) != c.conditional:
            which = "needs" if c.conditional else "takes no"
            raise ValueError(f"This DCRNN {which} key histogram.")
        if key_histogram is not None:
            keys = center_histogram(key_histogram)[:, None].expand(
                -1, noise.shape[1], -1
            )  # [B, T, 12]
            noise = torch.cat([noise, keys], 2)  # [B, T, z + 12]
        steps = noise.shape[1]
        phrase = c.phrase if c.repeat > 1 else steps
        whole = -(-steps // (phrase * c.repeat))  # plans, the last perhaps cut short
        padded = functional.pad(noise, (0, 0, 0, whole * phrase * c.repeat - steps))
        first = padded.unflatten(1, (whole, c.repeat, phrase))[:, :, 0]  # [B, plans, phrase, z]
        plan, _ = self.rnn_a(first.flatten(1, 2))  # [B, plans * phrase, hidden_a]
        plan = plan.unflatten(1, (whole, 1, phrase)).expand(-1, -1, c.repeat, -1, -1)
        played, _ = self.rnn_b(plan.flatten(1, 3)[:, :steps])  # [B, T, hidden_b]
        return self.sound(played)

    def sound(self, played: Float[Tensor, "B T hidden_b"]) -> Float[Tensor, "B T 128"]:
        """What RNNb plays as keys: a strip an octave."""
        batch, steps = played.shape[:2]
        c = self.config
        logits = self.fc(played)  # [B, T, O C], or [B, T, 12 O] without a strip kernel
        if c.strip_channels:
            strips = logits.view(batch, steps, c.octaves, c.strip_channels)  # [B, T, O, C]
            logits = self.strip(strips.permute(0, 3, 1, 2))[:, 0]  # [B, T, 12 O]
        sound = torch.tanh(logits)
        sound = binarize(sound) if c.binary else sound
        return functional.pad(sound, (c.lowest, PITCHES - c.lowest - c.pitches), value=-1.0)

    def step(
        self,
        noise: Float[Tensor, "B z"],
        key_histogram: Float[Tensor, "B 12"] | None = None,
        state: PlanState | None = None,
    ) -> tuple[Float[Tensor, "B 128"], PlanState]:
        """One row onwards, as :meth:`forward` with a noise for each row.

        RNNa reads the noise while a plan is first played. ``state._replace(at=0)`` begins a new
        plan before the old one has been repeated to its end.
        """
        c = self.config
        at, plan, a, b = state or PlanState(0, (), None, None)
        if at in (0, c.section):
            at, plan = 0, ()
        if at < c.phrase:
            if key_histogram is not None:
                noise = torch.cat([noise, center_histogram(key_histogram)], 1)  # [B, z + 12]
            hidden, a = self.rnn_a(noise[:, None], a)  # [B, 1, hidden_a]
            plan = (*plan, hidden)
        played, b = self.rnn_b(plan[at % c.phrase], b)  # [B, 1, hidden_b]
        return self.sound(played)[:, 0], PlanState(at + 1, plan, a, b)


def center_histogram(key_histogram: Float[Tensor, "B 12"]) -> Float[Tensor, "B 12"]:
    """Shares as distances from equal ones, as large as noise is: else they would go unheard."""
    return OCTAVE * key_histogram - 1


def self_similarity(rolls: Float[Tensor, "B T P"]) -> Float[Tensor, "B T T"]:
    """XX' of each roll, as a share of its keys: how alike every two of its rows are."""
    return rolls @ rolls.transpose(1, 2) / rolls.shape[2]


class ConvEncoder(nn.Module):
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
        """The last maps, flat."""
        x = picture[:, None]  # [B, 1, h, w]
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
        return x.flatten(1)  # [B, 4c * h/8 * w/8]


class DCRNNCritic(nn.Module):
    """Scores a roll by itself, by its self-similarity, and by how it keeps to its key."""

    def __init__(self, config: DCRNNConfig) -> None:
        super().__init__()
        top = config.lowest + config.pitches
        # The strips' keys, and some beside them: three layers halve what they see.
        self.keys = slice(config.lowest // 8 * 8, -(-top // 8) * 8)
        heard = self.keys.stop - self.keys.start
        self.roll = ConvEncoder(config.steps, heard, config.critic_channels)
        self.form = ConvEncoder(config.steps, config.steps, config.critic_channels)
        self.key = nn.Linear(OCTAVE * OCTAVE, 32) if config.conditional else None
        size = self.roll.size + self.form.size + (32 if config.conditional else 0)
        self.score = nn.Linear(size, 1)

    def forward(
        self, rolls: Float[Tensor, "B T 128"], key_histogram: Float[Tensor, "B 12"] | None = None
    ) -> Float[Tensor, " B"]:
        """A score for each roll under its key; only differences mean something."""
        heard = rolls[:, :, self.keys]  # [B, T, P]
        features = [self.roll(heard), self.form(self_similarity(heard))]
        if self.key is not None and key_histogram is not None:
            keys = functional.pad((rolls.mean(1) + 1) / 2, (0, -PITCHES % OCTAVE))  # [B, 132]
            classes = keys.unflatten(1, (-1, OCTAVE)).sum(1)  # [B, 12], C first
            # Products, so that what sounds is weighed by the key's own histogram.
            match = classes[:, :, None] * center_histogram(key_histogram)[:, None]  # [B, 12, 12]
            features.append(functional.leaky_relu(self.key(match.flatten(1)), 0.2))  # [B, 32]
        return self.score(torch.cat(features, 1))[:, 0]  # [B]
