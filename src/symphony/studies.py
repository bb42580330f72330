"""Measurements that need both a training run and the evaluation: what chapters and cards share."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from symphony.codecs import EventCodec
from symphony.corpora import Corpus
from symphony.evaluation import Originality, pulse_clarity
from symphony.training import (
    RecipeError,
    Trained,
    load_model,
    load_snapshots,
    recipe,
    train_recipe,
)
from symphony.training.folder import STATE


def copying_by_step(
    run: Path, judge: Originality, *, pieces: int = 16, seconds: float = 60.0
) -> list[dict[str, float]]:
    """The longest shared runs of pieces composed by each snapshot of a run (chapter 2).

    Args:
        run: the folder of a finished run whose recipe keeps snapshots.
        judge: whose index the pieces are compared with.
        pieces: how many each snapshot composes, from seed 0.
        seconds: how long each is.

    Returns:
        A row a snapshot: its step, and the smallest, median and largest longest run in onsets.
    """
    trained = load_model(run)
    rows = []
    for step, model in load_snapshots(run).items():
        songs = Trained(model, trained.codec, trained.card, trained.recipe).compose(
            seconds, batch=pieces
        )
        runs = [judge.index.longest_run(song) for song in songs]
        rows.append(
            {"step": step, "smallest": min(runs), "median": float(np.median(runs))}
            | {"largest": max(runs)}
        )
    return rows


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


def beside_real(
    trained: Trained, corpus: Corpus, *, pieces: int = 24, seconds: float = 30.0
) -> dict[str, Any]:
    """What a card keeps where its corpus can't be shipped: originality and pulse, both sides.

    Composed pieces (from seed 0) and the first ``seconds`` of each unseen real piece are measured
    alike: longest run shared with the training split, and pulse clarity.
    """
    judge = Originality.of_corpus(corpus)
    composed = trained.compose(seconds, batch=pieces)
    real = [song.slice(0.0, seconds) for song in judge.unseen]
    facts: dict[str, Any] = {"pieces": pieces, "seconds": seconds, "unseen": len(real)}
    for name, songs in (("composed", composed), ("real", real)):
        runs = np.array([judge.index.longest_run(song) for song in songs])
        facts[f"{name}_run_median"] = float(np.median(runs))
        facts[f"{name}_run_p95"] = float(np.percentile(runs, 95))
        facts[f"{name}_run_longest"] = int(runs.max())
        facts[f"{name}_pulse"] = float(np.nanmedian([pulse_clarity(song) for song in songs]))
    return facts
