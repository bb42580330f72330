"""What chapter 10 measures of codes."""

from dataclasses import replace

import numpy as np
import pytest
from running import Music, run

from symphony.experiments import code_measures
from symphony.experiments.codes import random_walks, repeated_windows, window_leaps
from symphony.systems import load, recipe, system


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    learner = system(replace(recipe("seqae", "tiny"), steps=4))
    run(learner, learner.encode(Music()), folder)
    return load(folder)


def test_every_row_of_a_window_has_its_accuracy(trained):
    data = trained.system.encode(Music())
    found = code_measures(trained, data)
    assert set(found) == {"by_position", "repeated", "leap"}
    for decoder in ("real", "digits"):
        for how in ("forced", "free"):
            shares = np.array(found["by_position"][decoder][how])
            assert shares.shape == (8,)
            assert ((shares >= 0) & (shares <= 1)).all()
        first = found["by_position"][decoder]
        assert first["free"][1] >= 0  # the second row is a wait in all of this music


def test_a_walk_that_stands_still_repeats_all_but_its_first_window(trained):
    assert repeated_windows(random_walks(trained, flips=0)) == pytest.approx(299 / 300)
    walks = random_walks(trained)
    assert walks.shape == (20, 300, 8, 2)
    assert 0 <= repeated_windows(walks) < 1


def test_leaps_go_from_the_last_note_of_a_window_to_the_first_of_the_next():
    wait = [128, 2]
    walk = [
        [[60, 2], wait, [64, 1], wait],
        [[67, 2], wait, wait, wait],
        [[62, 2], wait, [60, 1], wait],
    ]
    assert window_leaps(np.array([walk, walk[::-1]])) == pytest.approx((3 + 5 + 7 + 7) / 4)
