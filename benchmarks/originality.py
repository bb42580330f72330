"""Originality against a thousand pieces, beside the textbook loop and bare rapidfuzz."""

import time

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from benchmarks.common import Row, side_by_side
from symphony.evaluation import OriginalityIndex, whole_lcs
from symphony.evaluation.lcs import pitch_text
from symphony.song import Song

PIECES, NOTES = 1000, 1000


def walk(seed: int) -> Song:
    rng = np.random.default_rng(seed)
    pitch = 40 + np.abs(np.cumsum(rng.integers(-4, 5, NOTES)) % 90 - 45)
    return Song(np.cumsum(rng.uniform(0.1, 0.4, NOTES)), [0.1] * NOTES, pitch, [80] * NOTES)


def textbook(a: list[int], b: list[int]) -> int:
    before = [0] * (len(b) + 1)
    for x in a:
        row = [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(row[j], before[j + 1]))
        before = row
    return before[-1]


def measure() -> list[Row]:
    songs, query = [walk(i) for i in range(PIECES)], walk(PIECES)
    texts, text = [pitch_text(song) for song in songs], pitch_text(query)
    ours, bare = side_by_side(
        lambda: whole_lcs(query, texts),
        lambda: process.cdist([text], texts, scorer=LCSseq.similarity, workers=1),
    )
    begun = time.perf_counter()
    common = textbook(query.pitch.tolist(), songs[0].pitch.tolist())
    slow = (time.perf_counter() - begun) * PIECES
    assert common == round(whole_lcs(query, texts[:1])[0] * NOTES)
    index = OriginalityIndex(songs)
    index.nearest(query)
    (full,) = side_by_side(lambda: index.nearest(query))
    return [
        ("LCS with 1,000 pieces: times the textbook loop's speed", slow / ours, ">=", 1000),
        ("LCS with 1,000 pieces: of bare rapidfuzz's time", ours / bare, "<=", 2.0),
        ("nearest of 1,000 pieces, all measures: of a second", full, "<=", 1.0),
    ]
