"""SeqGAN's networks: a policy that draws words, and a discriminator of whole melodies (chapter 7).

Yu, Zhang, Wang & Yu, "SeqGAN: sequence generative adversarial nets with policy gradient", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig, State


@dataclass(frozen=True)
class SeqGANConfig:
    """The shape of both networks."""

    steps: int = 32  # words in a melody
    hidden_size: int = 200  # LSTM cells of the generator
    embedding_dim: int = 32  # numbers that stand for a word, in either network
    filters: int = 32  # of each width
    widths: int = 10  # filters see 1, 2, … so many words
    dropout: float = 0.3  # share of the discriminator's features zeroed while it trains

    def __post_init__(self) -> None:
        sizes = (self.hidden_size, self.embedding_dim, self.filters, self.widths)
        if self.steps < 2 or min(sizes) < 1:
            raise ValueError(f"A SeqGAN needs two words, cells and filters, not {self}.")


class Policy(CharLSTM):
    """A Char-RNN seen as an agent: its state is the prefix, its action the next word."""

    def __init__(self, vocab_size: int, config: SeqGANConfig) -> None:
        shape = CharLSTMConfig(1, config.hidden_size, config.embedding_dim)
        super().__init__(vocab_size, shape)

    def log_probs(self, words: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Log-probabilities of each word given those before it; the start symbol is none."""
        begun = functional.pad(words[:, :-1], (1, 0), value=self.bos)  # [B, T]
        logits, _ = self(begun)
        return logits[..., : self.bos].log_softmax(2)

    @torch.no_grad()
    def draw(
        self, uniform: Float[Tensor, "B T"]
    ) -> tuple[Int[Tensor, "B T"], tuple[Tensor, Tensor]]:
        """Melodies drawn word by word, and the state after each word, [T, B, hidden] twice.

        ``uniform`` are numbers in [0, 1): each picks a word where the cumulative distribution
        passes it, so that the same numbers give the same melodies.
        """
        token = uniform.new_full((len(uniform),), self.bos, dtype=torch.int64)
        state, words, hidden, cell = self.initial_state(len(uniform)), [], [], []
        for t in range(uniform.shape[1]):
            logits, state = self.step(token, state)
            token = pick(logits[:, : self.bos], uniform[:, t])
            words.append(token)
            hidden.append(state[0][0])
            cell.append(state[1][0])
        # What is cached is the state that has not read its own word yet: roll-outs begin with it.
        return torch.stack(words, 1), (torch.stack(hidden), torch.stack(cell))

    @torch.no_grad()
    def roll_outs(
        self,
        words: Int[Tensor, "B T"],
        states: tuple[Tensor, Tensor],
        uniform: Float[Tensor, "B N T T"],
    ) -> Int[Tensor, "T-1 N B T"]:
        """Every prefix of every melody finished N times, all at once.

        ``states`` are those of :meth:`draw`: no prefix is read again. At word t the t prefixes
        that are shorter go one step together, as one batch of t · N · B rows.
        """
        batch, count, steps, _ = uniform.shape
        rows = count * batch
        out = words.expand(steps - 1, count, batch, steps).clone()  # prefix p keeps p + 1 words
        h = states[0].new_empty(0, states[0].shape[-1])
        c = h.clone()
        for t in range(1, steps):
            # The prefix of t words joins those on their way, with its cached state.
            h = torch.cat([h, states[0][t - 1].repeat(count, 1)])  # [t · N · B, hidden]
            c = torch.cat([c, states[1][t - 1].repeat(count, 1)])
            last = out[:t, :, :, t - 1].reshape(-1)  # [t · N · B]
            logits, (hidden, cell) = self.step(last, (h[None], c[None]))
            h, c = hidden[0], cell[0]
            numbers = uniform[:, :, :t, t].permute(2, 1, 0).reshape(-1)  # [t · N · B]
            out[:t, :, :, t] = pick(logits[:, : self.bos], numbers).view(t, count, batch)
        assert len(h) == (steps - 1) * rows
        return out


def pick(logits: Float[Tensor, "B V"], uniform: Float[Tensor, " B"]) -> Int[Tensor, " B"]:
    """The symbol where each cumulative distribution passes a number in [0, 1)."""
    total = logits.softmax(1).cumsum(1)  # [B, V]
    found = (total <= uniform[:, None] * total[:, -1:]).sum(1)
    return found.clamp(max=logits.shape[1] - 1)


class Highway(nn.Module):
    """A layer with a way past it: a gate says how much of each number is changed.

    Srivastava, Greff & Schmidhuber, "Highway networks", 2015.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.change, self.gate = nn.Linear(size, size), nn.Linear(size, size)
        self.gate.bias.data -= 2.0  # at first nearly all passes as it is

    def forward(self, x: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        """Gate · changed + (1 - gate) · x."""
        gate = torch.sigmoid(self.gate(x))  # [B, d]
        return gate * functional.relu(self.change(x)) + (1 - gate) * x


class HighwayCNN(nn.Module):
    """Filters of many widths slide over a melody; the strongest answer of each is kept."""

    def __init__(self, vocab_size: int, config: SeqGANConfig) -> None:
        super().__init__()
        widths = range(1, min(config.widths, config.steps) + 1)
        self.embed = nn.Embedding(vocab_size, config.embedding_dim)
        self.convs = nn.ModuleList(
            nn.Conv1d(config.embedding_dim, config.filters, width) for width in widths
        )
        self.highway = Highway(config.filters * len(widths))
        self.drop = nn.Dropout(config.dropout)
        self.score = nn.Linear(config.filters * len(widths), 1)

    def forward(self, words: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
        """The logit of each melody being real."""
        x = self.embed(words).mT  # [B, e, T]
        found = [functional.relu(conv(x)).amax(2) for conv in self.convs]  # each [B, filters]
        return self.score(self.drop(self.highway(torch.cat(found, 1))))[:, 0]  # [B]


def policy_loss(
    log_probs: Float[Tensor, "B T"], rewards: Float[Tensor, "B T"], baseline: bool = True
) -> Float[Tensor, ""]:
    """REINFORCE (Williams, 1992): its gradient is minus that of the expected reward.

    Each word's log-probability times the reward that followed it. The baseline of a melody is the
    mean reward of the others at the same place: it doesn't depend on what this one drew, so it
    changes the variance of the gradient and not its mean.
    """
    batch = len(rewards)
    if baseline and batch > 1:
        others = (rewards.sum(0) - rewards) / (batch - 1)  # [B, T]
        rewards = rewards - others
    return -(log_probs * rewards.detach()).sum(1).mean()


__all__ = ["Highway", "HighwayCNN", "Policy", "SeqGANConfig", "State", "pick", "policy_loss"]
