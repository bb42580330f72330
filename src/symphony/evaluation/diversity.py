"""Do pieces differ from each other, or is one written again and again? (chapters 3 and 4)"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from symphony.evaluation.onsets import grams, onsets
from symphony.song import Song


def distinct(songs: Sequence[Song], size: int = 4) -> float:
    """Different runs of ``size`` onsets among all songs, as a share of all runs.

    Li et al., "A diversity-promoting objective function", NAACL 2016, on the onset tokens that
    originality uses: transposed, a run is the same. NaN where no song is long enough.
    """
    runs = np.concatenate([grams(onsets(song).tokens, size) for song in songs])
    return len(np.unique(runs)) / len(runs) if len(runs) else float("nan")


def pairwise_diversity(songs: Sequence[Song], size: int = 4) -> float:
    """One minus the share of runs that two songs have in common, over all pairs.

    Jaccard distance of their sets of runs of ``size`` onsets: 0 where all songs are the same, 1
    where no two share anything. NaN below two songs that are long enough.
    """
    sets = [np.unique(grams(onsets(song).tokens, size)) for song in songs]
    sets = [each for each in sets if len(each)]
    if len(sets) < 2:
        return float("nan")
    distances = []
    for a, b in combinations(sets, 2):
        common = len(np.intersect1d(a, b, assume_unique=True))
        distances.append(1 - common / (len(a) + len(b) - common))
    return float(np.mean(distances))
