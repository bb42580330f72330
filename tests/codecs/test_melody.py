"""Melody words: a pitch and the wait until the next note."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.codecs import MelodyCodec
from symphony.errors import RequestError, SongError
from symphony.song import Song

CODEC = MelodyCodec()
words = st.lists(st.integers(0, CODEC.vocab_size - 1), min_size=1, max_size=40)


def song(onsets, durations, pitches):
    at, length = np.array(onsets) / 4, np.array(durations) / 4  # from sixteenths to quarters
    return Song(
        at * 0.6, length * 0.6, pitches, [80] * len(at), at, length, np.array([[0.0, 100.0]])
    )


@given(words)
def test_words_come_back_from_their_song(some):
    assert CODEC.encode(CODEC.decode(np.array(some))).tolist() == some


def test_a_word_is_a_pitch_and_a_wait():
    assert CODEC.vocab_size == 36 * 8
    found = CODEC.encode(song([0, 2, 3], [2, 1, 4], [60, 62, 64]))
    assert found.tolist() == [(60 - 53) * 8 + 1, (62 - 53) * 8 + 0, (64 - 53) * 8 + 3]


def test_the_highest_of_notes_together_is_the_melody_and_rests_are_lost():
    found = CODEC.decode(CODEC.encode(song([0, 0, 4], [1, 2, 2], [55, 67, 60])))
    assert found.pitch.tolist() == [67, 60]
    assert found.duration_quarters.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(("pitch", "word"), [(52, 64), (41, 53), (40, 64), (89, 77), (101, 77)])
def test_pitches_outside_the_range_move_by_octaves(pitch, word):
    found = CODEC.decode(CODEC.encode(song([0], [1], [pitch])))
    assert found.pitch.tolist() == [word]


def test_what_has_no_beat_or_is_no_word_is_refused():
    with pytest.raises(SongError, match="need a beat"):
        CODEC.encode(Song([0.0], [1.0], [60], [80]))
    for wrong in ([], [-1], [CODEC.vocab_size]):
        with pytest.raises(RequestError, match="numbers from 0 to 287"):
            CODEC.decode(np.array(wrong))
    with pytest.raises(RequestError, match="an octave on the keyboard"):
        MelodyCodec(lowest=120)
