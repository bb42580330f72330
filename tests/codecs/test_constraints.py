import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import songs

from symphony.codecs import EventCodec, NoteOffConstraint

V = 363
OFF = 128


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@given(songs())
def test_no_song_is_ruled_out(song):
    constraint = NoteOffConstraint(EventCodec(), 1, 1e9)
    for event in EventCodec().encode(song):
        assert np.isfinite(constraint(np.zeros((1, V + 1)))[0, event])
        assert not constraint.accept(np.array([event]))
    assert not constraint.down.any()  # every note was released


def test_releases_of_keys_that_are_up_go_to_those_that_are_down_worked_by_hand():
    constraint = NoteOffConstraint(EventCodec(), 2, 10)
    constraint.accept(np.array([60, 70]))
    constraint.accept(np.array([64, OFF + 70]))
    logits = np.full((2, V + 1), -np.inf)
    logits[:, [OFF + 60, OFF + 64, OFF + 65, 50]] = np.log([0.1, 0.3, 0.4, 0.2])
    before = logits.copy()
    found = softmax(constraint(logits))
    # First row: a release still has .8, shared 1 to 3 by the keys that are down.
    assert found[0, [OFF + 60, OFF + 64, OFF + 65, 50]] == pytest.approx([0.2, 0.6, 0, 0.2])
    # Second row: nothing is down, so nothing can be released.
    assert found[1, [OFF + 60, OFF + 64, OFF + 65, 50]] == pytest.approx([0, 0, 0, 1])
    assert np.array_equal(logits, before)  # the caller's array is left alone


@given(st.integers(0, 1000))
def test_the_probability_of_a_release_stays_as_it_was(seed):
    rng = np.random.default_rng(seed)
    constraint = NoteOffConstraint(EventCodec(), 3, 10)
    for _ in range(5):
        constraint.accept(rng.integers(0, 128, 3))
    logits = rng.normal(0, 3, (3, V + 1))
    before, after = softmax(logits), softmax(constraint(logits))
    assert after[:, OFF:256].sum(axis=1) == pytest.approx(before[:, OFF:256].sum(axis=1))
    assert (after[:, OFF:256] > 0).sum() == constraint.down.sum()


def test_a_release_that_is_never_made_stays_impossible():
    constraint = NoteOffConstraint(EventCodec(), 1, 10)
    constraint.accept(np.array([60]))
    logits = np.full((1, V + 1), -np.inf)
    logits[0, [OFF + 70, 50]] = 0.0
    assert softmax(constraint(logits))[0, 50] == 1
    logits[0, OFF + 70] = -np.inf
    assert softmax(constraint(logits))[0, 50] == 1


def test_it_says_when_all_have_lasted_long_enough():
    constraint = NoteOffConstraint(EventCodec(), 2, 1.5)
    second = 256 + 99
    assert not constraint.accept(np.array([second, second]))
    assert not constraint.accept(np.array([second, 60]))
    assert constraint.accept(np.array([60, second]))
    assert constraint.elapsed.tolist() == [2.0, 2.0]
