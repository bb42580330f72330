"""RNN-GAN: one LSTM composes, another says what is real (chapter 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from symphony.systems.gan import bce, frozen, noisy_labels, score_logs, step_rng
from symphony.systems.rnn_gan.network import LSTMDiscriminator, LSTMGenerator, RNNGANConfig
from symphony.systems.rolls import TINY, RollRecipe, RollSystem
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, descend, share, weight


@dataclass(frozen=True, kw_only=True)
class RNNGANRecipe(RollRecipe):
    """How to train an RNN-GAN.

    Attributes:
        network: the shape of both networks.
        replay_batches: batches of earlier fakes, of which each discriminator step sees half a
            batch; 0 for none.
        label_flip: share of the discriminator's labels turned round.
        label_smoothing: how far the label of real rolls lies below 1.
    """

    room: ClassVar[str] = "rnn_gan"

    network: RNNGANConfig = RNNGANConfig()
    replay_batches: int = weight(0)
    label_flip: float = share(0.0)
    label_smoothing: float = share(0.0)


@dataclass(frozen=True)
class RNNGAN(RollSystem):
    """Two LSTMs against each other, by binary cross-entropy."""

    recipe: RNNGANRecipe

    def build(self, data: Data) -> Nets:
        """Generator and discriminator, untrained."""
        r = self.recipe
        generator, opponent = LSTMGenerator(r.network), LSTMDiscriminator(r.network)
        return self.adversaries(data, generator, opponent, r.replay_batches)

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """One step of the discriminator, one of the generator (Goodfellow et al., 2014, alg. 1)."""
        r, rng = self.recipe, step_rng(self.recipe.seed, step)
        generator, discriminator = nets["generator"], nets["discriminator"]
        confusion = (r.label_flip, r.label_smoothing, rng)
        real, _ = self.examples(data, step)  # x [B, T, 128]
        with torch.no_grad():
            fake = nets["replay"].mix(generator(self.noise(data, rng)), rng)  # G(z), now or before
        on_real, on_fake = discriminator(real), discriminator(fake)  # logits of D(x), D(G(z)) [B]
        ones, zeros = (data.share(noisy_labels(r.batch, b, *confusion)) for b in (True, False))
        loss = (bce(on_real, ones) + bce(on_fake, zeros)) / 2  # -log D(x) - log(1 - D(G(z)))
        norm = descend(loss, opts["discriminator"])
        with frozen(discriminator):
            fooled = bce(discriminator(generator(self.noise(data, rng))), 1.0)  # -log D(G(z))
            generator_norm = descend(fooled, opts["generator"])
        nets["ema"].update_parameters(generator)
        logs = {"discriminator_loss": loss.detach(), "generator_loss": fooled.detach()}
        logs |= score_logs(on_real, on_fake, "bce")
        return logs | {"discriminator_grad_norm": norm, "generator_grad_norm": generator_norm}


def recipe(name: str, size: str) -> RNNGANRecipe:
    """An RNN-GAN's recipe by size."""
    small = RNNGANRecipe(
        name=name,
        size="small",
        network=RNNGANConfig(steps=64, hidden_size=128),
        steps=1500,
        generator_lr=5e-4,
        discriminator_lr=5e-4,
        discriminator_optimizer="adam",  # in so few steps the original's SGD tells nothing apart
        replay_batches=2,
        label_flip=0.05,
        label_smoothing=0.1,
        to_c=True,
    )
    if size == "tiny":
        network = RNNGANConfig(steps=16, hidden_size=12, noise=8, output_bias_init=-0.07)
        return replace(small, network=network, **TINY)
    full = replace(
        small,
        size="full",
        network=RNNGANConfig(),
        steps=20_000,
        discriminator_optimizer="sgd",
        evaluate_every=500,
    )
    return full if size == "full" else small


SYSTEM = RNNGAN
