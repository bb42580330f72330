from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.errors import RequestError, SongError
from symphony.rendering.scoring import piano_score, quantized, voices
from symphony.song import Song


def written(rows, **more):
    """A song from (onset, duration, pitch) in quarters, at 120 a minute."""
    onset, duration, pitch = (np.array(a) for a in zip(*rows, strict=True))
    return Song(
        onset * 0.5,
        duration * 0.5,
        pitch,
        np.full(len(pitch), 64),
        onset_quarters=onset,
        duration_quarters=duration,
        **more,
    )


def sounding(score):
    """What a score says: (onset, duration, pitch) of every note, ties put together."""
    found = []
    for part in score.parts:
        for note in part.stripTies().flatten().notes:
            found += [
                (F(note.offset), F(note.duration.quarterLength), pitch.midi)
                for pitch in note.pitches
            ]
    return sorted(found)


def test_quantizing_by_hand():
    onset, duration = quantized(np.array([0.02, 1.24, 0.34, 2.0]), np.array([1, 0.49, 0.3, 0.01]))
    assert onset == [0, F(5, 4), F(1, 3), 2]
    assert duration == [1, F(1, 2), F(1, 3), F(1, 4)]


def test_two_voices_keep_their_lengths():
    rows = [
        (F(0), F(2), 72),
        (F(0), F(1), 64),
        (F(1), F(1), 65),
        (F(2), F(1), 60),
        (F(2), F(1), 64),
    ]
    upper, lower = voices(rows)
    assert upper == [(0, 2, (72,)), (2, 1, (60, 64))]
    assert lower == [(0, 1, (64,)), (1, 1, (65,))]


GRID = st.integers(0, 24).map(lambda n: F(n, 4))
LENGTH = st.integers(1, 12).map(lambda n: F(n, 4))


@given(st.lists(st.tuples(GRID, LENGTH, st.integers(40, 80)), max_size=20))
def test_voices_never_overlap_and_lose_no_pitch(rows):
    lines = voices(rows)
    assert len(lines) <= 2
    for line in lines:
        assert all(a[0] + a[1] <= b[0] for a, b in pairwise(line))
        assert all(length > 0 for _, length, _ in line)
    struck = {(begin, pitch) for line in lines for begin, _, keys in line for pitch in keys}
    assert struck == {(begin, pitch) for begin, _, pitch in rows}


@pytest.mark.parametrize("meter", ["4/4", "3/4", "6/8"])
def test_what_is_written_is_what_was_played(meter):
    rows = [(0, 1, 60), (1, 2.5, 64), (3.5, 0.25, 65), (3.75, 1.25, 67), (0, 3, 48), (3, 2, 50)]
    score = piano_score(written(rows), None, meter, 0.0)
    assert sounding(score) == sorted((F(o), F(d), p) for o, d, p in rows)


def test_a_pickup_comes_before_the_first_bar_line():
    score = piano_score(written([(0, 1, 67), (1, 4, 72)]), None, "4/4", 1.0)
    first, second = score.parts[0].getElementsByClass("Measure")
    assert [n.pitch.midi for n in first.flatten().notes] == [67]
    assert [(n.pitch.midi, n.quarterLength) for n in second.flatten().notes] == [(72, 4)]
    assert first.number == 0


def test_measures_cut_what_comes_after():
    score = piano_score(written([(0, 4, 60), (4, 8, 62), (12, 4, 64)]), 2, "4/4", 0.0)
    assert sounding(score) == [(0, 4, 60), (4, 4, 62)]


@pytest.mark.parametrize(
    ("transpose", "sharps", "names"),
    [(0, 0, {"C", "D", "E", "F", "G", "A", "B"}), (3, -3, {"E-", "F", "G", "A-", "B-", "C", "D"})],
)
def test_the_key_names_the_notes(transpose, sharps, names):
    scale = [60, 64, 67, 72, 71, 69, 67, 65, 64, 62, 60, 60, 67, 60]
    song = written([(i, 1, p + transpose) for i, p in enumerate(scale)])
    score = piano_score(song, None, "4/4", 0.0)
    assert score.flatten().getElementsByClass("KeySignature").first().sharps == sharps
    assert {n.pitch.name for n in score.flatten().notes} == names


@pytest.mark.parametrize("pitch", range(24, 100))
def test_spelling_never_changes_the_sound(pitch):
    for tonic in range(0, 12, 5):
        chord = [(0, 4, 48 + tonic), (0, 4, 52 + tonic), (4, 4, 55 + tonic), (8, 1, pitch)]
        assert pitch in {p for _, _, p in sounding(piano_score(written(chord), None, "4/4", 0))}


def test_what_cannot_be_written():
    performance = Song([0.0], [1.0], [60], [64], name="Live")
    with pytest.raises(SongError, match=r"Live is a performance.*piano_roll"):
        piano_score(performance, 8, "4/4", 0.0)
    tune = written([(0, 1, 60)])
    with pytest.raises(RequestError, match="not a time signature"):
        piano_score(tune, 8, "waltz", 0.0)
    with pytest.raises(RequestError, match="pickup"):
        piano_score(tune, 8, "3/4", 3.0)
    with pytest.raises(RequestError, match="more than 400 measures"):
        piano_score(written([(0, 1, 60), (5000, 1, 60)]), None, "4/4", 0.0)
