"""Chapter 7's comparison: what rewards do to a generator that likelihood has taught.

Trains three seeds by the recipe. From the melodies drawn at each evaluation it takes BLEU against
unseen melodies and self-BLEU, and it sweeps the temperature of the generator that likelihood left.
The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/experiment_seqgan.py``; a stopped run goes on where it left off, and
arms that are kept already are not trained again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from symphony.evaluation import sequence_bleu
from symphony.experiments import keep_experiment, shipped_experiment, train_arms
from symphony.systems import recipe
from symphony.systems.ngram.network import NGramTable
from symphony.systems.sampling import generate
from symphony.training import Data, Trained, load_samples

MODEL = "seqgan"
RUNS = Path(__file__).resolve().parents[1] / "runs" / f"experiment-{MODEL}"
SEEDS = (0, 1, 2)
ARM = "roll-outs"
ARMS = {ARM: recipe(MODEL)}
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2)
COUNT, REFERENCES = 64, 400  # melodies of each kind, and unseen ones to compare them with


def beside(trained: Trained, data: Data) -> dict[str, Any]:
    """BLEU and self-BLEU along the training, by temperature, and of the anchors."""
    learner, r = trained.system, trained.recipe
    unseen = learner.melodies(data.arrays["test"], 0, 8, REFERENCES).numpy()
    steps, samples = load_samples(RUNS / f"{ARM}-{r.seed}")

    def both(melodies: np.ndarray) -> dict[str, float]:
        return {
            "bleu": sequence_bleu(melodies, unseen),
            "self_bleu": sequence_bleu(melodies, None),
        }

    game = steps > r.pretrain_steps + r.discriminator_pretrain_steps - r.evaluate_every
    found: dict[str, Any] = {
        "bleu_by_step": [
            {"step": int(step), **both(drawn)}
            for step, drawn in zip(steps[game], samples[game], strict=True)
        ]
    }
    net, size = trained.nets["pretrained"], r.network.steps
    found["temperatures"] = []
    for t in TEMPERATURES:
        drawn = generate(net, size, batch=COUNT, temperature=t, seed=r.seed + 1)
        row = {"temperature": t, "reward": rewarded(trained, drawn)}
        found["temperatures"].append(row | both(drawn))
    stream = np.asarray(data.train["words"])
    rng = np.random.default_rng(r.seed)
    anchors = {"uniform noise": rng.integers(0, r.codec.vocab_size, (COUNT, size))}
    for order in (0, 1, 2, 3):
        table = NGramTable(r.codec.vocab_size, order).fit(stream)
        anchors[f"n-gram, order {order}"] = generate(table, size, batch=COUNT, seed=r.seed)
    anchors["unseen real music"] = learner.melodies(data.arrays["validation"], 0, 9, COUNT).numpy()
    anchors["a training copy"] = learner.melodies(data.train, 0, 9, COUNT).numpy()
    found["anchors"] = {name: both(melodies) for name, melodies in anchors.items()}
    return found


@torch.inference_mode()
def rewarded(trained: Trained, melodies: np.ndarray) -> float:
    """What the discriminator gives them."""
    scores = trained.nets["discriminator"](torch.from_numpy(melodies))
    return float(torch.sigmoid(scores).mean())


if __name__ == "__main__":
    kept = shipped_experiment(MODEL)
    keep_experiment(MODEL, train_arms(ARMS, SEEDS, RUNS, beside, kept=kept))
