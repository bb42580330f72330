"""The training loop of a generator and its critic (chapters 4, 5, 6 and 9)."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from symphony.training import gan_losses as losses
from symphony.training.folder import STATE, make_folder, set_aside, writing
from symphony.training.gan_checkpoint import (
    LOOK,
    look_at,
    save_film,
    save_gan_card,
    save_gan_weights,
)
from symphony.training.gan_models import build_gan, conditions, draw_noise, make_rolls
from symphony.training.gan_recipes import GanRecipe
from symphony.training.health import health, merit, note_f1
from symphony.training.recipes import RecipeError
from symphony.training.rolls import EncodedRolls, draw_rolls
from symphony.training.runtime import asked_to_stop, launch, load_state, save_state

COLUMNS = (  # means over the steps since the last look, in the card's curve
    "critic",  # its loss without penalty
    "penalty",  # unweighted
    "generator",  # its loss, with l1 where there is one
    "real_score",
    "made_score",
    "accuracy",  # share of rolls (or patches) the critic tells rightly
    "critic_gradient",
    "generator_gradient",
)


def critic_step(
    recipe: GanRecipe,
    nets: tuple[nn.Module, nn.Module],
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    given: tuple[Tensor, ...],
    history: Tensor,
    chance: torch.Generator,
) -> tuple[list[Tensor], Tensor]:
    """One step of the critic: tell real rolls from made ones.

    Returns:
        What happened, in the order of COLUMNS without the generator's; and the history.
    """
    generator, critic = nets
    with torch.no_grad():
        made = generator(draw_noise(recipe, len(real), chance).to(real.device), *given)
    if recipe.history:
        made, history = losses.replay(history, made, recipe.history, chance)
    scores, doubts = critic(real, *given), critic(made, *given)
    if recipe.loss == "classical":
        confusion = (recipe.flip, recipe.smooth, chance)
        loss = losses.classical(scores, losses.labels(scores, True, *confusion))
        loss = (loss + losses.classical(doubts, losses.labels(doubts, False, *confusion))) / 2
    else:
        loss = (losses.hinge if recipe.loss == "hinge" else losses.wasserstein)(scores, doubts)
    penalty, total = loss.new_zeros(()), loss
    if recipe.penalty:
        penalty = losses.gradient_penalty(critic, real, made, given, chance)
        total = total + recipe.penalty * penalty
    if recipe.r1:
        total = total + recipe.r1 * losses.r1(critic, real, given)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    real_mean, made_mean = scores.detach().mean(), doubts.detach().mean()
    middle = (real_mean + made_mean) / 2 if recipe.loss == "wasserstein" else 0.0
    told = ((scores > middle).float().mean() + (doubts <= middle).float().mean()) / 2
    measured = [loss, penalty, real_mean, made_mean, told, losses.steepness(critic)]
    return [m.detach() for m in measured], history


def generator_step(
    recipe: GanRecipe,
    nets: tuple[nn.Module, nn.Module],
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    given: tuple[Tensor, ...],
    chance: torch.Generator,
) -> list[Tensor]:
    """One step of the generator: make what the critic takes for real.

    Returns:
        Its loss, and the norm of its gradient.
    """
    generator, critic = nets
    made = generator(draw_noise(recipe, len(real), chance).to(real.device), *given)
    critic.requires_grad_(False)
    loss = recipe.fool * losses.fooling(recipe.loss, critic(made, *given))
    critic.requires_grad_(True)
    if recipe.l1:
        loss = loss + recipe.l1 * (made - real).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return [loss.detach(), losses.steepness(generator)]


def train_gan(
    recipe: GanRecipe,
    music: EncodedRolls | Path,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
) -> dict[str, Any] | None:
    """Train a generator against its critic and leave weights, card and film in ``out``.

    The weights kept are those of the look that validation likes best (see ``health.merit``).

    Args:
        recipe: what to do.
        music: the encoded rolls, or their file.
        out: the run's folder.
        device: auto, cpu, cuda or mps.
        resume: go on from the state in ``out``; the result is the same as without a stop.
        progress: show a bar, with the health of the rolls at the last look.

    Returns:
        The card.

    Raises:
        RecipeError: nothing to resume, a run of another recipe, or a loss that is not finite.
        KeyboardInterrupt: stopped by Ctrl-C, after the state was saved.
    """
    fabric = launch(device, recipe.batch)
    if fabric.world_size > 1:
        raise RecipeError("A GAN trains on one device: start it without torchrun.")
    encoded = EncodedRolls.load(music) if isinstance(music, Path) else music
    encoded.check()
    torch.manual_seed(recipe.seed)
    generator, critic = (fabric.to_device(net) for net in build_gan(recipe))
    average = copy.deepcopy(generator).requires_grad_(False)  # what composes
    nets = generator, critic
    adam: dict[str, Any] = {"lr": recipe.generator_rate, "betas": recipe.betas}
    first = torch.optim.Adam(generator.parameters(), **adam)
    second: torch.optim.Optimizer = torch.optim.Adam(
        critic.parameters(), **{**adam, "lr": recipe.critic_rate}
    )
    if recipe.critic_optimizer == "sgd":
        second = torch.optim.SGD(critic.parameters(), lr=recipe.critic_rate)
    run: dict[str, Any] = {"step": 0, "seconds": 0.0, "curve": [], "film": []}
    run |= {"kept": 0, "merit": (False, -math.inf)}  # the look whose weights are kept
    run |= {"corpus": encoded.corpus, "history": torch.zeros(0, device=fabric.device)}
    state: dict[str, Any] = {
        "generator": generator,
        "critic": critic,
        "average": average,
        "run": run,
    }
    state |= {"generator_steps": first, "critic_steps": second, "recipe": recipe.hash}
    if resume:
        load_state(fabric, out / STATE, state)
        run = state["run"]
    else:
        make_folder(out)
        if set_aside(out) and progress:
            tqdm.write(f"An earlier run in {out} is now in {out / 'earlier'}")
    records = [torch.tensor(row, device=fabric.device) for row in run.pop("pending", [])]
    history = run["history"].to(fabric.device)
    noise, asked, meant = look_at(recipe, encoded, "validation", recipe.judged)
    beside = draw_rolls(encoded.validation, recipe, LOOK, 1, recipe.judged).numpy() > 0
    bar = tqdm(
        total=recipe.steps,
        initial=run["step"],
        desc=f"{recipe.name} ({recipe.size})",
        disable=not progress,
    )
    begun = time.perf_counter() - run["seconds"]
    with asked_to_stop() as stopped, bar:
        while run["step"] < recipe.steps:
            step = run["step"]
            chance = torch.Generator().manual_seed((recipe.seed << 32) + step)
            for turn in range(recipe.critic_steps):
                real = draw_rolls(encoded.train, recipe, step, turn)
                given = tuple(g.to(fabric.device) for g in conditions(recipe, real, step, turn))
                real = real.to(fabric.device)
                told, history = critic_step(recipe, nets, second, real, given, history, chance)
            fooled = generator_step(recipe, nets, first, real, given, chance)
            losses.follow(average, generator, recipe.average)
            records.append(torch.stack([*told[:2], fooled[0], *told[2:], fooled[1]]))
            run["step"] = step = step + 1
            bar.update()
            if step in recipe.snapshots:
                with writing(out):
                    save_gan_weights(average, critic, out / f"step-{step:06d}.safetensors")
            if step % recipe.evaluate_every == 0 or step == recipe.steps:
                row = torch.stack(records).mean(0).tolist()
                if not np.isfinite(row).all():
                    raise RecipeError(
                        f"The losses are no longer finite numbers at step {step}: try smaller "
                        f"learning rates than {recipe.generator_rate} and {recipe.critic_rate}."
                    )
                records.clear()
                made = make_rolls(average, noise, asked) > 0
                seen = health(made, beside)
                if recipe.given == "facade":
                    seen["note_f1"] = note_f1(made, meant.numpy() > 0)
                run["curve"].append({"step": step, **dict(zip(COLUMNS, row, strict=True)), **seen})
                run["film"].append(torch.from_numpy(np.packbits(made[: recipe.film], axis=2)))
                bar.set_postfix_str(
                    f"{seen['chords']:.0f} chords, {seen['top_chord']:.0%} the same, "
                    f"diversity {seen['diversity']:.2f}, told apart {seen['two_sample']:.0%}"
                )
                with writing(out):
                    if merit(seen) >= tuple(run["merit"]):
                        run["kept"], run["merit"] = step, merit(seen)
                        save_gan_weights(average, critic, out / "weights.safetensors")
                    save_film(run, out)
                run["seconds"], run["history"] = time.perf_counter() - begun, history
                save_state(fabric, out / STATE, state)
            if stopped.is_set():
                if records:  # else this very step was saved above
                    run["seconds"], run["history"] = time.perf_counter() - begun, history
                    run["pending"] = torch.stack(records).tolist()
                    save_state(fabric, out / STATE, state)
                bar.write(f"Stopped after step {step}. Go on with --resume --out {out}")
                raise KeyboardInterrupt
    return save_gan_card(recipe, encoded, out, run, fabric)
