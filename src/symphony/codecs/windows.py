"""Steps cut into short windows that begin with a note and end with a wait (chapter 10)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int, Int16

from symphony.codecs.steps import NEXT, StepCodec
from symphony.song import Song

END = 129  # fills a window that needs fewer rows


def song_windows(
    song: Song, codec: StepCodec, onsets: int, rows: int
) -> Int16[np.ndarray, "N rows 2"]:
    """A song as neighbouring windows of so many onsets each.

    All notes of an onset and the wait that follows belong together, so that no chord is cut. A
    melody's window of four onsets takes eight rows; what needs fewer than ``rows`` is filled with
    END, what needs more loses the notes before its last wait. Notes after the last whole window
    are left out. A performance is counted at its own tempo, as rolls count it.

    Raises:
        SongError: the song counts too far.
    """
    if song.onset_quarters is None:
        start, end = song.quarters_at(song.onset), song.quarters_at(song.end)
        song = replace(song, onset_quarters=start, duration_quarters=end - start)
    if not len(song):
        return np.empty((0, rows, 2), np.int16)
    steps = codec.encode(song)
    steps = np.vstack([steps, [NEXT, steps[-1, 1]]]).astype(np.int16)  # the last note has its wait
    waits = steps[:, 0] == NEXT
    begins = np.flatnonzero(~waits & np.append(True, waits[:-1]))
    count = len(begins) // onsets
    edges = np.append(begins, len(steps))[::onsets][: count + 1]
    out = np.full((count, rows, 2), (END, 1), np.int16)
    for window, start, end in zip(out, edges[:-1], edges[1:], strict=True):
        part = steps[start:end]
        window[: len(part)] = part[:rows]
        window[-1] = part[-1] if len(part) > rows else window[-1]
    return out


def join_windows(windows: Int[np.ndarray, "N rows 2"]) -> Int[np.ndarray, "t 2"]:
    """Windows one after another as steps, what fills them left out."""
    return np.asarray(windows)[windows[..., 0] != END]


def window_sixteenths(windows: Int[np.ndarray, "*N rows 2"]) -> Int[np.ndarray, " *N"]:
    """How long each window lasts: its waits together."""
    counted: np.ndarray = np.where(windows[..., 0] == NEXT, windows[..., 1], 0).sum(-1)
    return counted
