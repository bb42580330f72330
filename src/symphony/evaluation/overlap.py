"""Are two sets of pieces alike? Overlapping areas of feature distances (chapter 3).

Yang and Lerch, "On the evaluation of generative models in music", Neural Computing and
Applications, 2020. Their toolbox draws its two densities on two grids; here both stand on one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.spatial.distance import cdist, pdist
from scipy.stats import gaussian_kde

from symphony.errors import RequestError, SongError
from symphony.song import Song

GRID = 400  # points, the same for both densities
DURATIONS = 2.0 ** np.arange(-5, 4)  # seconds: edges of ten classes of note length


class Overlap(NamedTuple):
    """How alike two distributions of distances are.

    Attributes:
        area: shared area of the two densities, 0 to 1; NaN where a density doesn't exist.
        divergence: Kullback-Leibler divergence in nats from the sets' distances to the
            reference's own; NaN likewise.
    """

    area: float
    divergence: float


def features(song: Song) -> dict[str, Float64[np.ndarray, " k"]]:
    """The paper's features of one song: numbers, histograms and a transition matrix, flat.

    Raises:
        SongError: a song without notes.
    """
    if not len(song):
        raise SongError("A song without notes has no features.")
    pitch, classes = song.pitch.astype(np.int64), song.pitch % 12
    waits = np.diff(np.unique(np.round(song.onset, 2)))
    moves = np.zeros((12, 12))
    np.add.at(moves, (classes[:-1], classes[1:]), 1)
    lengths = np.bincount(np.searchsorted(DURATIONS, song.duration), minlength=len(DURATIONS) + 1)
    return {
        "pitches used": np.array([float(len(np.unique(pitch)))]),
        "pitch range": np.array([float(np.ptp(pitch))]),
        "mean interval": np.array([float(np.abs(np.diff(pitch)).mean()) if len(pitch) > 1 else 0]),
        "notes": np.array([float(len(song))]),
        "mean wait": np.array([float(waits.mean()) if len(waits) else 0.0]),
        "pitch classes": np.bincount(classes, minlength=12) / len(song),
        "pitch-class moves": moves.ravel() / max(len(song) - 1, 1),
        "note lengths": lengths / len(song),
    }


def overlap_of(samples: Sequence[Song], reference: Sequence[Song]) -> dict[str, Overlap]:
    """For each feature: distances from samples to the reference against those within it.

    Raises:
        RequestError: fewer than three pieces on either side.
        SongError: a song without notes.
    """
    if min(len(samples), len(reference)) < 3:
        raise RequestError(
            f"Two sets of at least three pieces can be compared, not {len(samples)} and "
            f"{len(reference)}."
        )
    ours, theirs = [features(s) for s in samples], [features(s) for s in reference]
    found = {}
    for name in ours[0]:
        a, b = np.array([f[name] for f in ours]), np.array([f[name] for f in theirs])
        found[name] = overlapping_area(cdist(a, b).ravel(), pdist(b))
    return found


def overlapping_area(
    between: Float64[np.ndarray, " n"], within: Float64[np.ndarray, " m"]
) -> Overlap:
    """The area under the lower of two kernel density estimates, and their divergence.

    Both are evaluated on one grid that reaches three bandwidths beyond all distances, and
    scaled to sum to one on it. Undefined where all distances of a set are equal.
    """
    if np.ptp(between) < 1e-12 or np.ptp(within) < 1e-12:
        return Overlap(float("nan"), float("nan"))
    densities = [gaussian_kde(between), gaussian_kde(within)]
    reach = 3 * max(float(np.sqrt(d.covariance[0, 0])) for d in densities)
    low, high = min(between.min(), within.min()) - reach, max(between.max(), within.max()) + reach
    grid = np.linspace(low, high, GRID)
    p, q = (np.maximum(d(grid), 1e-300) for d in densities)
    p, q = p / p.sum(), q / q.sum()
    return Overlap(float(np.minimum(p, q).sum()), float((p * np.log(p / q)).sum()))
