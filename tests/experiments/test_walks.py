"""Walks among codes: rewards worked by hand, policies that learn what they are paid for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from making import random_song

from symphony.experiments import walks
from symphony.systems.seqae.network import END, NEXT, SeqAE, SeqAEConfig

DIGITS = 4


def test_codes_are_their_numbers_bits():
    codes = walks.all_codes(3)
    assert codes[[0, 1, 4, 6]].tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0]]
    assert walks.numbers(codes).tolist() == list(range(8))


def test_rows_are_symbols():
    rows = np.array([[60, 3], [NEXT, 1], [NEXT, 16], [END, 1]])
    assert walks.symbols(rows).tolist() == [60, NEXT, NEXT + 15, NEXT]


@pytest.fixture
def space():
    """Sixteen windows of four eighths, each on one pitch; training tunes only ever rise by one."""
    rows = np.full((16, 8), NEXT + 1)
    rows[:, ::2] = 60 + np.arange(16)[:, None]
    rising = np.concatenate([rows[i : i + 4].ravel() for i in range(12)])
    table = walks.n_gram(rising)
    known = frozenset({np.array([1, 0, 0, 0] * 3, np.int16).tobytes()})
    steps = {i: np.array([i + 1]) for i in range(15)}
    return walks.CodeSpace(np.empty(0), rows, table, table, known, steps, np.arange(8))


def test_leaps_and_copies_worked_by_hand(space):
    paths = np.array([[0, 1, 2, 3], [0, 5, 2, 2]])
    assert space.leaps(paths).tolist() == [[0, 1, 1, 1], [0, 5, 3, 0]]
    assert space.copies(paths).tolist() == [[False, False, False, True], [False] * 4]
    assert space.repeats(paths).tolist() == [[False] * 4, [False, False, False, True]]
    fined = space.reward(paths, repeat_penalty=0.5)
    assert (space.reward(paths) - fined).tolist() == [[0] * 4, [0, 0, 0, pytest.approx(0.5)]]


def test_another_code_of_the_same_window_is_a_repetition(space):
    twins = replace(space, rows=np.vstack([space.rows[:8], space.rows[:8]]))
    assert twins.repeats(np.array([[0, 9, 8, 1]])).tolist() == [[False, False, True, True]]


def test_what_follows_in_training_costs_less(space):
    nats = space.nats(np.array([[0, 1, 2], [0, 7, 2]]), space.likely)
    assert nats.shape == (2, 3)
    assert nats[0, 1] < nats[1, 1]
    reward = space.reward(np.array([[0, 1, 2]]))
    expected = -space.nats(np.array([[0, 1, 2]]), space.likely) - 0.1 * np.array([[0, 1, 1]]) / 12
    np.testing.assert_allclose(reward, expected)


def test_an_n_gram_worked_by_hand():
    """Witten-Bell: after a 5 came once a 5 and once a 6."""
    losses = walks.n_gram(np.array([walks.VOCABULARY, 5, 5, 6]))
    assert losses(np.array([[5, 5], [5, 6]])).shape == (2, 1)
    uniform = 1 / (walks.VOCABULARY + 1)
    unigram = (2 + 3 * uniform) / (4 + 3)  # 5 came twice of four symbols of three kinds
    bigram = (1 + 2 * unigram) / (2 + 2)  # and once of the two that follow a 5
    assert losses(np.array([[5, 5]]))[0, 0] == pytest.approx(-np.log(bigram))


def test_a_char_rnn_learns_what_follows_and_reads_each_walk_alone():
    rng = np.random.default_rng(0)
    stream = np.tile([60, walks.NEXT, 64, walks.NEXT + 1], 300)
    tiny = replace(walks.CHAR_RNN, steps=150, window=16, warmup=0, lr=2e-2)
    tiny = replace(tiny, network=replace(tiny.network, hidden_size=24, embedding_dim=8))
    losses = walks.char_rnn(stream, tiny)
    known, other = stream[None, :9], rng.integers(0, walks.NEXT, (1, 9))
    both = losses(np.vstack([known, other]))
    assert both.shape == (2, 8)
    assert both[0, 2:].mean() < 0.5 < 3 < both[1].mean()
    np.testing.assert_allclose(both[1:], losses(other), rtol=1e-4)
    np.testing.assert_array_equal(walks.char_rnn(stream, tiny)(known), losses(known))


def test_a_random_walk_flips_as_many_as_asked():
    rng = np.random.default_rng(0)
    paths = walks.paths_of(walks.random_walker(DIGITS), np.zeros(5, int), 9, rng)
    assert paths.shape == (5, 9)
    assert {bin(a ^ b).count("1") for p in paths for a, b in pairwise(p)} == {2}


def test_a_greedy_walk_takes_the_likeliest_of_all_that_are_near(space):
    step = walks.greedy_walker(space, DIGITS)
    rng = np.random.default_rng(0)
    for code in range(16):
        near = [c for c in range(16) if 1 <= bin(c ^ code).count("1") <= 2]
        both = np.array([[code, c] for c in near])
        found = int(step(np.array([code]), rng)[0])
        (cost,) = space.nats(np.array([[code, found]]), space.likely)[:, 1]
        assert found in near
        assert cost == space.nats(both, space.likely)[:, 1].min()


def test_a_bigram_walk_goes_where_a_tune_went(space):
    rng = np.random.default_rng(0)
    step = walks.bigram_walker(space)
    assert step(np.array([3, 9]), rng).tolist() == [4, 10]
    assert 1 <= step(np.array([15]), rng)[0] <= 15  # no tune went on from there


def test_a_policy_begins_with_two_flips_and_learns_what_it_is_paid_for(space, monkeypatch):
    policy = walks.Policy(16)
    assert policy(torch.ones(3, 16)).probs.sum(1).tolist() == pytest.approx([2, 2, 2])
    net = SeqAE(SeqAEConfig(digits=DIGITS, embedding_dim=4, hidden_size=4))
    pay = lambda self, paths, fine: (paths >= 8).astype(float)  # noqa: E731 - the first switch on
    monkeypatch.setattr(walks.CodeSpace, "reward", pay)
    policy, curve = walks.learn_to_walk(space, net, 0, updates=80, lr=2e-2)
    assert curve[0] < 0.65 < 0.8 < np.mean(curve[-5:])
    bits = torch.tensor([[-1.0, 1, 1, 1], [1.0, 1, 1, 1]])
    off, on = policy(bits).probs[:, 0].tolist()
    assert off > 0.7 > 0.3 > on
    again = walks.learn_to_walk(space, net, 0, updates=80, lr=2e-2)[1]
    assert again == curve


def test_every_way_to_walk_is_measured(tmp_path):
    from running import Music, run

    from symphony.systems import load, recipe, system

    small = recipe("seqae", "tiny")
    small = replace(small, steps=2, network=replace(small.network, digits=DIGITS))
    learner, music = system(small), Music()
    run(learner, learner.encode(music), tmp_path)
    songs = [random_song(i) for i in range(3)]
    rows = walks.compare_walks(load(tmp_path), music.train, songs, music.test, (0, 1), 2, 3)
    assert [(r["walk"], r["seed"]) for r in rows] == [
        (name, seed)
        for seed in (0, 1)
        for name in ("random", "bigram", "greedy", "learned", "learned, fined")
    ] + [("unseen tunes", 0)]
    models = ("held_out_nats", "char_rnn_nats")
    assert all(0 < rows[-1][k] < 6 for k in models)
    names = {*models, "reward", "leap", "copied", "repeated", "flips"}
    for row in rows[:-1]:
        assert names < set(row)
        assert np.isfinite([row[k] for k in names]).all()
