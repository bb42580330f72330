"""Does a conditional model play what is requested? (chapter 3)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from symphony.codecs import Plan, scale_histogram
from symphony.codecs.events import NAMES
from symphony.song import Song
from symphony.training import Trained


@dataclass(frozen=True)
class Controlled:
    """What was requested of some pieces and what they turned out to be, a row a piece.

    Attributes:
        pitch, density: levels requested.
        histogram: shares of the pitch classes requested.
        mean_pitch: MIDI pitch, mean over a piece's notes.
        notes_per_second: notes of a piece by its length.
        shares: shares of the pitch classes among its notes.
        in_key: share of its notes whose pitch class was requested at all.
        songs: the pieces.
    """

    pitch: Float64[np.ndarray, " n"]
    density: Float64[np.ndarray, " n"]
    histogram: Float64[np.ndarray, "n 12"]
    mean_pitch: Float64[np.ndarray, " n"]
    notes_per_second: Float64[np.ndarray, " n"]
    shares: Float64[np.ndarray, "n 12"]
    in_key: Float64[np.ndarray, " n"]
    songs: tuple[Song, ...]


def random_plans(count: int, seed: int = 0) -> list[Plan]:
    """Plans that hold a register from 1 to 8, a density from 1 to 8 and one of 24 keys.

    The three are drawn independently: what follows one can't come from another.
    """
    rng = np.random.default_rng(seed)
    keys = [f"{NAMES[k % 12]} {'major' if k < 12 else 'minor'}" for k in range(24)]
    return [
        Plan(
            (float(rng.integers(1, 9)),),
            (float(rng.integers(1, 9)),),
            (tuple(scale_histogram(keys[rng.integers(24)])),),
        )
        for _ in range(count)
    ]


def requested_and_achieved(
    trained: Trained, plans: Sequence[Plan], *, seconds: float = 20.0, seed: int = 0
) -> Controlled:
    """Let a model play one piece for each plan, and measure the pieces.

    Args:
        trained: a conditional model.
        plans: each with one level of pitch, one of density and one histogram.
        seconds: how long each piece is.
        seed: decides what is drawn.

    Raises:
        RequestError: a model that follows no plan.
    """
    songs = trained.compose(seconds, seed=seed, batch=len(plans), plan=plans)
    histogram = np.array([plan.histograms[0] for plan in plans])
    counts = np.array([np.bincount(song.pitch % 12, minlength=12) for song in songs])
    shares = counts / counts.sum(axis=1, keepdims=True)
    return Controlled(
        pitch=np.array([plan.pitch[0] for plan in plans]),
        density=np.array([plan.density[0] for plan in plans]),
        histogram=histogram,
        mean_pitch=np.array([song.pitch.mean() for song in songs]),
        notes_per_second=np.array([len(song) / seconds for song in songs]),
        shares=shares,
        in_key=(shares * (histogram > 0)).sum(axis=1),
        songs=tuple(songs),
    )
