"""Does a condition help to predict music? The table of chapter 3."""

from __future__ import annotations

from typing import Any

import numpy as np

from symphony.evaluation.confidence import LEVEL

BASE = ("vanilla", "none")  # what the others are compared with
RESAMPLES = 2000


def condition_table(experiment: dict[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    """Held-out bits of each model under each condition, with bootstrap 95 % confidence intervals.

    ``experiment`` is what ``book/experiment_conditions.py`` keeps beside the weights. Two things
    are drawn again, 2,000 times (Efron, 1979): the pieces, the same for every model, and the
    training seeds, for each model by itself. So a difference of two models must be larger than
    that of two seeds to count.

    Returns:
        A row for each ``model`` and ``condition`` ("true", "shuffled" or "none"): bits an event
        with its interval, the lowest and the highest seed, bits a note, and the difference to the
        vanilla model with its interval (NaN for that model itself, and for n-gram models).
    """
    symbols, notes = np.array(experiment["symbols"]), np.array(experiment["notes"])
    by_arm: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in experiment["rows"]:
        by_arm.setdefault((row["model"], row["condition"]), []).append(row)
    drawn = _resampled(by_arm, symbols, np.random.default_rng(seed))
    table = []
    for (model, condition), rows in by_arm.items():
        bits = np.array([row["bits_per_event"] for row in rows])
        row = {"model": model, "condition": condition, "seeds": len(rows)}
        row |= _ends("", drawn[model, condition])
        row |= {"bits_per_event": bits.mean(), "lowest": bits.min(), "highest": bits.max()}
        row["bits_per_note"] = bits.mean() * symbols.sum() / notes.sum()
        row |= {"difference": np.nan, "difference_low": np.nan, "difference_high": np.nan}
        if rows[0]["seed"] is not None and (model, condition) != BASE:
            row["difference"] = bits.mean() - np.mean([r["bits_per_event"] for r in by_arm[BASE]])
            row |= _ends("difference_", drawn[model, condition] - drawn[BASE])
        table.append(row)
    return table


def _resampled(
    by_arm: dict[tuple[str, str], list[dict[str, Any]]],
    symbols: np.ndarray,
    rng: np.random.Generator,
) -> dict[tuple[str, str], np.ndarray]:
    """Bits an event of each arm, [RESAMPLES].

    Not :func:`symphony.evaluation.bootstrap`, which draws the rows of one table: here the pieces
    are drawn once for all arms, so that their differences are paired, and the seeds once for all
    conditions of a model, since these read with the same trained networks.
    """
    pieces = rng.integers(0, len(symbols), (RESAMPLES, len(symbols)))
    runs = {model: len(rows) for (model, _), rows in by_arm.items()}
    seeds = {model: rng.integers(0, count, (RESAMPLES, count)) for model, count in runs.items()}
    drawn = {}
    for (model, condition), rows in by_arm.items():
        nats = np.array([row["nats"] for row in rows])[seeds[model]].mean(axis=1)  # [R, pieces]
        cost = np.take_along_axis(nats, pieces, axis=1).sum(axis=1)
        drawn[model, condition] = cost / np.log(2) / symbols[pieces].sum(axis=1)
    return drawn


def _ends(name: str, values: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(values, [50 - LEVEL / 2, 50 + LEVEL / 2])
    return {f"{name}low": float(low), f"{name}high": float(high)}
