"""Songs for tests: drawn at random, or by hypothesis."""

import numpy as np
from hypothesis import strategies as st

from symphony.song import Song


def random_song(seed=0, notes=80, spread=0.25):
    """Notes drawn at random on a 10 ms grid, no two of one pitch overlapping."""
    rng = np.random.default_rng(seed)
    onset = np.cumsum(np.round(rng.uniform(0.05, spread, notes), 2))
    return Song(onset, np.full(notes, 0.04), rng.integers(40, 90, notes), np.full(notes, 96))


@st.composite
def songs(draw, most=30):
    """Songs on the 10 ms grid, notes of one pitch never overlapping, velocities of 7 classes."""
    rows = []
    for pitch in draw(st.sets(st.integers(0, 127), min_size=1, max_size=8)):
        time = 0
        for _ in range(draw(st.integers(1, max(most // 8, 1)))):
            time += draw(st.integers(0, 300))
            length = draw(st.integers(1, 250))
            rows.append((time, length, pitch, draw(st.sampled_from([1, 3, 6, 12, 24, 48, 96]))))
            time += length
    onset, duration, pitch, velocity = np.array(rows).T
    return Song(onset * 0.01, duration * 0.01, pitch, velocity)


def random_tune(seed=0, bars=16):
    """A jig drawn at random, six eighths a bar: notes, beat and ABC text."""
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("DEFGABcdefg"), (bars, 6))
    pitches = dict(zip("DEFGABcdefg", (62, 64, 66, 67, 69, 71, 72, 74, 76, 78, 79), strict=True))
    body = "|".join("".join(bar) for bar in letters)
    at = np.arange(bars * 6) / 2
    return Song(
        at * 0.6,
        np.full(len(at), 0.3),
        [pitches[letter] for letter in letters.reshape(-1)],
        np.full(len(at), 80),
        onset_quarters=at,
        duration_quarters=np.full(len(at), 0.5),
        tempo=np.array([[0.0, 100.0]]),
        name=f"jig {seed}",
        abc=f"X:1\nT:jig {seed}\nM:6/8\nL:1/8\nK:G\n{body}|]\n",
    )
