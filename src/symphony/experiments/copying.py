"""What was copied: step by step along a run, and against unseen real music (chapter 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symphony.corpora import Corpus
from symphony.evaluation import Originality, pulse_clarity
from symphony.systems import load_snapshots
from symphony.training import Trained


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

    Raises:
        FileError: no finished run, or a broken one.
    """
    rows: list[dict[str, float]] = []
    for step, trained in load_snapshots(run).items():
        songs = trained.compose(seconds, batch=pieces)
        runs = [judge.index.longest_run(song) for song in songs]
        rows.append(
            {"step": step, "smallest": min(runs), "median": float(np.median(runs))}
            | {"largest": max(runs)}
        )
    return rows


def against_real(
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
