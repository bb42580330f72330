"""What a run is made of: one token an onset, blind to key and tempo (chapter 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt64

from symphony.song import Song

TOGETHER = 0.03  # seconds: notes this close belong to one onset
# A random number for each distance from the previous top note; sums of them are hashes of sets.
HASHES = np.random.default_rng(20180101).integers(0, 2**64, 256, dtype=np.uint64)


@dataclass(frozen=True)
class Onsets:
    """A song as a string of tokens, each naming one onset relative to the one before.

    Token i is about onset i + 1: the set of pitches struck there, counted from the top note of
    onset i. So a copy in another key has the same tokens. Tempo enters nowhere; ``rhythm``
    holds for each token how the time since the last onset compares with the one before it.

    Attributes:
        tokens: hashes of those sets, one fewer than there are onsets.
        rhythm: classes -2 to 2 of the ratio of successive inter-onset times, in octaves.
        times: when each onset begins, in seconds.
        first_note: index of each onset's first note in the song, and the note count at the end.
        top: the highest pitch struck at each onset.
    """

    tokens: UInt64[np.ndarray, " n-1"]
    rhythm: Int64[np.ndarray, " n-1"]
    times: Float64[np.ndarray, " n"]
    first_note: Int64[np.ndarray, " n+1"]
    top: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.tokens)


def onsets(song: Song) -> Onsets:
    """The onset tokens of a song. A rolled chord, each note within 30 ms of the last, is one."""
    starts = np.append(True, np.diff(song.onset) > TOGETHER + 1e-9)[: len(song)]
    first = np.flatnonzero(starts)
    group = np.cumsum(starts) - 1
    pitch = song.pitch.astype(np.int64)
    top = np.maximum.reduceat(pitch, first) if len(first) else np.empty(0, np.int64)
    struck = np.unique(group * 128 + pitch)  # a unison counts once
    of, what = struck // 128, struck % 128
    later = of > 0
    tokens = np.zeros(max(len(first) - 1, 0), np.uint64)
    np.add.at(tokens, of[later] - 1, HASHES[what[later] - top[of[later] - 1] + 128])
    times = song.onset[first]
    waits = np.maximum(np.diff(times), 1e-3)
    ratio = np.append(1.0, waits[1:] / waits[:-1])[: len(tokens)]
    rhythm = np.clip(np.round(np.log2(ratio)), -2, 2).astype(np.int64)
    return Onsets(tokens, rhythm, times, np.append(first, len(song)), top)


def beginning(song: Song, count: int) -> Song:
    """A song's first ``count`` onsets; all of a song that has no more."""
    times = onsets(song).times
    return song.slice(0.0, times[count]) if len(times) > count else song


def grams(tokens: UInt64[np.ndarray, " n"], size: int) -> UInt64[np.ndarray, " n-size+1"]:
    """A hash of every run of ``size`` tokens."""
    count = max(len(tokens) - size + 1, 0)
    out = np.zeros(count, np.uint64)
    for i in range(size):
        out = out * np.uint64(6364136223846793005) + tokens[i : i + count]
        out ^= out >> np.uint64(29)
    return out
