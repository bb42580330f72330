"""Chapter 2's search: which shape and which settings learn the chorales best in four minutes?

Each setting trains for the same time on one thread, its learning rate rising for fifty steps and
falling along a cosine to a fiftieth, as the recipe's would if it were that short; validation
judges. It is a small search by hand: the first round varied the rate and the window, the second
what the first had left open. The result lies beside the shipped weights, for the chapter to show.

Run it with ``python book/search_char_rnn.py``; settings that are done are not repeated. The tries
that are kept ran two at a time, on two cores with other work beside them: differences of a few
hundredths mean nothing. Two more, 384 cells and a dropout of .1 with windows of 256, were broken
off after a minute, when the shorter window had won.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from symphony import load_corpus
from symphony.experiments import shipped_folder
from symphony.files import written
from symphony.systems import recipe, system
from symphony.systems.char_rnn.network import CharLSTMConfig
from symphony.systems.streams import draw_windows
from symphony.training.system import descend

MINUTES, WARMUP = 4.0, 50
KEPT = shipped_folder("char-rnn") / "search.json"
FIRST = {"layers": 2, "hidden": 256, "dropout": 0.25, "lr": 2e-3, "window": 256, "batch": 32}
SETTINGS: list[dict[str, Any]] = [
    FIRST | changed
    for changed in (
        {},
        {"lr": 4e-3},
        {"lr": 4e-3, "window": 128},
        {"lr": 4e-3, "window": 128, "batch": 64},
        {"lr": 4e-3, "window": 128, "batch": 16},
        {"lr": 4e-3, "window": 64},
        {"lr": 8e-3, "window": 128},
        {"lr": 4e-3, "window": 128, "dropout": 0.1},
        {"lr": 4e-3, "window": 128, "hidden": 384},
        {"lr": 4e-3, "window": 128, "layers": 1, "hidden": 512},
    )
]


def trained_for(minutes: float, setting: dict[str, Any]) -> dict[str, Any]:
    """A setting, and what it reached in so many minutes of training."""
    shape = (setting["layers"], setting["hidden"], 128, setting["dropout"])
    chosen = replace(recipe("char-rnn"), network=CharLSTMConfig(*shape))
    chosen = replace(chosen, window=setting["window"], batch=setting["batch"])
    learner = system(chosen)
    data = learner.encode(load_corpus(chosen.corpus, progress=False))
    torch.manual_seed(0)
    nets = learner.build(data)
    optimizer, used, step = learner.optimizers(nets)["network"], 0.0, 0
    while used < 60 * minutes:
        begun, done = time.perf_counter(), used / (60 * minutes)
        falling = 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2
        torch.manual_seed(step)
        tokens = torch.from_numpy(draw_windows(data.train["symbols"], chosen, step))
        logits, _ = nets.train()["network"](tokens[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        rate = setting["lr"] * falling * min(1, (step + 1) / WARMUP)
        descend(loss, optimizer, lr=rate, clip=chosen.clip)
        step, used = step + 1, used + time.perf_counter() - begun
    nats = learner.loss(nets, data.arrays["validation"]["symbols"])
    found = {"steps": step, "train": round(loss.item(), 4), "validation": round(nats, 4)}
    return setting | found


def main() -> None:
    """See the module's docstring."""
    torch.set_num_threads(1)
    rows = json.loads(KEPT.read_text()) if KEPT.is_file() else []
    for setting in SETTINGS:
        if any(setting.items() <= row.items() for row in rows):
            continue
        rows.append(trained_for(MINUTES, setting))
        print(rows[-1])
        with written(KEPT) as partial:
            partial.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
