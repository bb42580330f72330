"""Chapter 4's comparison: do history replay and confused labels keep an RNN-GAN from collapsing?

Trains three seeds with the tricks and three without, alike in everything else, and keeps how each
ended. The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/study_rnn_gan.py``; a stopped run goes on where it left off.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from symphony.training import recipe, train_recipe
from symphony.training.checkpoint import SHIPPED

RUNS = Path(__file__).resolve().parents[1] / "runs" / "study-rnn-gan"
HOME = SHIPPED / "rnn-gan" / "study.json"
SEEDS = (0, 1, 2)
TRICKS = recipe("rnn-gan")
ARMS = {"with the tricks": TRICKS, "without": replace(TRICKS, history=0, flip=0.0, smooth=0.0)}


def main() -> None:
    """See the module's docstring."""
    rows = []
    for seed in SEEDS:
        for arm, plan in ARMS.items():
            plan, run = replace(plan, seed=seed), RUNS / f"{arm.replace(' ', '-')}-{seed}"
            if not (run / "card.json").is_file():
                train_recipe(plan, run, resume=(run / "state.ckpt").is_file())
            card = json.loads((run / "card.json").read_text())
            rows.append(
                {"arm": arm, "seed": seed, "minutes": card["minutes"]}
                | {"curve": card["curve"], "metrics": card["metrics"]}
            )
            print(f"{arm}, seed {seed}: {card['curve'][-1]}")
    HOME.parent.mkdir(parents=True, exist_ok=True)
    study = {"recipes": {arm: plan.hash for arm, plan in ARMS.items()}, "rows": rows}
    HOME.write_text(json.dumps(study) + "\n")
    print(HOME)


if __name__ == "__main__":
    main()
