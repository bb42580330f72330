"""The ABC WGAN's networks: distributions go out, distributions go in (chapter 8).

Press, Bar, Bogin, Berant & Wolf, "Language generation with recurrent generative adversarial
networks without pre-training", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class AbcGANConfig:
    """The shape of both networks."""

    steps: int = 64  # characters of a line, at most
    noise: int = 100  # numbers drawn for a line
    hidden_size: int = 512  # GRU cells of either network
    embedding_dim: int = 64  # numbers that stand for a character

    def __post_init__(self) -> None:
        if min(self.steps, self.noise, self.hidden_size, self.embedding_dim) < 1:
            raise ValueError(f"An ABC WGAN needs characters, noise and cells, not {self}.")


class SoftGenerator(nn.Module):
    """A GRU that reads, at each step, the mean embedding of what it has just predicted.

    No character is drawn on the way, so each output is a differentiable function of the noise.
    """

    def __init__(self, vocab_size: int, config: AbcGANConfig) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.initial = nn.Linear(config.noise, config.hidden_size)
        self.begin = nn.Parameter(torch.zeros(config.embedding_dim))  # the start symbol
        self.embed = nn.Linear(vocab_size, config.embedding_dim, bias=False)
        self.gru = nn.GRU(config.embedding_dim, config.hidden_size, batch_first=True)
        self.head = nn.Linear(config.hidden_size, vocab_size)

    def forward(
        self, noise: Float[Tensor, "B z"], length: int, prefix: Int[Tensor, "B L-1"] | None = None
    ) -> Float[Tensor, "B L V"]:
        """Noise to ``length`` distributions.

        With a real ``prefix`` of length - 1 characters (teacher helping) these come back as they
        are, and only the last character is the generator's.
        """
        if prefix is not None:
            last = self.logits(noise, prefix)[:, -1:].softmax(2)  # [B, 1, V]
            return torch.cat([self.one_hot(prefix), last], 1)
        h, x, out = self.initial(noise).tanh(), self.begin.expand(len(noise), -1), []
        for _ in range(length):
            h = self.step(x, h)
            out.append(self.head(h).softmax(1))  # [B, V]
            x = self.embed(out[-1])  # the mean embedding: soft feedback
        return torch.stack(out, 1)

    def logits(
        self, noise: Float[Tensor, "B z"], characters: Int[Tensor, "B L-1"]
    ) -> Float[Tensor, "B L V"]:
        """Logits of each character and of one more, given the true ones before it."""
        x = torch.cat([self.begin.expand(len(noise), 1, -1), self.embed.weight.T[characters]], 1)
        hidden, _ = self.gru(x, self.initial(noise).tanh()[None])  # [B, L, hidden]
        return self.head(hidden)

    def step(self, x: Float[Tensor, "B e"], h: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        """One step with the GRU's own weights."""
        return torch.gru_cell(x, h, *self.gru.all_weights[0])

    def one_hot(self, characters: Int[Tensor, "B L"]) -> Float[Tensor, "B L V"]:
        """Real characters as the distributions that the critic reads."""
        return functional.one_hot(characters, self.vocab_size).to(self.head.weight.dtype)

    @torch.no_grad()
    def write(
        self,
        noise: Float[Tensor, "B z"],
        length: int,
        soft: bool,
        uniform: Float[Tensor, "B L"] | None = None,
        temperature: float = 1.0,
    ) -> Int[Tensor, "B L"]:
        """Characters: the likeliest ones, or drawn by ``uniform`` numbers in [0, 1).

        ``soft`` feeds the distribution back, as in training without a teacher; else the
        character.
        """
        h, x, out = self.initial(noise).tanh(), self.begin.expand(len(noise), -1), []
        for t in range(length):
            h = self.step(x, h)
            logits = self.head(h)
            if uniform is None:
                out.append(logits.argmax(1))
            else:
                total = (logits / temperature).softmax(1).cumsum(1)
                found = (total <= uniform[:, t, None] * total[:, -1:]).sum(1)
                out.append(found.clamp(max=self.vocab_size - 1))
            x = self.embed(logits.softmax(1)) if soft else self.embed.weight.T[out[-1]]
        return torch.stack(out, 1)


class GRUCritic(nn.Module):
    """Reads distributions from first to last and ends in one number."""

    def __init__(self, vocab_size: int, config: AbcGANConfig) -> None:
        super().__init__()
        self.embed = nn.Linear(vocab_size, config.embedding_dim, bias=False)
        self.gru = nn.GRU(config.embedding_dim, config.hidden_size, batch_first=True)
        self.score = nn.Linear(config.hidden_size, 1)

    def forward(self, lines: Float[Tensor, "B L V"]) -> Float[Tensor, " B"]:
        """How real each line looks; only differences mean something."""
        _, last = self.gru(self.embed(lines))  # [1, B, hidden]
        return self.score(last[0])[:, 0]  # [B]


class Multiplier(nn.Module):
    """Fisher GAN's Lagrange multiplier: kept with the nets, so that it resumes with them."""

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))


def fisher_loss(
    real: Float[Tensor, " B"], fake: Float[Tensor, " B"], multiplier: Multiplier, rho: float
) -> Float[Tensor, ""]:
    """What a Fisher GAN's critic minimises; its multiplier goes one step the other way.

    Mroueh & Sercu, "Fisher GAN", 2017, algorithm 1: the difference of means, with the mean square
    of all scores held at 1 by an augmented Lagrangian. No gradient penalty: the critic's *scores*
    are bounded, not its slope.
    """
    square = (real.square().mean() + fake.square().mean()) / 2  # Omega
    free = 1 - square
    value = multiplier.value.clone()
    multiplier.value -= rho * free.detach()
    return -(real.mean() - fake.mean() + value * free - rho / 2 * free.square())
