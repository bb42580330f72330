"""WGAN-GP: the step of every system with a critic (chapter 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from symphony.systems import gan
from symphony.systems.rolls import RollRecipe, RollSystem
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, descend
from symphony.typed import count, weight


@dataclass(frozen=True, kw_only=True)
class CriticRecipe(RollRecipe):
    """How to train a generator against a critic, or the same networks with another loss."""

    loss: Literal["wasserstein", "hinge", "bce"] = "wasserstein"
    critic_steps: int = count(1)  # before each generator step
    gp_weight: float = weight(10.0)  # of the gradient penalty (WGAN-GP)
    r1_weight: float = weight(0.0)  # of R1, the squared gradient norm at real rolls
    spectral_norm: bool = False  # hold every layer of the critic to a slope of 1


@dataclass(frozen=True)
class CriticSystem(RollSystem):
    """A generator of rolls, and a critic that is held to a slope."""

    recipe: CriticRecipe
    opponent: ClassVar[str] = "critic"

    def adversaries(
        self, data: Data, generator: nn.Module, opponent: nn.Module, replay_batches: int = 0
    ) -> Nets:
        """As every GAN's; with spectral norm, the critic's layers can't be steep."""
        for layer in opponent.modules() if self.recipe.spectral_norm else ():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
        return super().adversaries(data, generator, opponent, replay_batches)

    def penalty(
        self, critic: nn.Module, real: Tensor, fake: Tensor, epsilon: Tensor, c: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """The gradient penalty as it is, and all penalties by their weights."""
        r, gp = self.recipe, real.new_zeros(())
        if r.gp_weight:
            gp = gan.gradient_penalty(critic, real, fake, epsilon, c)
        r1 = gan.r1_penalty(critic, real, c) if r.r1_weight else gp.new_zeros(())
        return gp.detach(), r.gp_weight * gp + r.r1_weight * r1

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """The critic some steps, the generator one (Gulrajani et al., 2017, algorithm 1)."""
        r, rng = self.recipe, gan.step_rng(self.recipe.seed, step)
        generator, critic = nets["generator"], nets["critic"]
        for turn in range(r.critic_steps):
            real, c = self.examples(data, step, turn)  # x [B, T, 128], and its condition c
            with torch.no_grad():
                fake = generator(self.noise(data, rng), *c)  # x~ = G(z, c)
            epsilon = data.share(torch.rand(r.batch, 1, 1, generator=rng))
            on_real, on_fake = critic(real, *c), critic(fake, *c)  # D(x, c), D(x~, c) [B]
            loss = gan.discriminator_loss(r.loss, on_real, on_fake)  # E D(x~) - E D(x)
            gp, penalty = self.penalty(critic, real, fake, epsilon, c)  # (|grad D(x^)| - 1)^2
            norm = descend(loss + penalty, opts["critic"])
        with gan.frozen(critic):
            scores = critic(generator(self.noise(data, rng), *c), *c)
            fooled = gan.generator_loss(r.loss, scores)  # -E D(G(z, c))
            generator_norm = descend(fooled, opts["generator"])
        nets["ema"].update_parameters(generator)
        logs = {"critic_loss": loss.detach(), "gradient_penalty": gp}
        logs |= {"generator_loss": fooled.detach()} | gan.score_logs(on_real, on_fake, r.loss)
        return logs | {"critic_grad_norm": norm, "generator_grad_norm": generator_norm}
