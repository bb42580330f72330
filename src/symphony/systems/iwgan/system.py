"""Improved WGAN: a critic with a slope of one, and what it teaches (chapter 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from symphony.systems.iwgan.network import WGANConfig, WGANCritic, WGANGenerator
from symphony.systems.rolls import TINY
from symphony.systems.wgan import CriticRecipe, CriticSystem
from symphony.training.data import Data
from symphony.training.system import Nets


@dataclass(frozen=True, kw_only=True)
class WGANRecipe(CriticRecipe):
    """How to train an improved WGAN."""

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


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        # Bach's voices, moved to C, lie within these 64 keys.
        "network": WGANConfig(channels=128, critic_channels=12, lowest=30, pitches=64, binary=True),
        "to_c": True,
        **{"steps": 6000, "critic_steps": 3, "ema_decay": 0.99, "evaluate_every": 100},
        **{"generator_lr": 5e-4, "discriminator_lr": 5e-4},
    },
    "tiny": {"network": WGANConfig(16, 8, channels=16, critic_channels=2), **TINY},
    "full": {
        "network": WGANConfig(channels=512, critic_channels=64),
        **{"steps": 40_000, "batch": 64, "critic_steps": 5, "ema_decay": 0.999},
        **{"generator_lr": 1e-4, "discriminator_lr": 1e-4, "evaluate_every": 500},
    },
}


def recipe(name: str, size: str) -> WGANRecipe:
    """An improved WGAN's recipe by size."""
    return WGANRecipe(name=name, size=size, **SIZES["small"] | SIZES[size])


SYSTEM = WGAN
