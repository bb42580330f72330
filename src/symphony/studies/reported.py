"""The original report's table of losses, on the songs one has (chapter 3)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

from symphony.codecs import EventCodec
from symphony.training import RecipeError, load_model, recipe, train_recipe
from symphony.training.folder import STATE


def report_table(
    corpus: str,
    out: Path,
    *,
    size: Literal["tiny", "small", "full"] = "full",
    device: str = "auto",
    resume: bool = False,
) -> list[dict[str, str | float]]:
    """The original report's table of losses, its own way: training loss in nats a symbol.

    363 events, three layers of 512 cells, windows of 64, Adam at 1e-4, and conditions that
    look ahead of the symbol to predict. The report doesn't say for how long it trained. The
    table says how well songs were learned, nothing about new music: chapter 3 has that.

    Args:
        corpus: a corpus by name, or a folder of MIDI and ABC files: the original's songs.
        out: where both runs are kept; finished ones are not repeated.
        size: "full" is the report's; "small" a smaller network, for fewer steps.
        device: see :func:`symphony.training.loop.train`.
        resume: go on with a run that was stopped.
    """
    uniform = math.log(EventCodec().vocabulary)
    rows: list[dict[str, str | float]] = [{"method": "Random", "loss": uniform, "reported": 5.89}]
    for name, title, reported in (
        ("char-rnn-reported", "Vanilla Char-RNN", 1.90),
        ("conditional-char-rnn-reported", "Conditional Char-RNN", 1.75),
    ):
        plan, run = replace(recipe(name, size), corpus=corpus), out / name
        if not (run / "card.json").is_file():
            going_on = resume and (run / STATE).is_file()
            train_recipe(plan, run, device=device, resume=going_on)
        card = load_model(run).card
        if card["recipe_hash"] != plan.hash:
            raise RecipeError(f"The run in {run} follows another recipe: give another folder.")
        loss = card["curve"][-1]["train"]
        rows.append({"method": title, "loss": loss, "reported": reported})
    return rows
