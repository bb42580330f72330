"""Improved WGAN: a critic with a slope of one, and what it teaches (chapter 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from symphony.systems.iwgan.network import WGANConfig, WGANCritic, WGANGenerator
from symphony.systems.rolls import TINY
from symphony.systems.wgan import CriticRecipe, CriticSystem
from symphony.training.data import Data
from symphony.training.system import Nets


@dataclass(frozen=True, kw_only=True)
class WGANRecipe(CriticRecipe):
    """How to train an improved WGAN.

    Attributes:
        network: the shape of both networks.
    """

    room: ClassVar[str] = "iwgan"

    network: WGANConfig = WGANConfig()


@dataclass(frozen=True)
class WGAN(CriticSystem):
    """A generator that paints rolls, and a critic that looks at the whole picture."""

    recipe: WGANRecipe

    def build(self, data: Data) -> Nets:
        """Generator and critic, untrained."""
        network = self.recipe.network
        return self.adversaries(data, WGANGenerator(network), WGANCritic(network))


def recipe(name: str, size: str) -> WGANRecipe:
    """An improved WGAN's recipe by size."""
    small = WGANRecipe(
        name=name,
        size="small",
        network=WGANConfig(channels=128, critic_channels=12),
        steps=1200,
        critic_steps=3,
        ema_decay=0.99,
        generator_lr=2e-4,
        discriminator_lr=2e-4,
        to_c=True,
    )
    if size == "tiny":
        network = WGANConfig(steps=16, channels=16, critic_channels=2, noise=8)
        return replace(small, network=network, **TINY)
    full = replace(
        small,
        size="full",
        network=WGANConfig(channels=512, critic_channels=64),
        steps=40_000,
        critic_steps=5,
        batch=64,
        generator_lr=1e-4,
        discriminator_lr=1e-4,
        ema_decay=0.999,
        evaluate_every=500,
    )
    return full if size == "full" else small


SYSTEM = WGAN
