import numpy as np
import pytest

from symphony.training.health import (
    chord_counts,
    distances,
    health,
    merit,
    note_f1,
    note_onsets,
    two_sample_accuracy,
)


def chance_rolls(n, seed=0, share=0.05, steps=8):
    return np.random.default_rng(seed).random((n, steps, 128)) < share


def held(*pitches, n=4, steps=8):
    rolls = np.zeros((n, steps, 128), bool)
    rolls[:, :, list(pitches)] = True
    return rolls


def test_a_collapsed_generator_is_seen_to_be_one():
    seen = health(held(60, 64, 67), chance_rolls(20))
    assert seen["chords"] == 1
    assert seen["top_chord"] == 1
    assert seen["diversity"] == 0
    assert seen["two_sample"] > 0.9
    assert seen["sounding"] == pytest.approx(3 / 128)


def test_silence_is_one_chord_too_many():
    seen = health(np.zeros((4, 8, 128), bool), chance_rolls(4))
    assert (seen["chords"], seen["top_chord"], seen["diversity"]) == (0, 1, 0)


def test_chords_are_counted_and_silence_is_none_of_them():
    rolls = held(60, n=1)
    rolls[0, 0], rolls[0, 1, 62] = False, True
    assert chord_counts(rolls).tolist() == [6, 1]


def test_distances_are_jaccards():
    a, b = held(60, 61, n=1), held(61, 62, n=1)
    assert distances(a, b)[0, 0] == pytest.approx(1 - 1 / 3)
    assert distances(a, a)[0, 0] == 0
    assert distances(a, held(n=1))[0, 0] == 1
    assert distances(held(n=1), held(n=1))[0, 0] == 0


def test_two_samples_of_one_kind_cannot_be_told_apart():
    found = [two_sample_accuracy(chance_rolls(60, s), chance_rolls(60, s + 100)) for s in range(5)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    assert two_sample_accuracy(chance_rolls(40), chance_rolls(40, 1, share=0.5)) > 0.75


def test_a_copyist_is_not_taken_for_a_composer():
    real = chance_rolls(30)
    assert two_sample_accuracy(real.copy(), real) == 0.0  # each finds its twin among the others


def test_notes_count_by_key_and_beginning():
    meant = np.zeros((1, 8, 128), bool)
    meant[0, 0:4, 60], meant[0, 2:4, 64] = True, True
    made = np.zeros_like(meant)
    made[0, 0:2, 60], made[0, 5, 70] = True, True  # one right, one wrong, one missing
    assert note_f1(made, meant) == pytest.approx(0.5)
    assert note_f1(meant, meant) == 1
    assert note_f1(np.zeros_like(meant), np.zeros_like(meant)) == 1
    assert note_f1(np.zeros_like(meant), meant) == 0


def test_the_better_look_sounds_then_fills_then_fools():
    silent = health(np.zeros((4, 8, 128), bool), chance_rolls(4))
    stuck = health(held(60, 64, 67), chance_rolls(20))
    fine = health(chance_rolls(20, 1), chance_rolls(20, 2))
    assert merit(silent) < merit(stuck) < merit(fine)
    assert merit(stuck | {"note_f1": 0.6}) > merit(fine | {"note_f1": 0.5})


def test_a_note_begins_where_its_key_was_silent_before():
    rolls = np.zeros((1, 4, 128), bool)
    rolls[0, [0, 1, 3], 60] = True
    assert np.argwhere(note_onsets(rolls)).tolist() == [[0, 0, 60], [0, 3, 60]]
