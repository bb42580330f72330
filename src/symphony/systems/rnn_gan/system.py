"""RNN-GAN: one LSTM composes, another says what is real (chapter 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from symphony.systems import gan
from symphony.systems.rnn_gan.network import LSTMGenerator, RNNGANConfig, discriminator_of
from symphony.systems.rolls import TINY, RollRecipe, RollSystem
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, descend
from symphony.typed import share, weight


@dataclass(frozen=True, kw_only=True)
class RNNGANRecipe(RollRecipe):
    """How to train an RNN-GAN."""

    room: ClassVar[str] = "rnn_gan"

    network: RNNGANConfig = RNNGANConfig()
    replay_batches: int = weight(0)  # of earlier fakes; each step sees half a batch of them
    label_flip: float = share(0.0)  # share of the discriminator's labels turned round
    label_smoothing: float = share(0.0)  # how far the label of real rolls lies below 1


@dataclass(frozen=True)
class RNNGAN(RollSystem):
    """Two LSTMs against each other, by binary cross-entropy."""

    recipe: RNNGANRecipe

    def build(self, data: Data) -> Nets:
        """Generator and discriminator, untrained."""
        r = self.recipe
        generator, opponent = LSTMGenerator(r.network), discriminator_of(r.network)
        return self.adversaries(data, generator, opponent, r.replay_batches)

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """One step of the discriminator, one of the generator (Goodfellow et al., 2014, alg. 1)."""
        r, rng = self.recipe, gan.step_rng(self.recipe.seed, step)
        generator, discriminator = nets["generator"], nets["discriminator"]
        confusion = (r.label_flip, r.label_smoothing, rng)
        real, _ = self.examples(data, step)  # x [B, T, 128]
        with torch.no_grad():
            fake = nets["replay"].mix(generator(self.noise(data, rng)), rng)  # G(z), now or before
        on_real, on_fake = discriminator(real), discriminator(fake)  # logits of D(x), D(G(z)) [B]
        ones, zeros = (data.share(gan.noisy_labels(r.batch, b, *confusion)) for b in (True, False))
        loss = (gan.bce(on_real, ones) + gan.bce(on_fake, zeros)) / 2  # -log D(x) - log(1-D(G))
        norm = descend(loss, opts["discriminator"])
        with gan.frozen(discriminator):
            fooled = gan.bce(discriminator(generator(self.noise(data, rng))), 1.0)  # -log D(G(z))
            generator_norm = descend(fooled, opts["generator"])
        nets["ema"].update_parameters(generator)
        logs = {"discriminator_loss": loss.detach(), "generator_loss": fooled.detach()}
        logs |= gan.score_logs(on_real, on_fake, "bce")
        return logs | {"discriminator_grad_norm": norm, "generator_grad_norm": generator_norm}


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "network": RNNGANConfig(steps=64, hidden_size=128),
        "to_c": True,
        **{"steps": 1500, "generator_lr": 5e-4, "discriminator_lr": 5e-4},
        **{"replay_batches": 2, "label_flip": 0.05, "label_smoothing": 0.1},
    },
    "tiny": {"network": RNNGANConfig(16, 8, 12, output_bias_init=-0.07), **TINY},
    "full": {
        "network": RNNGANConfig(),
        **{"steps": 20_000, "evaluate_every": 500},
        "discriminator_optimizer": "sgd",  # with it, a small run's discriminator learns nothing
    },
}


def recipe(name: str, size: str) -> RNNGANRecipe:
    """An RNN-GAN's recipe by size."""
    return RNNGANRecipe(name=name, size=size, **SIZES["small"] | SIZES[size])


SYSTEM = RNNGAN
