"""Which networks a recipe names, and what they are told beside noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from symphony.models.dcrnn import DCRNNConfig, DCRNNCritic, DCRNNGenerator
from symphony.models.iwgan import IWGANConfig, IWGANCritic, IWGANGenerator
from symphony.models.pix2pix import Pix2PixConfig, Pix2PixCritic, Pix2PixGenerator
from symphony.models.rnn_gan import RNNGANConfig, RNNGANCritic, RNNGANGenerator
from symphony.training.gan_recipes import GanRecipe
from symphony.training.recipes import RecipeError
from symphony.training.rolls import drop_notes, key_histogram

KINDS: dict[str, tuple[Any, Any, Any]] = {
    "rnn-gan": (RNNGANConfig, RNNGANGenerator, RNNGANCritic),
    "iwgan": (IWGANConfig, IWGANGenerator, IWGANCritic),
    "dcrnn": (DCRNNConfig, DCRNNGenerator, DCRNNCritic),
    "pix2pix": (Pix2PixConfig, Pix2PixGenerator, Pix2PixCritic),
}


def config_of(recipe: GanRecipe) -> Any:
    """The config of a recipe's networks.

    Raises:
        RecipeError: a kind, or an argument of it, that doesn't exist.
    """
    if recipe.kind not in KINDS:
        raise RecipeError(
            f"There is no GAN of the kind {recipe.kind!r}; known: {', '.join(KINDS)}."
        )
    arguments = {k: v for k, v in recipe.model.items() if k != "kind"}
    try:
        return KINDS[recipe.kind][0](steps=recipe.window, **arguments)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(
            f"A {recipe.kind} can't be built from {arguments} and {recipe.window} rows: {reason}"
        ) from None


def build_gan(recipe: GanRecipe) -> tuple[nn.Module, nn.Module]:
    """The untrained generator and critic of a recipe.

    Raises:
        RecipeError: no such networks, or larger ones than fit into memory.
    """
    config = config_of(recipe)
    try:
        generator, critic = (make(config) for make in KINDS[recipe.kind][1:])
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(f"A {recipe.kind} can't be built from {config}: {reason}") from None
    if recipe.spectral:
        for layer in critic.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
    return generator, critic


def draw_noise(recipe: GanRecipe, count: int, chance: torch.Generator) -> Float[Tensor, "count z"]:
    """Noise from U(-1, 1), the same on any device."""
    return torch.rand(count, config_of(recipe).noise, generator=chance) * 2 - 1


def conditions(
    recipe: GanRecipe, real: Float[Tensor, "B T 128"], step: int, turn: int
) -> tuple[Tensor, ...]:
    """What both networks are told of these rolls: nothing, their key histograms, or facades."""
    if recipe.given == "key":
        return (key_histogram(real),)
    if recipe.given == "facade":
        return (drop_notes(real, recipe.drop, np.random.default_rng([recipe.seed, step, turn, 1])),)
    return ()


@torch.inference_mode()
def make_rolls(
    net: nn.Module, noise: Tensor, given: tuple[Tensor, ...], most: int = 32
) -> np.ndarray:
    """What a network makes of noise (or a critic thinks of rolls), so many at a time as fit."""
    device = next(net.parameters()).device
    return np.concatenate(
        [
            net(*(x[at : at + most].to(device) for x in (noise, *given))).cpu().numpy()
            for at in range(0, len(noise), most)
        ]
    )
