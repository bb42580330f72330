import subprocess
import sys

import numpy as np
import pytest

from symphony.evaluation import (
    added_f1,
    chord_counts,
    jaccard_distances,
    note_f1,
    note_onsets,
    roll_metrics,
    two_sample_1nn,
)


def random_rolls(n, seed=0, share=0.05, steps=8):
    return np.random.default_rng(seed).random((n, steps, 128)) < share


def held(*pitches, n=4, steps=8):
    rolls = np.zeros((n, steps, 128), bool)
    rolls[:, :, list(pitches)] = True
    return rolls


def test_a_collapsed_generator_has_one_chord_and_no_diversity():
    found = roll_metrics(held(60, 64, 67), random_rolls(20))
    assert found["chords"] == 1
    assert found["top_chord"] == 1
    assert found["diversity"] == 0
    assert found["two_sample_1nn"] > 0.9
    assert found["sounding"] == pytest.approx(3 / 128)


def test_silence_is_one_chord_too_many():
    found = roll_metrics(np.zeros((4, 8, 128), bool), random_rolls(4))
    assert (found["chords"], found["top_chord"], found["diversity"]) == (0, 1, 0)


def test_chords_are_counted_and_silence_is_none_of_them():
    rolls = held(60, n=1)
    rolls[0, 0], rolls[0, 1, 62] = False, True
    assert chord_counts(rolls).tolist() == [6, 1]


def test_distances_worked_by_hand():
    a, b = held(60, 61, n=1), held(61, 62, n=1)
    assert jaccard_distances(a, b)[0, 0] == pytest.approx(1 - 1 / 3)
    assert jaccard_distances(a, a)[0, 0] == 0
    assert jaccard_distances(a, held(n=1))[0, 0] == 1
    assert jaccard_distances(held(n=1), held(n=1))[0, 0] == 0


def test_two_samples_of_one_kind_leave_the_classifier_guessing():
    found = [two_sample_1nn(random_rolls(60, s), random_rolls(60, s + 100)) for s in range(5)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    assert two_sample_1nn(random_rolls(40), random_rolls(40, 1, share=0.5)) > 0.75


def test_a_copyist_is_not_taken_for_a_composer():
    real = random_rolls(30)
    assert two_sample_1nn(real.copy(), real) == 0.0  # each finds its twin among the others


def test_notes_count_by_key_and_beginning():
    target = np.zeros((1, 8, 128), bool)
    target[0, 0:4, 60], target[0, 2:4, 64] = True, True
    filled = np.zeros_like(target)
    filled[0, 0:2, 60], filled[0, 5, 70] = True, True  # one right, one wrong, one missing
    assert note_f1(filled, target) == pytest.approx(0.5)
    assert note_f1(target, target) == 1
    assert note_f1(np.zeros_like(target), np.zeros_like(target)) == 1
    assert note_f1(np.zeros_like(target), target) == 0


def test_added_notes_count_without_those_that_were_there():
    target = np.zeros((1, 8, 128), bool)
    for key in (60, 62, 64, 65):
        target[0, 2:4, key] = True
    facade = target.copy()
    facade[..., 62:65] = False  # two notes dropped, two kept
    filled = facade.copy()
    filled[0, 2, 62], filled[0, 4, 70], filled[0, 5, 71] = True, True, True  # 1 right of 3
    assert added_f1(filled, facade, target) == pytest.approx(2 / 5)
    assert added_f1(facade, facade, target) == 0
    assert added_f1(target, facade, target) == added_f1(target, target, target) == 1


def test_a_note_begins_where_its_key_was_silent_before():
    rolls = np.zeros((1, 4, 128), bool)
    rolls[0, [0, 1, 3], 60] = True
    assert np.argwhere(note_onsets(rolls)).tolist() == [[0, 0, 60], [0, 3, 60]]


def test_numpy_is_enough_for_a_learning_curve():
    code = (
        "import sys\nfrom symphony.evaluation.rolls import note_f1\n"
        "import symphony.evaluation\nassert callable(symphony.evaluation.roll_metrics)\n"
        "heavy = ('torch', 'scipy', 'sklearn', 'symusic', 'music21', 'librosa', 'pretty_midi')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
