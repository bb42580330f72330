import numpy as np
import pytest

from symphony import load
from symphony.errors import RequestError
from symphony.experiments import random_plans, requested_and_achieved


def test_plans_are_drawn_independently():
    plans = random_plans(400, seed=1)
    pitch, density = (
        np.array([getattr(p, what)[0] for p in plans]) for what in ("pitch", "density")
    )
    assert set(pitch) == set(density) == set(range(1, 9))
    assert abs(np.corrcoef(pitch, density)[0, 1]) < 4 / np.sqrt(400)
    assert len({plan.histograms for plan in plans}) == 24


def test_the_shipped_model_follows_its_plans():
    found = requested_and_achieved(load("conditional-char-rnn"), random_plans(6), seconds=4)
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(6))
    assert len(found.songs) == 6
    by_height = np.argsort(found.pitch)
    assert found.mean_pitch[by_height[-1]] > found.mean_pitch[by_height[0]]


def test_a_model_without_a_condition_follows_no_plan():
    with pytest.raises(RequestError, match="has no control plan"):
        requested_and_achieved(load("char-rnn"), random_plans(1))
