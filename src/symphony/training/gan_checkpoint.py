"""What a GAN's run leaves: weights of both networks, a film of its rolls, and a card."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from safetensors.torch import load_file, save_file
from torch import nn

from symphony.training.gan_composing import TrainedGan
from symphony.training.gan_models import build_gan, conditions, draw_noise, make_rolls
from symphony.training.gan_recipes import GanRecipe
from symphony.training.health import health, note_f1
from symphony.training.machine import processor, versions
from symphony.training.recipes import RecipeError
from symphony.training.rolls import EncodedRolls, draw_rolls, roll_codec

CHECKED = 16  # rolls that a test makes again from the shipped weights
WEIGHED = 128  # rolls that the card's metrics are taken from
LOOK, LAST = 2**31, 2**31 + 1  # steps no run reaches: what is drawn once for all looks, or at last


def save_gan_weights(generator: nn.Module, critic: nn.Module, path: Path) -> None:
    """Write the weights of both in half precision, whole or not at all."""
    half = {
        f"{name}.{k}": v.detach().to("cpu", torch.float16).contiguous()
        for name, net in (("generator", generator), ("critic", critic))
        for k, v in net.state_dict().items()
    }
    partial = path.with_name(f".{path.name}.partial")
    save_file(half, partial)
    partial.replace(path)


def load_gan_weights(recipe: GanRecipe, path: Path) -> tuple[nn.Module, nn.Module]:
    """The generator and the critic of a recipe with the weights in a file.

    Raises:
        RecipeError: weights of other networks, or no weights at all.
    """
    nets = build_gan(recipe)
    try:
        found = load_file(path)
        for name, net in zip(("generator", "critic"), nets, strict=True):
            mine = {k: v for k, v in found.items() if k.startswith(f"{name}.")}
            net.load_state_dict({k.removeprefix(f"{name}."): v.float() for k, v in mine.items()})
    except Exception as error:  # safetensors' own error, or RuntimeError for other shapes
        raise RecipeError(f"The weights {path.name} don't fit: {error}.") from None
    return nets[0].eval(), nets[1].eval()


def save_film(run: dict[str, Any], out: Path) -> None:
    """Write the rolls of every look: ``steps`` [k] and ``rolls`` [k, film, T, 16], packed bits."""
    partial = out / ".film.npz.partial"
    with partial.open("wb") as file:
        np.savez_compressed(
            file,
            steps=[point["step"] for point in run["curve"]],
            rolls=torch.stack(run["film"]).numpy(),
        )
    partial.replace(out / "film.npz")


def load_film(folder: Path) -> tuple[np.ndarray, Bool[np.ndarray, "k n t 128"]]:
    """The steps at which a run was looked at, and the rolls it made then of the same noise.

    Raises:
        RecipeError: there is no film, or a broken one.
    """
    try:
        with np.load(folder / "film.npz", allow_pickle=False) as file:
            return file["steps"], np.unpackbits(file["rolls"], axis=3).astype(bool)
    except Exception as error:  # a broken zip raises a dozen kinds
        raise RecipeError(
            f"There is no film to see in {folder} ({type(error).__name__})."
        ) from None


def look_at(
    recipe: GanRecipe, encoded: EncodedRolls, part: str, count: int, step: int = LOOK
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]:
    """What to make rolls of: the same at every look.

    Returns:
        noise, what is given with it, and the real rolls from which that was taken. Rolls made of
        facades resemble those as twins do: their health is judged beside others.
    """
    noise = draw_noise(recipe, count, torch.Generator().manual_seed((recipe.seed << 32) + step))
    real = draw_rolls(getattr(encoded, part), recipe, step, 0, count)
    return noise, conditions(recipe, real, step, 0), real


def checked(generator: nn.Module, recipe: GanRecipe, encoded: EncodedRolls) -> float:
    """The mean of some rolls on the CPU: what tells the shipped weights from any other."""
    noise, given, _ = look_at(recipe, encoded, "test", CHECKED, LAST)
    return float(make_rolls(generator, noise, given).mean(dtype=np.float64))


def measured(
    nets: tuple[nn.Module, nn.Module], recipe: GanRecipe, encoded: EncodedRolls
) -> dict[str, float]:
    """The health of the last rolls beside music held out, and that of real music beside it."""
    generator, critic = nets
    noise, given, real = look_at(recipe, encoded, "test", WEIGHED, LAST)
    made, meant = make_rolls(generator, noise, given) > 0, real.numpy() > 0
    beside = draw_rolls(encoded.test, recipe, LAST, 1, WEIGHED).numpy() > 0
    unseen = draw_rolls(encoded.validation, recipe, LAST, 1, WEIGHED).numpy() > 0
    metrics = {f"test_{k}": v for k, v in health(made, beside).items()}
    metrics |= {f"real_{k}": v for k, v in health(unseen, beside).items()}
    if recipe.given == "facade":
        metrics["filled_note_f1"] = note_f1(made, meant)
        metrics["facade_note_f1"] = note_f1(given[0].numpy() > 0, meant)
    for part in ("train", "test"):  # a critic that knows its music by heart scores it higher
        _, told, rolls = look_at(recipe, encoded, part, WEIGHED, LAST)
        metrics[f"critic_{part}"] = float(make_rolls(critic, rolls, told).mean())
    return metrics


def save_gan_card(
    recipe: GanRecipe, encoded: EncodedRolls, out: Path, run: dict[str, Any], fabric: Any
) -> dict[str, Any]:
    """Measure the kept weights on held-out music and write ``card.json`` beside them."""
    from symphony.training.checkpoint import write_card

    generator, critic = load_gan_weights(recipe, out / "weights.safetensors")
    metrics = {"checked_mean": checked(generator, recipe, encoded)}
    metrics |= measured((generator.to(fabric.device), critic.to(fabric.device)), recipe, encoded)
    if not np.isfinite(list(metrics.values())).all():
        raise RecipeError(
            "The trained weights don't fit into half precision: try smaller learning rates than "
            f"{recipe.generator_rate} and {recipe.critic_rate}."
        )
    gpu = torch.cuda.get_device_name() if fabric.device.type == "cuda" else ""
    card = {
        "trained": "against a critic",
        "recipe": asdict(recipe),
        "recipe_hash": recipe.hash,
        "corpus": encoded.corpus,
        "keys": encoded.keys,
        "weights_sha256": hashlib.sha256((out / "weights.safetensors").read_bytes()).hexdigest(),
        "versions": versions(),
        "hardware": gpu or processor(),
        "processes": fabric.world_size,
        "minutes": round(run["seconds"] / 60, 2),
        "parameters": sum(p.numel() for p in generator.parameters()),
        "critic_parameters": sum(p.numel() for p in critic.parameters()),
        "training_rolls": recipe.steps * recipe.batch * recipe.critic_steps,
        "curve": run["curve"],
        "kept_step": run["kept"],
        "metrics": metrics,
    }
    write_card(out, card)
    return card


def gan_of_card(card: dict[str, Any]) -> GanRecipe | None:
    """The recipe in a card, where it is that of a GAN."""
    if card.get("trained") != "against a critic":
        return None
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in card["recipe"].items()
    }
    return GanRecipe(**given)


def load_gan(recipe: GanRecipe, card: dict[str, Any], weights: Path) -> TrainedGan:
    """The GAN of a card whose weights were found to be its own."""
    return TrainedGan(*load_gan_weights(recipe, weights), roll_codec(recipe), card, recipe)
