"""Chapter 2's second trial: had the network of the whole corpus learned all it could?

The shipped run ends with its lowest validation loss, so it can't say whether more steps would lower
it further, nor whether a network that has gone past the turn copies. This is the same recipe for
nearly twice as many steps. Twenty-four pieces from its best weights, drawn as the shipped network
draws, are measured as the chapter's are.

One seed says something about a run and not about a method, hence a *trial*. Run it with
``python book/trial_longer.py``; what is finished is not repeated, and what is not is resumed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from symphony import load, load_corpus
from symphony.evaluation import Originality
from symphony.experiments import keep_trial, train_arms
from symphony.systems import recipe
from symphony.training import Data, Trained

MODEL = "char-rnn"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"trial-{MODEL}"
SEEDS = (0,)
ARMS = {"longer": replace(recipe(MODEL), steps=12_000)}
PIECES, SECONDS = 24, 30.0


def longest_runs(trained: Trained, _: Data) -> dict[str, Any]:
    """What each piece shares with the training music, in onsets."""
    judge = Originality.of_corpus(load_corpus(trained.recipe.corpus, progress=False))
    drawn = load(MODEL).card.defaults
    pieces = trained.compose(SECONDS, batch=PIECES, seed=trained.recipe.seed, **drawn)
    return {"runs": [judge.index.longest_run(piece) for piece in pieces]}


def main() -> None:
    """See the module's docstring."""
    keep_trial(MODEL, train_arms(ARMS, SEEDS, RUNS, longest_runs))


if __name__ == "__main__":
    main()
