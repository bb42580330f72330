"""How a model should draw: temperature and top-p, chosen on validation music (chapter 2)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from symphony.corpora import Corpus
from symphony.errors import RequestError
from symphony.experiments.scores import MUSICAL, real_windows
from symphony.training import Trained

TEMPERATURES, TOP_PS = (0.8, 0.9, 1.0), (0.9, 0.95, 1.0)


def choose_drawing(
    trained: Trained, corpus: Corpus, *, samples: int = 64, seconds: float = 30.0, seed: int = 1000
) -> dict[str, Any]:
    """The temperature and top-p whose pieces are most like validation music.

    Of each statistic of a piece (:data:`MUSICAL`) the mean over the samples is compared with that
    over windows of validation pieces, in standard deviations of the latter. The distance of a
    setting is the mean over the statistics. The likelihood can't choose: it knows no sampling.

    Args:
        trained: a model of symbols.
        corpus: the one it learned from; its test split is not touched.
        samples, seconds, seed: pieces at each setting, how long, drawn by which seed.

    Returns:
        ``defaults``, a card's; and ``rows``, one for each setting that leaves no piece silent, each
        with ``temperature``, ``top_p``, ``distance`` and the mean of each statistic, the last of
        validation music.

    Raises:
        RequestError: silence at every setting.
    """
    codec = trained.recipe.codec
    # As the model could have written them: on its grid, in its classes of loudness.
    real = [
        codec.decode(codec.encode(song))
        for song in real_windows(corpus.validation, samples, seconds, seed)
    ]
    wanted = {name: np.array([measure(s) for s in real]) for name, measure in MUSICAL.items()}
    rows: list[dict[str, Any]] = []
    for temperature, top_p in product(TEMPERATURES, TOP_PS):
        how = {"temperature": temperature, "top_p": top_p}
        try:
            songs = trained.compose(seconds, batch=samples, seed=seed, **how)
        except RequestError:  # drawn so boldly or so meekly, one of its pieces is silent
            continue
        means = {
            n: float(np.nanmean([measure(s) for s in songs])) for n, measure in MUSICAL.items()
        }
        gaps = [abs(means[n] - np.nanmean(w)) / max(np.nanstd(w), 1e-9) for n, w in wanted.items()]
        rows.append({**how, "distance": float(np.mean(gaps)), **means})
    if not rows:
        raise RequestError(f"{trained.name} falls silent at every setting: train it longer.")
    best = min(rows, key=lambda row: row["distance"])
    unseen = {name: float(np.nanmean(values)) for name, values in wanted.items()}
    return {
        "defaults": {key: best[key] for key in ("temperature", "top_p")},
        "rows": [*rows, {"temperature": None, "top_p": None, "distance": 0.0, **unseen}],
    }
