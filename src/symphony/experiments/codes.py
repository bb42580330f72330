"""What chapter 10 asks of sequential autoencoders: where decoding breaks, what codes are like."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from symphony.experiments.walks import last_note
from symphony.systems.seqae.network import targets
from symphony.systems.seqae.system import decoded, right
from symphony.systems.seqae.walks import WalkControls, walk
from symphony.training import Data, Trained

WALKS, WINDOWS = 20, 300  # random walks, and windows of each: about six minutes of a melody


def code_measures(trained: Trained, data: Data) -> dict[str, Any]:
    """All of the following, for :func:`symphony.experiments.train_arms`."""
    walks = random_walks(trained)
    found = {"repeated": repeated_windows(walks), "leap": window_leaps(walks)}
    return accuracy_by_position(trained, data) | found


def random_walks(trained: Trained, flips: int = 2) -> Int64[np.ndarray, "20 300 T 2"]:
    """Windows of 20 random walks, 300 each."""
    net, found = trained.nets["autoencoder"], []
    for seed in range(WALKS):
        rng = np.random.default_rng(seed)
        start = rng.integers(0, net.config.levels, net.config.digits)
        codes = islice(walk(start, net.config.levels, WalkControls(flips=flips), rng), WINDOWS)
        found.append(decoded(net, np.stack(list(codes))))
    return np.stack(found)


def repeated_windows(walks: Int64[np.ndarray, "W N T 2"]) -> float:
    """The share of a walk's windows that were played before, note for note; the walks' mean."""
    count = walks.shape[1]
    rows = walks.reshape(len(walks), count, -1)
    return float(np.mean([1 - len(np.unique(each, axis=0)) / count for each in rows]))


def window_leaps(walks: Int64[np.ndarray, "W N T 2"]) -> float:
    """Semitones from a window's last note to the next one's first, the mean of all."""
    what = walks[..., 0]
    last = np.take_along_axis(what, last_note(what)[..., None], -1)[..., 0]
    return float(np.abs(what[:, 1:, 0] - last[:, :-1]).mean())


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
