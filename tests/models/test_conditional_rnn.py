from dataclasses import replace

import numpy as np
import pytest
import torch

from symphony.models.conditional_rnn import (
    ConditionalCharRNN,
    ConditionalCharRNNConfig,
    Conditioned,
)
from symphony.models.sampling import generate

TINY = ConditionalCharRNNConfig(7, 2, 12, 5, groups=(2, 3), condition_dropout=0.5)


def make(config=TINY, seed=0):
    torch.manual_seed(seed)
    return ConditionalCharRNN(config)


def told(batch, length):
    return torch.rand(batch, length, 5)


def test_stepping_equals_running_told_or_not():
    model = make().eval()
    tokens, condition = torch.randint(0, 8, (3, 6)), told(3, 6)
    for given in (condition, None):
        whole, _ = model(tokens, None, given)
        state = model.begin(3)
        for t in range(6):
            row = None if given is None else given[:, t]
            logits, state = model.step(tokens[:, t], state, row)
            torch.testing.assert_close(logits, whole[:, t], atol=1e-5, rtol=1e-5)


def test_nothing_told_is_zeros_told():
    model, tokens = make().eval(), torch.randint(0, 8, (2, 4))
    silent, _ = model(tokens)
    zeros, _ = model(tokens, None, torch.zeros(2, 4, 5))
    assert torch.equal(silent, zeros)


def test_every_weight_learns_and_so_does_what_reads_the_condition():
    model = make(replace(TINY, condition_dropout=0.0))
    model.loss(torch.randint(0, 8, (4, 20)), told(4, 19)).backward()
    for name, weight in model.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name
    assert (model.lstm.weight_ih_l0.grad[:, -5:].abs().sum(dim=0) > 0).all()


def test_groups_are_dropped_whole_and_for_a_whole_window():
    model = make()
    torch.manual_seed(1)
    kept = model.dropped(torch.ones(4000, 3, 5))
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(kept[:, 0], kept[:, 1])
    first, second = kept[:, 0, 0], kept[:, 0, 2]
    assert torch.equal(kept[:, 0, 1], first)
    assert torch.equal(kept[:, 0, 4], second)
    # Told at all with 1/2, and then each group with 1/2; 4,000 windows: 4 standard errors.
    for share, expected in ((first.mean(), 1 / 4), ((first * second).mean(), 1 / 8)):
        assert share.item() == pytest.approx(expected, abs=4 * (expected / 4000) ** 0.5)


def test_nothing_is_dropped_when_measuring():
    model, tokens = make().eval(), torch.randint(0, 8, (2, 5))
    condition = told(2, 4)
    assert model.loss(tokens, condition) == model.loss(tokens, condition)


def test_it_learns_what_only_the_condition_tells():
    # The next symbol is drawn by chance and told: without the condition ln 2 nats remain.
    model = make(ConditionalCharRNNConfig(3, 1, 24, 4, groups=(2,), condition_dropout=0.0))
    torch.manual_seed(2)
    tokens = torch.randint(0, 2, (16, 33))
    condition = torch.nn.functional.one_hot(tokens[:, 1:], 2).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(tokens, condition)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert model.eval().loss(tokens, condition.flip(-1)).item() > 1


def test_a_plan_is_followed_by_the_clock():
    model = make().eval()
    asked = []

    def plan(elapsed):
        asked.append(elapsed.copy())
        return np.zeros((len(elapsed), 5), np.float32)

    seconds = np.arange(8.0)  # symbol k lasts k seconds, the start symbol none
    seconds[7] = 0.0
    drawn = generate(Conditioned(model, plan, seconds), 6, batch=2, seed=1)
    assert np.array_equal(drawn, generate(model, 6, batch=2, seed=1))  # zeros tell nothing
    passed = np.hstack([np.zeros((2, 1)), np.cumsum(drawn, axis=1)])
    assert np.array_equal(np.array(asked).T, passed)


def test_a_condition_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"condition of shape \(2, 4, 5\)"):
        make()(torch.zeros((2, 4), dtype=torch.long), None, torch.zeros(2, 4, 6))
