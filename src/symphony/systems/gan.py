"""What adversarial systems share: losses, penalties, replay, moving average (chapter 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from symphony.machine import mixed_seed


def step_rng(seed: int, step: int) -> torch.Generator:
    """The random numbers of a step, the same in every process and on any device."""
    return torch.Generator().manual_seed(mixed_seed(seed, step))


def bce(scores: Float[Tensor, "B ..."], labels: Tensor | float) -> Float[Tensor, ""]:
    """Binary cross-entropy of a discriminator's logits (Goodfellow et al., 2014)."""
    labels = torch.as_tensor(labels).to(scores).expand_as(scores)
    return functional.binary_cross_entropy_with_logits(scores, labels)


def discriminator_loss(loss: str, real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """What tells real from fake, from the scores of both."""
    if loss == "wasserstein":  # how much higher fake scores than real (Arjovsky et al., 2017)
        return fake.mean() - real.mean()
    if loss == "hinge":  # how far real falls short of 1, and fake exceeds -1 (Lim and Ye, 2017)
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
    return (bce(real, 1.0) + bce(fake, 0.0)) / 2


def generator_loss(loss: str, fake: Tensor) -> Float[Tensor, ""]:
    """What makes fakes score as real examples do; with "bce" the non-saturating form, -log D."""
    return bce(fake, 1.0) if loss == "bce" else -fake.mean()


def noisy_labels(
    size: int, real: bool, label_flip: float, label_smoothing: float, rng: torch.Generator
) -> Float[Tensor, " B"]:
    """Labels for a discriminator, 1 for real and 0 for fake, some of them wrong on purpose.

    Each is turned round with probability ``label_flip``; a 1 is lowered by ``label_smoothing``
    (Salimans et al., 2016).
    """
    flipped = torch.rand(size, generator=rng) < label_flip
    return (flipped ^ real).float() * (1 - label_smoothing)


def grad_norms(
    critic: nn.Module, x: Float[Tensor, "B T P"], condition: Sequence[Tensor] = ()
) -> Float[Tensor, " B"]:
    """The norm of the critic's gradient at each example, itself differentiable.

    cuDNN's recurrent layers can't be differentiated twice: here they make way for torch's own.
    """
    x = x.detach().requires_grad_()
    with torch.backends.cudnn.flags(enabled=False):
        scores = critic(x, *condition)
        (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()  # [B]; sqrt has no slope at 0


def gradient_penalty(
    critic: nn.Module,
    real: Float[Tensor, "B T P"],
    fake: Float[Tensor, "B T P"],
    epsilon: Float[Tensor, "B 1 1"],
    condition: Sequence[Tensor] = (),
) -> Float[Tensor, ""]:
    """How far gradient norms are from 1 at one point between each real and fake example.

    The penalty of WGAN-GP (Gulrajani et al., 2017, eq. 3), before its weight.
    """
    between = epsilon * real + (1 - epsilon) * fake  # x^ [B, T, P]
    return (grad_norms(critic, between, condition) - 1).square().mean()


def r1_penalty(
    critic: nn.Module, real: Float[Tensor, "B T P"], condition: Sequence[Tensor] = ()
) -> Float[Tensor, ""]:
    """Half the squared gradient norm at real examples (Mescheder et al., 2018), unweighted."""
    return grad_norms(critic, real, condition).square().mean() / 2


def score_logs(real: Tensor, fake: Tensor, loss: str) -> dict[str, Tensor]:
    """What a step logs of its scores; a Wasserstein critic knows no 0, so their mean parts them."""
    real, fake = real.detach(), fake.detach()
    between = (real.mean() + fake.mean()) / 2 if loss == "wasserstein" else 0.0
    right = (real > between).float().mean() + (fake <= between).float().mean()
    means = {"real_score": real.mean(), "fake_score": fake.mean()}
    return {**means, "discriminator_accuracy": right / 2}


@contextmanager
def frozen(net: nn.Module) -> Iterator[nn.Module]:
    """A net through which gradients pass and in which none are kept: saves half of their cost."""
    net.requires_grad_(False)
    try:
        yield net
    finally:
        net.requires_grad_(True)


def ema(generator: nn.Module, ema_decay: float) -> AveragedModel:
    """An exponential moving average of a generator: at each update it keeps ``ema_decay``."""
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(ema_decay))
    return average.requires_grad_(False)


class Replay(nn.Module):
    """Earlier fakes, half of each batch changed for them, so that old tricks stay found out.

    A module, since its buffers are then saved and resumed with all else. Under ``torchrun`` each
    process has its own, of its own share of the fakes: the processes still train one model, but
    not the one that a single process would; a resumed run begins with the first one's.
    """

    rolls: Tensor
    count: Tensor

    def __init__(self, examples: int, *shape: int) -> None:  # 0 for no memory
        super().__init__()
        self.register_buffer("rolls", torch.zeros(examples, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def mix(self, fake: Float[Tensor, "B ..."], rng: torch.Generator) -> Float[Tensor, "B ..."]:
        """The fakes to show the discriminator; until the memory is full, those of now."""
        size, batch, filled = len(self.rolls), len(fake), int(self.count)
        if filled == size == 0:
            return fake
        if filled < size:
            room = min(batch, size - filled)
            self.rolls[filled : filled + room] = fake[:room]
            self.count += room
            return fake
        old = torch.randperm(size, generator=rng)[: batch // 2].to(fake.device)
        new = torch.randperm(batch, generator=rng)[: batch // 2].to(fake.device)
        shown = fake.clone()
        shown[new] = self.rolls[old]
        self.rolls[old] = fake[new]
        return shown
