import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import songs

from symphony.evaluation import (
    empty_beat_rate,
    groove_consistency,
    notes_per_second,
    pitch_class_entropy,
    polyphony,
    scale_consistency,
)
from symphony.song import Song

EVERY = (
    pitch_class_entropy,
    scale_consistency,
    groove_consistency,
    empty_beat_rate,
    polyphony,
    notes_per_second,
)


def melody(*rows):
    """Notes as (onset, duration) in quarters and a pitch, at 120 quarters a minute."""
    onset, duration, pitch = np.array(rows, dtype=float).T
    return Song(
        onset / 2,
        duration / 2,
        pitch.astype(int),
        np.full(len(pitch), 80),
        onset_quarters=onset,
        duration_quarters=duration,
    )


def test_entropy_worked_by_hand():
    # C twice, E once, G once: 1/2 log 2 + 2 * 1/4 log 4 = 1.5 bits.
    song = melody((0, 1, 60), (1, 1, 72), (2, 1, 64), (3, 1, 67))
    assert pitch_class_entropy(song) == pytest.approx(1.5)
    assert pitch_class_entropy(melody(*[(i, 1, 60 + i) for i in range(12)])) == pytest.approx(
        np.log2(12)
    )


def test_scale_consistency_worked_by_hand():
    # C D E F# A: no scale holds C and F# but F-less ones; G major has C D E F# A: all five.
    assert scale_consistency(melody(*[(i, 1, p) for i, p in enumerate((60, 62, 64, 66, 69))])) == 1
    # Twelve tones: a scale has seven of them.
    chromatic = melody(*[(i, 1, 60 + i) for i in range(12)])
    assert scale_consistency(chromatic) == pytest.approx(7 / 12)


def test_groove_worked_by_hand():
    # Bar 1: onsets at steps 0 and 4; bar 2: at 0 and 8; bar 3 as bar 2. Bars differ at 2 and 0
    # of 16 steps: 1 - 2 / 32.
    song = melody(
        (0, 1, 60), (1, 1, 62), (4, 1, 60), (6, 1, 62), (8, 1, 60), (10, 1, 62)
    )  # fmt: skip
    assert groove_consistency(song) == pytest.approx(1 - 2 / 32)
    assert np.isnan(groove_consistency(melody((0, 1, 60), (3, 1, 60))))


def test_empty_beats_worked_by_hand():
    song = melody((0, 1, 60), (3, 0.25, 62))  # beats 2 and 3 of 4 are empty
    assert empty_beat_rate(song) == pytest.approx(0.5)
    assert empty_beat_rate(melody((0, 4, 60))) == 0


def test_polyphony_worked_by_hand():
    # One sixteenth alone, three of two together, then silence, then one alone.
    song = melody((0, 1, 60), (0.25, 0.75, 64), (2, 0.25, 67))
    assert polyphony(song) == pytest.approx((1 + 3 * 2 + 1) / 5)


def test_notes_per_second_worked_by_hand():
    assert notes_per_second(melody((0, 1, 60), (1, 3, 62))) == pytest.approx(2 / 2.0)


@given(songs(), st.integers(-12, 12))
def test_another_key_changes_nothing(song, semitones):
    low, high = int(song.pitch.min()), int(song.pitch.max())
    semitones = int(np.clip(semitones, -low, 127 - high))
    moved = song.transposed(semitones)
    for measure in EVERY:
        assert measure(moved) == pytest.approx(measure(song), nan_ok=True)


@given(songs())
def test_values_stay_in_their_range(song):
    assert 0 <= pitch_class_entropy(song) <= np.log2(12) + 1e-9
    assert 7 / 12 - 1e-9 <= scale_consistency(song) <= 1
    assert 0 <= empty_beat_rate(song) < 1
    assert polyphony(song) >= 1
    assert np.isnan(groove_consistency(song)) or 0 <= groove_consistency(song) <= 1


def test_silence_is_undefined():
    silence = Song([], [], [], [])
    assert all(np.isnan(measure(silence)) for measure in EVERY)


def test_muspy_says_the_same():
    """Numbers of muspy 0.5.0 for these notes: onset and duration in sixteenths, pitch.

    Its empty_beat_rate is left out: there a beat is filled by a note that ends as it begins.
    """
    notes = [
        (0, 8, 65), (2, 5, 62), (4, 8, 57), (4, 3, 68), (5, 8, 59), (11, 2, 55), (12, 1, 60),
        (14, 3, 57), (17, 6, 68), (18, 1, 64), (22, 7, 64), (25, 3, 60), (27, 5, 72), (27, 8, 59),
        (36, 8, 68), (37, 7, 55), (39, 3, 60), (41, 1, 72), (45, 7, 71), (47, 6, 55), (54, 1, 71),
        (60, 1, 62), (62, 3, 72), (63, 8, 67), (64, 2, 62), (64, 5, 59), (72, 3, 72), (76, 3, 59),
        (77, 7, 65), (77, 2, 67), (81, 3, 59), (86, 1, 60), (93, 2, 68),
    ]  # fmt: skip
    song = melody(*[(onset / 4, duration / 4, pitch) for onset, duration, pitch in notes])
    assert pitch_class_entropy(song) == pytest.approx(2.801484652)
    assert scale_consistency(song) == pytest.approx(0.878787879)
    assert groove_consistency(song) == pytest.approx(0.550000000)
    assert polyphony(song) == pytest.approx(1.880000000)
