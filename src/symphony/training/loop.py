"""The training loop of models that predict the next symbol (chapter 2)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int16
from torch import Tensor
from tqdm.auto import tqdm

from symphony.training.checkpoint import build_model, save_card, save_weights
from symphony.training.encoded import EncodedCorpus, condition_codec
from symphony.training.folder import STATE, make_folder, set_aside, writing
from symphony.training.measure import held_out_loss
from symphony.training.recipes import Recipe, RecipeError
from symphony.training.runtime import asked_to_stop, launch, load_state, reduced, save_state


def draw_windows(stream: Int16[np.ndarray, " t"], recipe: Recipe, step: int) -> tuple[Tensor, ...]:
    """The batch of a step: symbols [batch, window + 1] and, where told, conditions for the last
    ``window`` of them. The same whenever and wherever it is drawn.
    """
    chance = np.random.default_rng([recipe.seed, step])
    window = min(recipe.window, len(stream) - 1)  # a little music makes a short window
    starts = chance.integers(0, len(stream) - window, recipe.batch)
    asked = condition_codec(recipe)
    # A condition looks beyond the window. The stream begins and ends with the start symbol, so
    # repeating its ends adds no music.
    beyond = asked.window if asked else 0
    at = starts[:, None] + np.arange(-beyond, window + 1 + beyond)
    symbols = stream[np.clip(at, 0, len(stream) - 1)]
    tokens = torch.from_numpy(symbols[:, beyond : beyond + window + 1].astype(np.int64))
    if asked is None:
        return (tokens,)
    rows = asked.rows(symbols, int(stream[0]))[:, beyond + 1 : beyond + window + 1]
    return tokens, torch.from_numpy(rows)


def train(
    recipe: Recipe,
    music: EncodedCorpus | Path,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
) -> dict[str, Any] | None:
    """Train one model and leave its weights and card in ``out``.

    Args:
        recipe: what to do.
        music: the encoded music, or its file, read once all processes have started.
        out: the run's folder.
        device: auto, cpu, cuda or mps.
        resume: go on from the state in ``out``; the result is the same as without a stop.
        progress: show a bar.

    Returns:
        The card; None on every process but the first of several.

    Raises:
        RecipeError: nothing to resume, a run of another recipe, or a loss that is not finite.
        KeyboardInterrupt: stopped by Ctrl-C, after the state was saved.
    """
    fabric = launch(device, recipe.batch)
    fabric.barrier()  # the first process may still be writing the file
    encoded = EncodedCorpus.load(music) if isinstance(music, Path) else music
    encoded.check()
    torch.manual_seed(recipe.seed)
    model = build_model(recipe, encoded.vocabulary)
    optimizer: Any = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    model, optimizer = fabric.setup(model, optimizer)
    model.mark_forward_method("loss")
    run: dict[str, Any] = {"step": 0, "seconds": 0.0, "best": float("inf"), "curve": []}
    run["corpus"] = encoded.corpus
    state = {"model": model, "optimizer": optimizer, "run": run, "recipe": recipe.hash}
    if resume:
        load_state(fabric, out / STATE, state)
        run = state["run"]
    elif fabric.is_global_zero:
        make_folder(out)
        if set_aside(out) and progress:
            tqdm.write(f"An earlier run in {out} is now in {out / 'earlier'}")
    asked = condition_codec(recipe)
    shares = slice(fabric.global_rank, None, fabric.world_size)
    losses = [torch.tensor(loss, device=fabric.device) for loss in run.pop("pending", [])]
    bar = tqdm(
        total=recipe.steps,
        initial=run["step"],
        desc=f"{recipe.name} ({recipe.size})",
        disable=not (progress and fabric.is_global_zero),
    )
    begun = time.perf_counter() - run["seconds"]
    with asked_to_stop() as stopped, bar:
        while run["step"] < recipe.steps:
            step = run["step"]
            windows = draw_windows(encoded.train, recipe, step)
            windows = tuple(part[shares].to(fabric.device) for part in windows)
            torch.manual_seed((recipe.seed << 32) + (step << 8) + fabric.global_rank)  # dropout
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * (1 - 0.9 * step / recipe.steps)
            model.train()
            optimizer.zero_grad()
            loss = model.loss(*windows)
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=recipe.clip)
            optimizer.step()
            losses.append(loss.detach())
            run["step"] = step = step + 1
            bar.update()
            if step in recipe.snapshots and fabric.is_global_zero:
                with writing(out):
                    save_weights(model.module, out / f"step-{step:06d}.safetensors")
            if step % recipe.evaluate_every == 0 or step == recipe.steps:
                mean = float(reduced(fabric, torch.stack(losses).mean(), "mean"))
                if not np.isfinite(mean):
                    raise RecipeError(
                        f"The loss is no longer a finite number at step {step}: try a smaller "
                        f"learning rate than {recipe.learning_rate}."
                    )
                losses.clear()
                held_out = held_out_loss(
                    model.module, encoded.validation, recipe.validation_symbols, asked
                )
                run["curve"].append({"step": step, "train": mean, "validation": held_out})
                speed = recipe.window * recipe.batch * (bar.format_dict["rate"] or 0)
                bar.set_postfix_str(
                    f"train {mean:.3f}, validation {held_out:.3f}, {speed:,.0f} symbols/s"
                )
                better = held_out < run["best"]
                run["best"] = min(held_out, run["best"])
                if fabric.is_global_zero and (better or recipe.keep == "last"):
                    with writing(out):
                        save_weights(model.module, out / "weights.safetensors")
                run["seconds"] = time.perf_counter() - begun
                save_state(fabric, out / STATE, state)
            if reduced(fabric, torch.tensor(float(stopped.is_set())), "sum") > 0:
                if losses:  # else this very step was saved above
                    run["seconds"] = time.perf_counter() - begun
                    run["pending"] = reduced(fabric, torch.stack(losses), "mean").tolist()
                    save_state(fabric, out / STATE, state)
                if fabric.is_global_zero:
                    bar.write(f"Stopped after step {step}. Go on with --resume --out {out}")
                raise KeyboardInterrupt
    return save_card(recipe, encoded, out, run, fabric) if fabric.is_global_zero else None
