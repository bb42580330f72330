"""Windows of steps: whole onsets, begun by a note and ended by a wait."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import random_song

from symphony.codecs import StepCodec, join_windows, song_windows, window_sixteenths
from symphony.codecs.windows import END, NEXT
from symphony.song import Song

CODEC = StepCodec()


def tune(lengths, pitches=None):
    """A melody of notes without rests, in sixteenths."""
    ends = np.cumsum(lengths) / 4
    onset, duration = ends - np.array(lengths) / 4, np.array(lengths) / 4
    pitch = np.arange(60, 60 + len(lengths)) if pitches is None else pitches
    seconds = 60 / 100
    return Song(onset * seconds, duration * seconds, pitch, np.full(len(pitch), 80),
                onset, duration, np.array([[0.0, 100.0]]))  # fmt: skip


def test_a_tune_worked_by_hand():
    windows = song_windows(tune([2, 4, 1, 1, 8]), CODEC, 2, 5)
    assert windows.tolist() == [
        [[60, 2], [NEXT, 2], [61, 4], [NEXT, 4], [END, 1]],
        [[62, 1], [NEXT, 1], [63, 1], [NEXT, 1], [END, 1]],
    ]  # the fifth note makes no whole window
    assert window_sixteenths(windows).tolist() == [6, 2]


@given(st.lists(st.integers(1, 16), min_size=1, max_size=30), st.integers(1, 4))
def test_windows_joined_are_the_tune_again(lengths, onsets):
    song = tune(lengths)
    windows = song_windows(song, CODEC, onsets, 2 * onsets)
    assert len(windows) == len(lengths) // onsets
    kept = len(windows) * onsets
    if kept:
        back = CODEC.decode(join_windows(windows))
        assert back.equals(tune(lengths[:kept]), 1e-9)
    assert window_sixteenths(windows).sum() == sum(lengths[:kept])


@given(st.data())
def test_no_chord_is_cut_and_every_window_begins_with_a_note_and_ends_with_a_wait(data):
    chords = data.draw(st.lists(st.sets(st.integers(30, 90), min_size=1, max_size=4), min_size=4))
    onset = np.repeat(np.arange(len(chords)), [len(chord) for chord in chords]) * 1.0
    pitch = np.concatenate([sorted(chord) for chord in chords])
    columns = onset * 0.6, np.full(len(onset), 0.6), pitch, np.full(len(onset), 80)
    song = Song(*columns, onset, np.ones(len(onset)), np.array([[0.0, 100.0]]))
    windows = song_windows(song, CODEC, 2, 10)
    for window, pair in zip(windows, zip(chords[::2], chords[1::2], strict=False), strict=True):
        rows = window[window[:, 0] != END]
        assert rows[0, 0] < NEXT == rows[-1, 0]
        assert rows[rows[:, 0] < NEXT, 0].tolist() == [*sorted(pair[0]), *sorted(pair[1])]


def test_what_is_too_much_for_a_window_keeps_its_last_wait():
    chord = Song([0.0] * 6 + [0.6], [0.6] * 7, [50, 53, 57, 60, 64, 67, 69], [80] * 7)
    (window,) = song_windows(chord, CODEC, 1, 4)[:1]
    assert window[:, 0].tolist() == [50, 53, 57, NEXT]


def test_a_performance_is_counted_at_its_own_tempo():
    song = random_song(3)
    assert song.onset_quarters is None
    windows = song_windows(song, CODEC, 4, 8)
    assert len(windows) > 2
    assert (windows[:, 0, 0] < NEXT).all()


@pytest.mark.parametrize("song", [tune([4]), tune([4, 4, 4])])
def test_a_song_shorter_than_a_window_has_none(song):
    assert song_windows(song, CODEC, 4, 8).shape == (0, 8, 2)
