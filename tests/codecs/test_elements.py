"""Songs as notes and waits: nothing is lost, and noise is what it says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import random_song, songs

from symphony.codecs import distort, distorted, estimate_tempo, to_elements, with_lengths
from symphony.codecs.steps import NEXT
from symphony.song import Song


def score(onsets, durations, pitches, tempo=100.0, **more):
    """A song that knows its sixteenths."""
    onset, duration = np.array(onsets) / 4, np.array(durations) / 4
    return Song(
        onset * 60 / tempo, duration * 60 / tempo, pitches, np.arange(len(pitches)) + 40,
        onset_quarters=onset, duration_quarters=duration, tempo=[[0.0, tempo]], **more,
    )  # fmt: skip


CHORDS = score([0, 0, 4, 6, 6, 8], [4, 8, 2, 2, 2, 8], [60, 48, 64, 65, 50, 67])


def notes(song):
    return sorted(zip(song.pitch.tolist(), song.velocity.tolist(), strict=True))


def test_elements_stand_in_the_order_of_steps_with_their_lengths():
    found = to_elements(CHORDS)
    assert found.token.tolist() == [48, 60, NEXT, 64, NEXT, 50, 65, NEXT, 67]
    assert found.length.tolist() == [8, 4, 4, 2, 2, 2, 2, 2, 8]
    assert CHORDS.pitch[found.note[found.note >= 0]].tolist() == [48, 60, 64, 50, 65, 67]
    assert found.on_grid


@given(songs())
def test_every_note_is_an_element_and_comes_back_with_its_velocity(song):
    found = to_elements(song)
    assert sorted(found.note[found.note >= 0]) == list(range(len(song)))
    back = with_lengths(song, found, found.length)
    assert notes(back) == notes(song)
    assert back.onset_quarters is not None


@given(songs(), st.integers(0, 99), st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 0.5))
def test_distortion_loses_no_note(song, seed, stretch, jitter, drift):
    noise = {"stretch": stretch, "jitter": jitter, "drift": drift}
    assert notes(distorted(song, seed, **noise)) == notes(song)


def test_a_score_comes_back_as_it_was():
    elements = to_elements(CHORDS)
    assert with_lengths(CHORDS, elements, elements.length).equals(CHORDS, 1e-9)


def test_tempo_changes_stay_and_times_follow_them():
    slower = replace(CHORDS, tempo=[[0.0, 100.0], [0.6, 50.0]])
    elements = to_elements(slower)
    back = with_lengths(slower, elements, elements.length)
    assert back.tempo.tolist() == slower.tempo.tolist()
    assert back.onset[[0, 2, 3, 5]] == pytest.approx([0.0, 0.6, 1.2, 1.8])  # sixteenths 0 4 6 8


def test_the_pedal_moves_with_the_notes():
    held = replace(CHORDS, pedal=[[0.6, 1.2]])  # from the second chord to the last note
    elements = to_elements(held)
    twice = with_lengths(held, elements, 2 * elements.length)
    assert twice.pedal.tolist() == [[pytest.approx(1.2), pytest.approx(2.4)]]


def test_notes_a_moment_apart_are_one_chord_and_a_thirty_second_is_not():
    found = to_elements(score([0, 0.2, 4, 4.5], [4, 4, 1, 1], [60, 64, 67, 69]))
    assert found.token.tolist() == [60, 64, NEXT, 67, NEXT, 69]
    assert not found.on_grid or found.length[4] == 0.5


@pytest.mark.parametrize("tempo", [80.0, 100.0, 120.0])
def test_the_tempo_of_music_without_a_beat_is_found(tempo):
    rng = np.random.default_rng(0)
    onset = np.cumsum(rng.choice([1, 2, 4], 60)) * 15 / tempo
    song = Song(onset, np.full(60, 0.1), np.full(60, 60), np.full(60, 64), tempo=[[0.0, 100.0]])
    assert estimate_tempo(song) == pytest.approx(tempo, rel=0.01)


def test_a_single_note_says_nothing_of_a_tempo():
    song = Song([1.0], [0.5], [60], [64], tempo=[[0.0, 90.0]])
    assert estimate_tempo(song) == 90.0
    assert to_elements(song).token.tolist() == [60]


TOKEN = np.tile([60, 64, NEXT], (8, 50))
LENGTH = np.tile([4.0, 8.0, 4.0], (8, 50))


def test_without_noise_nothing_changes():
    assert np.array_equal(distort(TOKEN, LENGTH, np.random.default_rng(0)), LENGTH)


def test_stretch_keeps_each_length_within_its_bounds():
    ratio = distort(TOKEN, LENGTH, np.random.default_rng(0), stretch=0.2) / LENGTH
    assert 0.8 <= ratio.min() < 0.81
    assert 1.19 < ratio.max() <= 1.2


def test_a_late_onset_is_made_up_for_by_the_next_wait():
    heard = distort(TOKEN, LENGTH, np.random.default_rng(0), jitter=0.2)
    off = np.cumsum((heard - LENGTH)[TOKEN == NEXT].reshape(8, 50), axis=1)
    assert off[:, -1].std() < 0.5  # independent errors of 50 waits would add up to 2
    assert off.std() == pytest.approx(0.2, abs=0.03)
    assert (heard - LENGTH)[TOKEN != NEXT].std() == pytest.approx(0.2 * 2**0.5, abs=0.03)


def test_drift_is_slow():
    ratio = np.log(distort(TOKEN, LENGTH, np.random.default_rng(0), drift=0.1) / LENGTH)
    assert ratio.std() == pytest.approx(0.1, abs=0.02)
    assert np.abs(np.diff(ratio)).max() < 0.03


def test_a_performed_piece_without_a_beat_gets_quarters():
    assert distorted(random_song(), 0, stretch=0.1).onset_quarters is not None
