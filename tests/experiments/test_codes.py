"""What chapter 10 measures of codes."""

from dataclasses import replace

import numpy as np
import pytest
from running import Music, run

from symphony.experiments import code_measures, repeated_windows
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
    assert set(found) == {"by_position", "repeated"}
    for decoder in ("real", "digits"):
        for how in ("forced", "free"):
            shares = np.array(found["by_position"][decoder][how])
            assert shares.shape == (8,)
            assert ((shares >= 0) & (shares <= 1)).all()
        first = found["by_position"][decoder]
        assert first["free"][1] >= 0  # the second row is a wait in all of this music


def test_a_walk_that_stands_still_repeats_all_but_its_first_window(trained):
    assert repeated_windows(trained, flips=0) == pytest.approx(299 / 300)
    assert 0 <= repeated_windows(trained) < 1
