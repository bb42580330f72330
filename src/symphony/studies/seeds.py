"""Methods compared fairly: each trained with several seeds, alike in everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from symphony.corpora import load_corpus
from symphony.training import GanRecipe, TrainedGan, load_model, train_recipe
from symphony.training.rolls import EncodedRolls, encode_rolls, roll_codec

DIGITS = 4  # of every number kept


def train_arms(
    arms: Mapping[str, GanRecipe],
    seeds: Sequence[int],
    runs: Path,
    measure: Callable[[TrainedGan, EncodedRolls], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Train every arm of a comparison with every seed, and keep what each run told.

    Seeds are the outer loop, so that a comparison cut short has whole rounds. Finished runs are
    taken as they are, unfinished ones resumed.

    Args:
        arms: a recipe for each method.
        seeds: at least three say something about a method and not about one run.
        runs: where the runs lie, one folder each.
        measure: what else to measure of a trained model, beside the metrics in its card; it gets
            the rolls of its corpus, too.

    Returns:
        ``recipes``, the hash of each arm's; and ``rows``, each with ``arm``, ``seed``,
        ``minutes``, ``kept_step``, ``curve`` and ``metrics``.
    """
    rows = []
    for seed in seeds:
        for arm, plan in arms.items():
            mine, run = replace(plan, seed=seed), runs / f"{arm.replace(' ', '-')}-{seed}"
            if not (run / "card.json").is_file():
                train_recipe(mine, run, resume=(run / "state.ckpt").is_file())
            card = json.loads((run / "card.json").read_text())
            metrics = dict(card["metrics"])
            if measure is not None:
                encoded = encode_rolls(
                    load_corpus(mine.corpus, progress=False), roll_codec(mine), mine
                )
                metrics |= measure(load_model(run), encoded)
            rows.append(
                {"arm": arm, "seed": seed, "minutes": card["minutes"]}
                | {"kept_step": card["kept_step"], "curve": card["curve"], "metrics": metrics}
            )
            tqdm.write(f"{arm}, seed {seed}: {_short(metrics)}")
    return {
        "recipes": {arm: plan.hash for arm, plan in arms.items()},
        "rows": [_short(row) for row in rows],
    }


def _short(value: Any) -> Any:
    """The same with its numbers rounded."""
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_short(v) for v in value]
    return round(value, DIGITS) if isinstance(value, float) else value
