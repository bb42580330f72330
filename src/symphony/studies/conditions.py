"""Does being told about the music help to predict it? The table of chapter 3."""

from __future__ import annotations

from typing import Any

import numpy as np

BASE = ("vanilla", "nothing")  # what the others are compared with
RESAMPLES = 2000


def condition_table(study: dict[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    """Held-out bits of each model under each condition, with bootstrap 95 % intervals.

    ``study`` is what ``book/study_conditions.py`` keeps beside the weights. Two things are drawn
    again, 2,000 times (Efron, 1979): the pieces, the same for every model, and the training
    seeds, for each model by itself. So a difference of two models must be larger than that of two
    seeds to count.

    Returns:
        A row for each model and what it was told: bits an event with its interval, the lowest
        and the highest seed, bits a note, and the difference to the vanilla model with its
        interval (NaN for that model itself, and for chains).
    """
    symbols, notes = np.array(study["symbols"]), np.array(study["notes"])
    chance = np.random.default_rng(seed)
    draws = chance.integers(0, len(symbols), (RESAMPLES, len(symbols)))
    by_arm: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in study["rows"]:
        by_arm.setdefault((row["model"], row["told"]), []).append(row)
    models = {model: len(rows) for (model, _), rows in by_arm.items()}
    # One draw of seeds a model: the same trained networks under each condition.
    seeds = {m: chance.integers(0, count, (RESAMPLES, count)) for m, count in models.items()}
    drawn = {}
    for (model, told), rows in by_arm.items():
        nats = np.array([row["nats"] for row in rows])[seeds[model]].mean(axis=1)  # [R, pieces]
        cost = np.take_along_axis(nats, draws, axis=1).sum(axis=1)
        drawn[model, told] = cost / np.log(2) / symbols[draws].sum(axis=1)
    table = []
    for (model, told), rows in by_arm.items():
        bits = np.array([row["bits_per_event"] for row in rows])
        row = {"model": model, "told": told, "seeds": len(rows)}
        row |= _ends("", drawn[model, told])
        row |= {"bits_per_event": bits.mean(), "lowest": bits.min(), "highest": bits.max()}
        row["bits_per_note"] = bits.mean() * symbols.sum() / notes.sum()
        row |= {"difference": np.nan, "difference_low": np.nan, "difference_high": np.nan}
        if rows[0]["seed"] is not None and (model, told) != BASE:
            row["difference"] = bits.mean() - np.mean([r["bits_per_event"] for r in by_arm[BASE]])
            row |= _ends("difference_", drawn[model, told] - drawn[BASE])
        table.append(row)
    return table


def _ends(name: str, values: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return {f"{name}low": float(low), f"{name}high": float(high)}
