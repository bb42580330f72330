"""Does being told about the music help to predict it? The table of chapter 3."""

from __future__ import annotations

from typing import Any

import numpy as np

BASE = ("vanilla", "nothing")  # what the others are compared with
RESAMPLES = 2000


def condition_table(study: dict[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    """Held-out bits of each model under each condition, with bootstrap 95 % intervals.

    ``study`` is what ``book/study_conditions.py`` keeps beside the weights.

    Seeds are averaged piece by piece; then pieces are drawn again, 2,000 times, the same pieces
    for every model, so that a difference has an interval of its own (Efron, 1979).

    Returns:
        A row for each model and what it was told: bits an event with its interval, the lowest
        and the highest seed, bits a note, and the difference to the vanilla model with its
        interval (NaN for chains).
    """
    symbols, notes = np.array(study["symbols"]), np.array(study["notes"])
    draws = np.random.default_rng(seed).integers(0, len(symbols), (RESAMPLES, len(symbols)))
    by_arm: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in study["rows"]:
        by_arm.setdefault((row["model"], row["told"]), []).append(row)
    drawn = {}
    for arm, rows in by_arm.items():
        nats = np.mean([row["nats"] for row in rows], axis=0)
        drawn[arm] = nats[draws].sum(axis=1) / np.log(2) / symbols[draws].sum(axis=1)
    table = []
    for (model, told), rows in by_arm.items():
        bits = np.array([row["bits_per_event"] for row in rows])
        row = {"model": model, "told": told, "seeds": len(rows)}
        row |= dict(
            zip(("low", "high"), np.percentile(drawn[model, told], [2.5, 97.5]), strict=True)
        )
        row |= {"bits_per_event": bits.mean(), "lowest": bits.min(), "highest": bits.max()}
        row["bits_per_note"] = bits.mean() * symbols.sum() / notes.sum()
        row |= {"difference": np.nan, "difference_low": np.nan, "difference_high": np.nan}
        if rows[0]["seed"] is not None:
            change = drawn[model, told] - drawn[BASE]
            low, high = np.percentile(change, [2.5, 97.5])
            row["difference"] = bits.mean() - np.mean([r["bits_per_event"] for r in by_arm[BASE]])
            row |= {"difference_low": low, "difference_high": high}
        table.append(row)
    return table
