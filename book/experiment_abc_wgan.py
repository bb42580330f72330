"""Chapter 8's comparison: what each of three tricks gives a GAN that learns characters.

Three seeds of each arm, about a minute of one core each: all eight combinations of the three
tricks, the same generator taught by likelihood, all three tricks with the Fisher loss, and lines of
128 characters, by the game and by likelihood. The result lies beside the shipped weights, for the
chapter to show.

Run it with ``python book/experiment_abc_wgan.py``; a stopped run goes on where it left off, and
arms that are kept already are not trained again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from symphony.corpora import parse_tunes
from symphony.evaluation import sequence_bleu
from symphony.experiments import keep_experiment, shipped_experiment, train_arms
from symphony.systems import recipe
from symphony.systems.abc_wgan.system import distinct, known_grams, shared
from symphony.systems.ngram.network import NGramTable
from symphony.systems.sampling import generate
from symphony.training import Data, Trained

MODEL = "abc-wgan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
ALL = recipe(MODEL)
NO_TEACHER = {"teacher_helping": False}
NO_CURRICULUM = {"curriculum": False}
NO_VARIETY = {"variable_length": False}
LONG = replace(ALL, network=replace(ALL.network, steps=128))
ARMS = {  # as many steps as take a minute of one core
    "all three": ALL,
    "without teacher": replace(ALL, **NO_TEACHER),
    "without curriculum": replace(ALL, **NO_CURRICULUM, steps=400),
    "without variable length": replace(ALL, **NO_VARIETY, steps=400),
    "only teacher": replace(ALL, **NO_CURRICULUM, **NO_VARIETY, steps=250),
    "only curriculum": replace(ALL, **NO_TEACHER, **NO_VARIETY, steps=400),
    "only variable length": replace(ALL, **NO_TEACHER, **NO_CURRICULUM, steps=400),
    "none": replace(ALL, **NO_TEACHER, **NO_CURRICULUM, **NO_VARIETY, steps=250),
    "likelihood": replace(ALL, loss="likelihood", steps=4000),
    "Fisher": replace(ALL, loss="fisher", steps=1000),
    "all three at 128": replace(LONG, steps=200),
    "likelihood at 128": replace(LONG, loss="likelihood", steps=1200),
}
COUNT, REFERENCES = 50, 400  # lines of each kind, as the report took, and unseen ones


def beside(trained: Trained, data: Data) -> dict[str, Any]:
    """Grammar and BLEU of the lines that a model writes; for the first arm, of the anchors too."""
    learner, r = trained.system, trained.recipe
    unseen = learner.lines(data.arrays["test"], r.network.steps, REFERENCES, 0, 8).numpy()
    known = known_grams(data.arrays["test"]["characters"])

    def measured(lines: np.ndarray) -> dict[str, float]:
        bodies = [r.codec.body(line) for line in lines]
        read = [not isinstance(song, str) for song in parse_tunes(map(whole, bodies))]
        return {
            "parses": float(np.mean(read)),
            "bars_full": np.nan_to_num(r.codec.bars_full(bodies)).item(),
            "real_4": shared(lines, known),
            "distinct_4": distinct(lines, 4),
            "bleu": sequence_bleu(lines, unseen),
            "self_bleu": sequence_bleu(lines, None),
        }

    def whole(body: str) -> str:
        return r.codec.head("line") + body + "\n"

    lines = learner.written(trained.nets["generator"], COUNT, 2)
    # Models that read their own distributions write the likeliest characters, the others draw. So
    # that this difference isn't taken for one of training, all are also made to draw.
    rng = torch.Generator().manual_seed(r.seed)
    noise = torch.randn(COUNT, r.network.noise, generator=rng)
    uniform = torch.rand(COUNT, r.network.steps, generator=rng)
    drawn = measured(learner.write(trained.nets["generator"], noise, uniform, 1.0))
    found: dict[str, Any] = measured(lines) | {"lines": [r.codec.body(row) for row in lines[:6]]}
    found["drawn"] = drawn
    if replace(r, seed=ALL.seed) in (ALL, ARMS["all three at 128"]):  # one arm of either length
        size, chance = r.network.steps, np.random.default_rng(r.seed)
        stream = np.asarray(data.train["characters"])
        anchors = {"uniform noise": chance.integers(0, r.codec.vocab_size, (COUNT, size))}
        for order in range(1, 5):
            table = NGramTable(r.codec.vocab_size, order).fit(stream)
            anchors[f"n-gram, order {order}"] = generate(table, size, batch=COUNT, seed=r.seed)
        real = learner.lines(data.arrays["validation"], size, COUNT, 0, 9)
        copied = learner.lines(data.train, size, COUNT, 0, 9)
        anchors |= {"unseen real music": real.numpy(), "a training copy": copied.numpy()}
        found["anchors"] = {name: measured(each) for name, each in anchors.items()}
    return found


if __name__ == "__main__":
    kept = shipped_experiment(MODEL)
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, beside, kept=kept))
