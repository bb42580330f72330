"""The Continuous SeqAE's networks: an encoder, a code of switches, two decoders (chapter 10).

The model of the original Deep Symphony report, on the sequence-to-sequence network of Sutskever,
Vinyals and Le (2014). A window is T rows of (what, how long): see :mod:`symphony.codecs.steps`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

NEXT, END, START = 128, 129, 130  # beside 128 pitches: go on; nothing more; before the first row
LENGTHS = 16  # sixteenths that a note or a wait may last
IGNORED = -100  # targets that cost nothing


@dataclass(frozen=True)
class SeqAEConfig:
    """The shape of a window, of its code and of the networks."""

    onsets: int = 4  # in a window; a melody's four notes and four waits are eight rows
    window: int = 8  # rows of a window at most
    digits: int = 16  # of a code
    levels: int = 2  # values of a digit: 2 is a switch
    embedding_dim: int = 512  # numbers that stand for a row
    hidden_size: int = 256  # GRU cells of the encoder and of each decoder
    variational: bool = False  # whether the encoder gives a normal distribution, as a VAE's does

    def __post_init__(self) -> None:
        sizes = (self.onsets, self.window, self.digits, self.embedding_dim, self.hidden_size)
        if min(sizes) < 1 or self.levels < 2:
            raise ValueError(f"A SeqAE needs onsets, rows, digits of two levels and cells: {self}")


class RowEmbedding(nn.Module):
    """What a row is plus how long it lasts."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.what, self.length = nn.Embedding(START + 1, size), nn.Embedding(LENGTHS, size)

    def forward(self, rows: Int[Tensor, "*B 2"]) -> Float[Tensor, "*B e"]:
        """Rows of a token and 1 to 16 sixteenths as vectors."""
        return self.what(rows[..., 0]) + self.length(rows[..., 1] - 1)


class Encoder(nn.Module):
    """Reads a window; its last state becomes a code."""

    def __init__(self, config: SeqAEConfig) -> None:
        super().__init__()
        self.variational = config.variational
        self.embed = RowEmbedding(config.embedding_dim)
        self.gru = nn.GRU(config.embedding_dim, config.hidden_size, batch_first=True)
        self.code = nn.Linear(config.hidden_size, config.digits * (2 if config.variational else 1))

    def forward(self, windows: Int[Tensor, "*B T 2"]) -> Float[Tensor, "*B m"]:
        """The code c' of each window, from -1 to 1; or a VAE's mean and log variance."""
        rows = self.embed(windows.flatten(0, -3))  # [B, T, e]
        _, last = self.gru(rows)  # [1, B, h]
        code = self.code(last[0]).unflatten(0, windows.shape[:-2])  # [*B, m]
        return code if self.variational else torch.tanh(code)


class Decoder(nn.Module):
    """Begins with a code as its state, and writes a window row by row."""

    def __init__(self, config: SeqAEConfig) -> None:
        super().__init__()
        self.window = config.window
        self.start = nn.Linear(config.digits, config.hidden_size)
        self.embed = RowEmbedding(config.embedding_dim)
        self.gru = nn.GRU(config.embedding_dim, config.hidden_size, batch_first=True)
        self.what = nn.Linear(config.hidden_size, END + 1)
        self.length = nn.Linear(config.hidden_size, LENGTHS)

    def forward(
        self, codes: Float[Tensor, "B m"], windows: Int[Tensor, "B T 2"]
    ) -> tuple[Float[Tensor, "B T 130"], Float[Tensor, "B T 16"]]:
        """Logits of each row's token and length, fed with the true rows before it."""
        first = windows.new_tensor([START, 1]).expand(len(windows), 1, 2)
        read = self.embed(torch.cat([first, windows[:, :-1]], 1))  # [B, T, e]
        states, _ = self.gru(read, torch.tanh(self.start(codes))[None].contiguous())  # [B, T, h]
        return self.what(states), self.length(states)

    @torch.inference_mode()
    def decode(self, codes: Float[Tensor, "B m"]) -> Int[Tensor, "B T 2"]:
        """Windows, each row the likeliest after the rows that were written before it.

        Every window begins with a note and ends with a wait, as the windows of real music do.
        """
        state = torch.tanh(self.start(codes))  # [B, h]
        rows = torch.tensor([START, 1], device=codes.device).repeat(len(codes), 1)
        written = []
        for t in range(self.window):
            state = torch.gru_cell(self.embed(rows), state, *self.gru.all_weights[0])
            what = self.what(state)
            what[:, END].masked_fill_(rows[:, 0] < NEXT, -torch.inf)  # only after a wait
            low, high = (NEXT if t == self.window - 1 else 0), (NEXT if t == 0 else END + 1)
            token = what[:, low:high].argmax(1) + low
            token = torch.where(rows[:, 0] == END, END, token)  # an end is final
            rows = torch.stack([token, self.length(state).argmax(1) + 1], 1)
            written.append(rows)
        return torch.stack(written, 1)


class SeqAE(nn.Module):
    """An encoder, and two decoders that know nothing of each other: of c' and of its digits."""

    def __init__(self, config: SeqAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder, self.digit_decoder = Decoder(config), Decoder(config)

    def digits(self, codes: Float[Tensor, "*B m"]) -> Int[Tensor, "*B m"]:
        """The nearest level of each number, from 0; with two levels, whether it is above 0."""
        top = self.config.levels - 1
        return ((codes.clamp(-1, 1) + 1) / 2 * top).round().long()

    def quantize(self, codes: Float[Tensor, "*B m"]) -> Float[Tensor, "*B m"]:
        """c = sign(c'), or the nearest of more levels between -1 and 1; no gradient passes."""
        return self.values(self.digits(codes))

    def values(self, digits: Int[Tensor, "*B m"]) -> Float[Tensor, "*B m"]:
        """Digits as numbers from -1 to 1, as the decoder of digits reads them."""
        return digits * (2 / (self.config.levels - 1)) - 1.0

    def encode(self, windows: Int[Tensor, "*B T 2"]) -> Int[Tensor, "*B m"]:
        """The digits of each window's code."""
        return self.digits(self.encoder(windows)[..., : self.config.digits])

    def decode(self, digits: Int[Tensor, "B m"]) -> Int[Tensor, "B T 2"]:
        """The window that each code of digits stands for."""
        return self.digit_decoder.decode(self.values(digits))


def reconstruction(
    logits: tuple[Float[Tensor, "B T V"], Float[Tensor, "B T L"]], windows: Int[Tensor, "B T 2"]
) -> Float[Tensor, ""]:
    """Cross-entropy of token and length together, in nats a row; rows after an END cost nothing."""
    what, length = targets(windows)
    found = functional.cross_entropy(logits[0].mT, what, ignore_index=IGNORED)
    rows, timed = (what != IGNORED).sum(), (length != IGNORED).sum()
    lasting = functional.cross_entropy(logits[1].mT, length, ignore_index=IGNORED)
    return found + lasting * timed / rows


def targets(windows: Int[Tensor, "*B T 2"]) -> tuple[Int[Tensor, "*B T"], Int[Tensor, "*B T"]]:
    """Token and length (from 0) of each row; an END has no length, and nothing follows it."""
    what = windows[..., 0]
    after = functional.pad(what[..., :-1], (1, 0)) == END
    length = torch.where(what == END, IGNORED, windows[..., 1] - 1)
    return what.masked_fill(after, IGNORED), length


def squared(a: Tensor, b: Tensor) -> Tensor:
    """The squared distance of codes [..., m]."""
    return (a - b).square().sum(-1)


def plain_continuity(c: Float[Tensor, "B R m"], q: Tensor, margin: float) -> Float[Tensor, ""]:
    """The report's first design: neighbouring codes are near. Smaller codes are nearer, too."""
    return squared(c[:, :-1], c[:, 1:]).mean()


def hinge_continuity(c: Float[Tensor, "B R m"], q: Tensor, margin: float) -> Float[Tensor, ""]:
    """The second: nearer, by a margin, than the window after next. Digits have no say in it."""
    near, far = squared(c[:, :-2], c[:, 1:-1]), squared(c[:, :-2], c[:, 2:])
    return functional.relu(near - far + margin).mean()


def cross_continuity(c: Float[Tensor, "B R m"], q: Tensor, margin: float) -> Float[Tensor, ""]:
    """The last: each c' is near its neighbours' digits q, which stand still."""
    return (squared(q[:, :-1], c[:, 1:]) + squared(c[:, :-1], q[:, 1:])).mean()


CONTINUITY = {"plain": plain_continuity, "hinge": hinge_continuity, "cross": cross_continuity}


def divergence(mean: Float[Tensor, "*B m"], log_var: Float[Tensor, "*B m"]) -> Float[Tensor, "*B"]:
    """KL divergence of a normal distribution from the standard one, in nats (Kingma & Welling)."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
