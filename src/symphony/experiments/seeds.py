"""Methods compared fairly: each trained with several seeds, alike in everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from torch import set_num_threads
from tqdm.auto import tqdm

from symphony.errors import RequestError
from symphony.systems import load, train
from symphony.training import Data, Recipe, Run, Trained
from symphony.training.card import CARD
from symphony.training.run import STATE

DIGITS = 4  # of every number kept


def train_once(
    recipe: Recipe, folder: Path, *, device: str = "auto", resume: bool = True
) -> Trained:
    """The model of a finished run, which is trained first where it isn't there yet.

    Args:
        recipe: what to do.
        folder: where the run lies.
        device: auto, cpu, cuda or mps.
        resume: go on with an unfinished run; else it is set aside, and training starts anew.

    Raises:
        RequestError: the run in the folder follows another recipe.
    """
    if not (folder / CARD).is_file():
        train(recipe, folder, device=device, resume=resume and (folder / STATE).is_file())
    trained = load(folder)
    if trained.card.recipe_hash != recipe.hash:
        raise RequestError(f"The run in {folder} follows another recipe: give another folder.")
    return trained


def train_arms(
    arms: Mapping[str, Recipe],
    seeds: Sequence[int],
    runs: Path,
    measure: Callable[[Trained, Data], dict[str, Any]] | None = None,
    processes: int = 1,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train every arm of a comparison with every seed, and keep what each run found.

    Seeds are the outer loop, so that a comparison cut short has whole rounds. Finished runs are
    taken as they are, unfinished ones resumed.

    Args:
        arms: a recipe for each method.
        seeds: at least three say something about a method and not about one run.
        runs: where the runs lie, one folder each.
        measure: what else to measure of a trained model, beside the metrics in its card; it gets
            the encoded music of its run, too.
        processes: how many runs to train at a time, each on one thread where there are several.
        kept: what this function found before: a row of a recipe that is still the arm's is taken
            from there, and its run isn't asked for.

    Returns:
        ``recipes``, the hash of each arm's; and ``rows``, each with ``arm``, ``seed``,
        ``minutes``, ``best_step``, ``curve`` and ``metrics``.

    Raises:
        RequestError: a run in ``runs`` follows another recipe.
    """
    jobs = [
        (arm, seed, replace(recipe, seed=seed), runs / f"{arm.replace(' ', '-')}-{seed}")
        for seed in seeds
        for arm, recipe in arms.items()
    ]
    known = _known_rows(arms, kept) if kept else {}
    if processes > 1:
        with ProcessPoolExecutor(processes, get_context("spawn"), set_num_threads, (1,)) as pool:
            missing = [job[2:] for job in jobs if job[:2] not in known]
            list(pool.map(_train_quietly, missing))  # finished ones are quick
    rows = []
    for arm, seed, recipe, folder in jobs:
        if (arm, seed) in known:
            rows.append(known[arm, seed])
            continue
        trained = train_once(recipe, folder)
        card = trained.card
        metrics: dict[str, Any] = dict(card.metrics)
        if measure is not None:
            metrics |= measure(trained, Run(folder).data())
        rows.append(
            {"arm": arm, "seed": seed, "minutes": card.minutes}
            | {"best_step": card.best_step, "curve": card.curve, "metrics": metrics}
        )
        tqdm.write(f"{arm}, seed {seed}: {_rounded(metrics)}")
    return {
        "recipes": {arm: recipe.hash for arm, recipe in arms.items()},
        "rows": [_rounded(row) for row in rows],
    }


def _known_rows(
    arms: Mapping[str, Recipe], kept: Mapping[str, Any]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Those rows of an earlier comparison that today's recipes would give again."""
    same = {arm for arm, recipe in arms.items() if kept["recipes"].get(arm) == recipe.hash}
    return {(row["arm"], row["seed"]): row for row in kept["rows"] if row["arm"] in same}


def _train_quietly(job: tuple[Recipe, Path]) -> None:
    """In a process of its own; what is trained lies in the folder."""
    train_once(*job)


def _rounded(value: Any) -> Any:
    """The same with its numbers rounded."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return round(value, DIGITS) if isinstance(value, float) else value
