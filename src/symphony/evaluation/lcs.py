"""Longest common subsequence of note-on pitches: the original report's measure, and a windowed one.

A subsequence may skip notes, so against a long song it finds a lot in anything: the original's
whole-song number hardly separates a copy from unseen music. Chapter 1 shows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from symphony.song import Song

WINDOW = 64  # notes


def pitch_text(song: Song) -> str:
    """A song's note-on pitches as characters, which rapidfuzz compares fastest."""
    return song.pitch.tobytes().decode("latin-1")


def whole_lcs(song: Song, texts: Sequence[str]) -> Float64[np.ndarray, " pieces"]:
    """LCS of note-on pitches with each text, divided by the shorter of the two; 0 where empty."""
    from rapidfuzz import process
    from rapidfuzz.distance import LCSseq

    if not texts:
        return np.empty(0)
    text = pitch_text(song)
    common = process.cdist([text], texts, scorer=LCSseq.similarity, workers=1)[0]
    shorter = np.array([min(len(text), len(other)) for other in texts])
    return common / np.maximum(shorter, 1)


def windowed_lcs(song: Song, piece: Song, semitones: int = 0) -> float:
    """The highest LCS of any 64 notes of one with any 64 of the other, as a share of 64.

    Windows move by half; a song shorter than a window is one window, and the share is of the
    shorter. ``semitones`` is added to the song's pitches first, to undo a transposition.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import LCSseq

    mine = "".join(chr(max(int(p) + semitones, 0)) for p in song.pitch)
    windows = [_windows(text) for text in (mine, pitch_text(piece))]
    if not all(windows):
        return 0.0
    common = process.cdist(windows[0], windows[1], scorer=LCSseq.similarity, workers=1)
    return float(common.max() / min(len(windows[0][0]), len(windows[1][0])))


def _windows(text: str) -> list[str]:
    last = max(len(text) - WINDOW, 0)
    return [text[i : i + WINDOW] for i in [*range(0, last, WINDOW // 2), last] if text]
