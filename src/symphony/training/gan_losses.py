"""What generator and critic minimise, each loss a line of its paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def labels(
    scores: Float[Tensor, "B ..."],
    real: bool,
    flip: float,
    smooth: float,
    chance: torch.Generator,
) -> Float[Tensor, "B ..."]:
    """What the critic is told: 1 for real and 0 for made, some of it confused on purpose.

    Args:
        scores: the critic's, whose shape the labels get.
        real: whether these rolls are real.
        flip: the chance of each roll to be told the other way round.
        smooth: how far the label of a real roll lies below 1 (Salimans et al., 2016).
        chance: draws which rolls.
    """
    turned = (torch.rand(len(scores), generator=chance) < flip).to(scores.device)
    called_real = turned ^ real  # [B]
    told = called_real.to(scores.dtype) * (1 - smooth)
    return told.view(-1, *[1] * (scores.dim() - 1)).expand_as(scores)


def classical(scores: Tensor, told: Tensor) -> Float[Tensor, ""]:
    """Binary cross-entropy of the critic's logits (Goodfellow et al., 2014)."""
    return functional.binary_cross_entropy_with_logits(scores, told)


def wasserstein(real: Tensor, made: Tensor) -> Float[Tensor, ""]:
    """How much higher made rolls score than real ones (Arjovsky et al., 2017)."""
    return made.mean() - real.mean()


def hinge(real: Tensor, made: Tensor) -> Float[Tensor, ""]:
    """How far real rolls fall short of 1, and made ones exceed -1 (Lim and Ye, 2017)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def fooling(loss: str, made: Tensor) -> Float[Tensor, ""]:
    """The generator's side: made rolls should score as real ones do."""
    return classical(made, torch.ones_like(made)) if loss == "classical" else -made.mean()


def slopes(
    critic: nn.Module, rolls: Float[Tensor, "B T 128"], given: Sequence[Tensor]
) -> Float[Tensor, " B"]:
    """The norm of the critic's gradient at each roll, itself differentiable.

    cuDNN's recurrent layers can't be differentiated twice: here they make way for torch's own.
    """
    rolls = rolls.detach().requires_grad_()
    with torch.backends.cudnn.flags(enabled=False):
        scores = critic(rolls, *given)
        (gradient,) = torch.autograd.grad(scores.sum(), rolls, create_graph=True)
    return (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()  # [B]; the root of 0 has no slope


def gradient_penalty(
    critic: nn.Module,
    real: Float[Tensor, "B T 128"],
    made: Float[Tensor, "B T 128"],
    given: Sequence[Tensor],
    chance: torch.Generator,
) -> Float[Tensor, ""]:
    """How far the slopes are from 1 between real and made rolls, a point drawn for each pair.

    The penalty of WGAN-GP (Gulrajani et al., 2017), before its weight.
    """
    share = torch.rand(len(real), 1, 1, generator=chance).to(real.device)
    between = share * real + (1 - share) * made
    return (slopes(critic, between, given) - 1).square().mean()


def r1(
    critic: nn.Module, real: Float[Tensor, "B T 128"], given: Sequence[Tensor]
) -> Float[Tensor, ""]:
    """Half the squared slope at real rolls (Mescheder et al., 2018), before its weight."""
    return slopes(critic, real, given).square().mean() / 2


def replay(
    history: Float[Tensor, "n T 128"],
    made: Float[Tensor, "B T 128"],
    batches: int,
    chance: torch.Generator,
) -> tuple[Float[Tensor, "B T 128"], Float[Tensor, "n T 128"]]:
    """Half of the made rolls changed for older ones, so that old tricks stay found out.

    Args:
        history: earlier rolls, none at first.
        made: what the generator makes now.
        batches: how many batches are remembered. Until then, all are taken in as they are.
        chance: draws which rolls change places.

    Returns:
        The rolls to show the critic, and the history in which the newer half took their places.
    """
    batch = len(made)
    if len(history) < batches * batch:
        return made, torch.cat([history, made])
    old = torch.randperm(len(history), generator=chance)[: batch // 2].to(made.device)
    new = torch.randperm(batch, generator=chance)[: batch // 2].to(made.device)
    shown, kept = made.clone(), history.clone()
    shown[new], kept[old] = history[old], made[new]
    return shown, kept


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average: each weight keeps ``decay`` of itself, and takes the rest."""
    for old, new in zip(average.parameters(), model.parameters(), strict=True):
        old.lerp_(new, 1 - decay)
    for kept, now in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(now)


def steepness(model: nn.Module) -> Float[Tensor, ""]:
    """The norm of all gradients together."""
    found = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    return torch.stack(found).norm()
