"""The original report's table of losses, on the songs one has (chapter 3)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

from symphony.experiments.seeds import train_once
from symphony.systems import recipe

REPORTED = (  # recipe, the report's name for it, its loss
    ("char-rnn-reported", "Vanilla Char-RNN", 1.90),
    ("conditional-char-rnn-reported", "Conditional Char-RNN", 1.75),
)


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
        device: see :func:`symphony.train`.
        resume: go on with a run that was stopped.

    Returns:
        A row a method: ``method``, ``loss``, and ``reported``, the report's loss.

    Raises:
        RequestError: the runs in ``out`` follow other recipes.
    """
    chosen = [replace(recipe(name, size), corpus=corpus) for name, _, _ in REPORTED]
    uniform = math.log(chosen[0].codec.vocab_size)
    rows: list[dict[str, str | float]] = [{"method": "Random", "loss": uniform, "reported": 5.89}]
    for each, (name, title, reported) in zip(chosen, REPORTED, strict=True):
        card = train_once(each, out / name, device=device, resume=resume).card
        rows.append({"method": title, "loss": card.curve[-1]["train"], "reported": reported})
    return rows
