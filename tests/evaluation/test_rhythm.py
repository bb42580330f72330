import numpy as np
import pytest

from symphony.evaluation.rhythm import pulse_clarity
from symphony.song import Song


def notes(onsets):
    onsets = np.sort(np.asarray(onsets, dtype=float))
    return Song(
        onsets, np.full(len(onsets), 0.1), np.full(len(onsets), 60), np.full(len(onsets), 80)
    )


def test_a_machine_keeps_the_clearest_pulse_and_random_notes_hardly_any():
    random = np.random.default_rng(0).uniform(0, 60, 240)
    steady = pulse_clarity(notes(np.arange(0, 60, 0.25)))
    assert steady > 0.95
    assert pulse_clarity(notes(random)) < 0.5 * steady


def test_a_wavering_hand_is_less_clear_than_a_steady_one():
    rng = np.random.default_rng(0)
    beats = np.arange(0.5, 60, 0.5)
    clarity = [pulse_clarity(notes(beats + rng.normal(0, s, len(beats)))) for s in (0, 0.02, 0.08)]
    assert clarity[0] > clarity[1] > clarity[2]


def test_tempo_and_pitch_do_not_matter():
    beats = np.arange(0, 40, 0.5)
    slow = pulse_clarity(notes(beats * 1.6))
    assert slow == pytest.approx(pulse_clarity(notes(beats)), abs=0.05)


def test_too_few_notes_have_no_pulse():
    assert np.isnan(pulse_clarity(notes([0.0, 1.0])))


def test_the_pulse_of_a_day_is_taken_in_seconds():
    import time

    rng = np.random.default_rng(0)
    onset = np.append(np.sort(rng.uniform(0, 600, 50_000)), 86_000)
    song = Song(onset, np.full(50_001, 0.1), np.full(50_001, 60), np.full(50_001, 80))
    begun = time.perf_counter()
    assert 0 <= pulse_clarity(song) <= 1
    assert time.perf_counter() - begun < 10
