import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import random_song

from symphony.evaluation.lcs import pitch_text, whole_lcs, windowed_lcs
from symphony.song import Song


def textbook(a, b):
    before = [0] * (len(b) + 1)
    for x in a:
        row = [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(row[j], before[j + 1]))
        before = row
    return before[-1]


def melody(pitches):
    n = len(pitches)
    return Song(np.arange(n) * 0.5, [0.5] * n, pitches, [80] * n)


@given(
    st.lists(st.integers(0, 127), min_size=1, max_size=30),
    st.lists(st.integers(0, 127), min_size=1, max_size=30),
)
def test_whole_lcs_is_the_textbooks(a, b):
    (found,) = whole_lcs(melody(a), [pitch_text(melody(b))])
    assert found == pytest.approx(textbook(a, b) / min(len(a), len(b)))


def test_worked_by_hand():
    # C E G C against C G A C: C G C is common; 3 of 4
    (found,) = whole_lcs(melody([60, 64, 67, 72]), [pitch_text(melody([60, 67, 69, 72]))])
    assert found == 0.75
    assert whole_lcs(melody([60]), []).size == 0
    assert whole_lcs(melody([60]), [""]).tolist() == [0.0]


def test_windows_are_of_equal_length_and_transposable():
    long = random_song(4, 300)
    excerpt = long.slice(long.onset[100], long.onset[190])
    assert windowed_lcs(excerpt, long) > 0.7
    assert windowed_lcs(excerpt.transposed(3), long, semitones=-3) == windowed_lcs(excerpt, long)
    assert windowed_lcs(random_song(5, 300), long) < 0.5
    assert windowed_lcs(Song([], [], [], []), long) == 0.0
