"""The training loop of everything that learns: step, log, evaluate, keep the best, stop, resume."""

from __future__ import annotations

import math
import shlex
import time

import torch
from lightning_fabric import Fabric
from tqdm.auto import tqdm

from symphony.errors import RequestError
from symphony.machine import asked_to_stop, mixed_seed
from symphony.training.card import Card
from symphony.training.data import Data
from symphony.training.run import SNAPSHOT, WEIGHTS, History, Run, save_weights
from symphony.training.runtime import reduced
from symphony.training.system import Nets, System


def train(
    system: System,
    data: Data,
    run: Run,
    fabric: Fabric,
    resume: bool = False,
    progress: bool = True,
) -> Card | None:
    """Train a system on its encoded music and leave weights, samples and card in a run's folder.

    For the arguments, what comes back and what is raised see :func:`symphony.train`, which calls
    this with the devices launched.
    """
    recipe, first = system.recipe, fabric.is_global_zero
    data = data.seen_by(fabric.global_rank, fabric.world_size, fabric.device)
    torch.manual_seed(recipe.seed)  # every process builds the same weights
    nets = system.build(data).to(fabric.device)
    opts = system.optimizers(nets)
    history = run.load_state(system, nets, opts, data) if resume else History()
    title, hidden = f"{recipe.name} ({recipe.size})", not (progress and first)
    bar = tqdm(total=recipe.steps, initial=history.step, desc=title, disable=hidden)
    begun = time.perf_counter() - history.seconds

    def save() -> None:
        history.seconds = time.perf_counter() - begun
        if first:
            run.save_samples(history)
            run.save_state(system, nets, opts, data, history)

    with asked_to_stop() as stopped, bar:
        while history.step < recipe.steps:
            torch.manual_seed(mixed_seed(recipe.seed, (history.step << 8) + fabric.global_rank))
            nets.train()
            logs = system.train_step(nets, opts, data, history.step)
            history.logs.append(reduced(fabric, logs))
            history.step += 1
            bar.update()
            if first and history.step in recipe.snapshots:
                save_weights(system.kept(nets), run.folder / SNAPSHOT.format(history.step))
            if history.step % recipe.evaluate_every == 0 or history.step == recipe.steps:
                better, summary = evaluate(system, nets, data, history)
                bar.set_postfix_str(summary)
                if first and better:
                    save_weights(system.kept(nets), run.folder / WEIGHTS)
                save()
            if reduced(fabric, {"stop": torch.tensor(float(stopped.is_set()))})["stop"] > 0:
                if history.logs:  # else this very step was saved above
                    save()
                if first:
                    how = f"Go on with --resume --out {shlex.quote(str(run.folder))}"
                    bar.write(f"Stopped after step {history.step}. {how}")
                raise KeyboardInterrupt
    return run.finish(system, data, history) if first else None


def evaluate(system: System, nets: Nets, data: Data, history: History) -> tuple[bool, str]:
    """Add a point to the curve; whether to keep these weights, and a summary for the bar."""
    names = history.logs[0]
    means = {k: float(torch.stack([row[k] for row in history.logs]).mean()) for k in names}
    history.logs = []
    found = system.evaluate(system.kept(nets).eval(), data)
    broken = [name for name, mean in means.items() if not math.isfinite(mean)]
    if broken or math.isnan(found.score):
        raise RequestError(
            f"{(*broken, 'validation')[0]} is no longer a finite number at step {history.step}: "
            "try a smaller learning rate."
        )
    history.curve.append({"step": history.step, **means, **found.metrics})
    if found.samples is not None:
        history.samples.append(torch.from_numpy(found.samples))
    better = found.score >= history.best or system.recipe.keep == "last"
    if better:
        history.best, history.best_step = max(found.score, history.best), history.step
    return better, found.summary
