"""Does a passage come back? The structure indicator (chapter 3).

Wu and Yang, "The Jazz Transformer on the front line", ISMIR 2020, on the fitness of segments by
Müller, Jiang and Grosche, "A robust fitness measure for capturing repetitions in music
recordings", IEEE TASLP 2013. Chroma comes from the notes, so nothing is lost to audio.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from symphony.song import Song

FRAMES = 2  # a second
KEPT, PENALTY = 0.15, -2.0  # of all similarities, the share that counts; what others cost
SHORT, MIDDLE, LONG = (3.0, 8.0), (8.0, 15.0), (15.0, np.inf)  # seconds
MOST = 600  # frames: five minutes
BLOCK = 1_000_000  # notes times frames looked at together: bounds the memory


def structure_indicator(song: Song, span: tuple[float, float] = SHORT) -> float:
    """The highest fitness of any segment whose length lies in ``span``, from 0 to 1.

    A segment is fit when it comes back often (coverage) and alike (score); repeating itself
    once counts nothing. Only the first five minutes are looked at.

    Args:
        song: any song.
        span: shortest and longest segment in seconds; the paper's are SHORT, MIDDLE and LONG.

    Returns:
        The indicator; NaN for a song not twice as long as the shortest segment.
    """
    similar = self_similarity(chroma(song, MOST))
    lengths = range(max(round(span[0] * FRAMES), 1), min(int(span[1] * FRAMES), len(similar)) + 1)
    if len(similar) < 2 * lengths.start or not lengths:
        return float("nan")
    return max(float(fitness(similar, length).max()) for length in lengths)


def chroma(song: Song, most: int | None = None) -> Float64[np.ndarray, "n 12"]:
    """Seconds that each pitch class sounds in each half second, of the first ``most`` or all."""
    count = int(np.ceil(song.seconds * FRAMES))
    count = count if most is None else min(count, most)
    edges = np.arange(count + 1) / FRAMES
    out = np.zeros((count, 12))
    block = max(BLOCK // max(count, 1), 1)
    for at in range(0, int(np.searchsorted(song.onset, edges[-1])), block):
        notes = slice(at, at + block)
        first = np.maximum(song.onset[notes, None], edges[:-1])
        seconds = np.minimum(song.end[notes, None], edges[1:]) - first  # of each note in each frame
        np.add.at(out.T, song.pitch[notes] % 12, np.maximum(seconds, 0.0))
    return out


def self_similarity(features: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "n n"]:
    """Cosine similarity; the highest 15 % scaled to 0 to 1, a penalty of -2 elsewhere.

    Every frame is like itself, silence included.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(length, 1e-12)
    similar = unit @ unit.T
    if not similar.size:
        return similar
    bound = np.quantile(similar, 1 - KEPT)
    top = similar.max()
    scaled = (similar - bound) / (top - bound) if top > bound else np.ones_like(similar)
    out = np.where(similar >= bound, scaled, PENALTY)
    np.fill_diagonal(out, 1.0)
    return out


def fitness(similar: Float64[np.ndarray, "n n"], length: int) -> Float64[np.ndarray, " s"]:
    """The fitness of every segment of ``length`` frames, by where it begins.

    For each segment the best *path family* is found: repeats of the segment, one after the
    other along the piece, each a path of steps (1, 1), (1, 2) or (2, 1). With score s, cells c
    and covered frames g over all of them: normalised score (s - length) / c, normalised
    coverage (g - length) / n, fitness their harmonic mean.
    """
    n = len(similar)
    starts = np.arange(n - length + 1)
    # columns[f, s, m]: likeness of frame f to frame m of the segment that begins at s.
    columns = np.lib.stride_tricks.sliding_window_view(similar, length, axis=1)
    none = np.full((len(starts), length), -np.inf)
    zero = np.zeros_like(none)
    # Of the best way to each cell: score, cells passed, frame its path began, frames covered.
    scores, cells, begun, covered = [none] * 2, [zero] * 2, [zero] * 2, [zero] * 2
    rest = np.zeros((3, len(starts)))  # between repeats: score, cells, frames covered
    for frame in range(n):
        here = columns[frame]
        ways = np.full((3, *none.shape), -np.inf)
        ways[0, :, 1:] = scores[-1][:, :-1]  # from (1, 1)
        ways[1, :, 1:] = scores[-2][:, :-1]  # from (2, 1)
        ways[2, :, 2:] = scores[-1][:, :-2]  # from (1, 2)
        choice = ways.argmax(axis=0)
        new = [np.max(ways, axis=0) + here]
        for table in (cells, begun, covered):
            moved = np.zeros((3, *none.shape))
            moved[0, :, 1:], moved[1, :, 1:] = table[-1][:, :-1], table[-2][:, :-1]
            moved[2, :, 2:] = table[-1][:, :-2]
            new.append(np.take_along_axis(moved, choice[None], axis=0)[0])
        new[1] += 1
        new[0][:, 0], new[1][:, 0] = rest[0] + here[:, 0], rest[1] + 1
        new[2][:, 0], new[3][:, 0] = frame, rest[2]
        ended = new[0][:, -1] > rest[0]  # a repeat that is worth it ends here
        last = np.stack([new[0][:, -1], new[1][:, -1], new[3][:, -1] + frame - new[2][:, -1] + 1])
        rest = np.where(ended, last, rest)
        for table, row in zip((scores, cells, begun, covered), new, strict=True):
            table.append(row)
            table.pop(0)
    score = np.maximum(rest[0] - length, 0) / np.maximum(rest[1], 1)
    coverage = np.maximum(rest[2] - length, 0) / n
    return 2 * score * coverage / np.maximum(score + coverage, 1e-12)
