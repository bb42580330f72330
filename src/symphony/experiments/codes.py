"""What chapter 10 asks of sequential autoencoders: where decoding breaks, what codes are like."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch

from symphony.systems.seqae.network import targets
from symphony.systems.seqae.system import decoded, right
from symphony.systems.seqae.walks import WalkControls, walk
from symphony.training import Data, Trained

WALKS, WINDOWS = 20, 300  # random walks, and windows of each: about six minutes of a melody


def code_measures(trained: Trained, data: Data) -> dict[str, Any]:
    """Both of the following, for :func:`symphony.experiments.train_arms`."""
    return accuracy_by_position(trained, data) | {"repeated": repeated_windows(trained)}


def repeated_windows(trained: Trained, flips: int = 2) -> float:
    """The share of a random walk's windows that were played before, note for note.

    The mean of 20 walks of 300 windows each.
    """
    net, shares = trained.nets["autoencoder"], []
    for seed in range(WALKS):
        rng = np.random.default_rng(seed)
        start = rng.integers(0, net.config.levels, net.config.digits)
        codes = islice(walk(start, net.config.levels, WalkControls(flips=flips), rng), WINDOWS)
        windows = decoded(net, np.stack(list(codes))).reshape(WINDOWS, -1)
        shares.append(1 - len(np.unique(windows, axis=0)) / WINDOWS)
    return float(np.mean(shares))


@torch.inference_mode()
def accuracy_by_position(trained: Trained, data: Data, split: str = "test") -> dict[str, Any]:
    """How many tokens of unseen windows come back, by their place in the window.

    Args:
        trained: a sequential autoencoder.
        data: encoded music, as its run keeps it.
        split: whose windows.

    Returns:
        ``real`` (decoded from c') and ``digits`` (from c), each with ``forced`` and ``free``: a
        share for each row, fed with the truth and with itself; NaN where no window has the row.
    """
    net, recipe = trained.nets["autoencoder"], trained.recipe
    part = data.arrays[split]["windows"][: recipe.validation_windows]
    windows = torch.from_numpy(np.asarray(part).astype(np.int64))
    code = net.encoder(windows)[..., : recipe.network.digits]
    counted = targets(windows)[0] >= 0
    pairs = {"real": (net.decoder, code), "digits": (net.digit_decoder, net.quantize(code))}
    found: dict[str, Any] = {}
    for name, (decoder, codes) in pairs.items():
        hits = zip(("forced", "free"), right(decoder, codes, windows), strict=True)
        found[name] = {how: ((hit & counted).sum(0) / counted.sum(0)).tolist() for how, hit in hits}
    return {"by_position": found}
