"""Chapter 2's trial: does more music cure copying, when nobody stops?

The report's own experiment: all songs, far past the point where validation turns. Beside it the
same with the copyist's 32 songs. Neither run has what kept the chapter's network from copying, no
dropout and no other keys, so that it gets there in minutes; in all else both follow the copyist's
recipe. Each snapshot composes sixteen pieces, whose copies are measured as the copyist's are.

One seed each says something about two runs and not about a method, hence a *trial*. Run it with
``python book/trial_char_rnn.py``; what is finished is not repeated, and what is not is resumed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony import load_corpus
from symphony.evaluation import Originality
from symphony.experiments import copying_by_step, keep_trial, train_arms
from symphony.systems import recipe

MODEL = "char-rnn-overfit"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"trial-{MODEL}"
SEEDS = (0,)
COPYIST = recipe(MODEL)
BASE = replace(
    COPYIST,
    network=replace(COPYIST.network, dropout=0.0),
    **{"transpose": (0,), "steps": 2000, "evaluate_every": 100},
    snapshots=(100, 200, 300, 400, 500, 700, 1000, 1400, 2000),
)
ARMS = {"all songs": replace(BASE, subset=None), "32 songs": BASE}


def main() -> None:
    """See the module's docstring."""
    judge = Originality.of_corpus(load_corpus(BASE.corpus, progress=False))
    found = train_arms(ARMS, SEEDS, RUNS)
    for row in found["rows"]:
        run = RUNS / f"{row['arm'].replace(' ', '-')}-{row['seed']}"
        row["copying"] = copying_by_step(run, judge)
    keep_trial(MODEL, found)


if __name__ == "__main__":
    main()
