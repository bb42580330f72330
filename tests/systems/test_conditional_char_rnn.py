"""Conditional Char-RNN: a Char-RNN that is told what to play."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from symphony.codecs import ConditionCodec, Plan
from symphony.errors import RequestError
from symphony.systems import load, system
from symphony.systems.conditional_char_rnn.network import (
    ConditionalCharLSTM,
    ConditionalCharLSTMConfig,
)
from symphony.systems.sampling import generate

TINY = ConditionalCharLSTMConfig(2, 12, 5, groups=(2, 3), condition_dropout=0.5)


def make(config=TINY, seed=0, vocab_size=7):
    torch.manual_seed(seed)
    return ConditionalCharLSTM(vocab_size, config)


def told(batch, length):
    return torch.rand(batch, length, 5)


def loss_of(model, tokens, condition=None):
    logits, _ = model(tokens[:, :-1], None, condition)
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def test_stepping_equals_running_told_or_not():
    model = make().eval()
    tokens, condition = torch.randint(0, 8, (3, 6)), told(3, 6)
    for rows in (condition, None):
        whole, _ = model(tokens, None, rows)
        state = model.initial_state(3)
        for t in range(6):
            logits, state = model.step(tokens[:, t], state, None if rows is None else rows[:, t])
            torch.testing.assert_close(logits, whole[:, t], atol=1e-5, rtol=1e-5)


def test_nothing_told_is_zeros_told():
    model, tokens = make().eval(), torch.randint(0, 8, (2, 4))
    silent, _ = model(tokens)
    zeros, _ = model(tokens, None, torch.zeros(2, 4, 5))
    assert torch.equal(silent, zeros)
    assert not torch.allclose(silent, model(tokens, None, told(2, 4))[0])


def test_every_weight_learns_and_so_does_what_reads_the_condition():
    model = make()
    loss_of(model, torch.randint(0, 8, (4, 20)), told(4, 19)).backward()
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


def test_without_condition_dropout_all_is_told():
    model, condition = make(replace(TINY, condition_dropout=0.0)), told(50, 3)
    assert torch.equal(model.dropped(condition), condition)


def test_conditions_are_dropped_in_training_steps_and_never_in_forward(runs):
    model, tokens, condition = make().train(), torch.randint(0, 8, (2, 5)), told(2, 4)
    assert loss_of(model, tokens, condition) == loss_of(model, tokens, condition)
    learner, data = runs.system("conditional-char-rnn"), runs.data("conditional-char-rnn")
    nets, heard = learner.build(data), []
    dropping = nets["network"].dropped
    nets["network"].dropped = lambda rows: heard.append((rows, dropping(rows))) or heard[-1][1]
    nets["network"].register_forward_pre_hook(lambda _, given: heard.append(given[2]))
    learner.train_step(nets, learner.optimizers(nets), data, 0)
    (truth, dropped), used = heard
    assert used is dropped
    assert torch.equal(truth, learner.windows(data, 0)[1])


def test_it_learns_what_only_the_condition_tells():
    # The next symbol is drawn by chance and told: without the condition ln 2 nats remain.
    model = make(ConditionalCharLSTMConfig(1, 24, 4, groups=(2,)), vocab_size=3)
    torch.manual_seed(2)
    tokens = torch.randint(0, 2, (16, 33))
    condition = functional.one_hot(tokens[:, 1:], 2).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        loss = loss_of(model, tokens, condition)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert loss_of(model.eval(), tokens, condition.flip(-1)).item() > 1


@pytest.mark.parametrize(
    "shape", [(2, 4, 6), (2, 3, 5), (1, 4, 5)]
)  # another size, length and batch
def test_a_condition_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"condition of shape \(2, 4, 5\)"):
        make()(torch.zeros((2, 4), dtype=torch.long), None, torch.zeros(shape))


@pytest.mark.parametrize("transpose", [(0,), (4,)])
def test_training_windows_are_told_what_the_whole_stream_says_of_them(transpose, runs):
    base = replace(
        runs.recipe("conditional-char-rnn"), transpose=transpose, batch=20, window=40,
        condition=ConditionCodec(window=12),
    )  # fmt: skip
    learner, data = system(base), runs.data("conditional-char-rnn")
    stream = data.train["symbols"]
    moved = base.codec.transposed(stream[None], np.array([transpose[0]]))[0]
    rows = base.condition.rows(moved, base.codec.bos)
    tokens, condition = learner.windows(data, 5)
    assert tokens.shape == (20, 41)
    assert condition.shape == (20, 40, 32)
    places = np.lib.stride_tricks.sliding_window_view(moved, 41)
    for window, told_ in zip(tokens.numpy(), condition.numpy(), strict=True):
        found = np.flatnonzero((places == window).all(axis=1))
        assert any(np.array_equal(told_, rows[at + 1 : at + 41]) for at in found)


def test_generation_is_told_what_it_asks_for_before_each_symbol():
    model, asked = make().eval(), []

    def condition():
        asked.append(1)
        return np.zeros((2, 5), np.float32)

    drawn = generate(model, 6, batch=2, seed=1, condition=condition)
    assert np.array_equal(drawn, generate(model, 6, batch=2, seed=1))  # zeros tell nothing
    assert len(asked) == 7  # after the start symbol, and after each drawn
    loud = np.full((2, 5), 50, np.float32)
    told_ = generate(model, 60, batch=2, seed=1, condition=lambda: loud)
    assert not np.array_equal(told_, generate(model, 60, batch=2, seed=1))


class Spy(ConditionalCharLSTM):
    """Remembers the symbols it reads and what it is told with each."""

    def step(self, tokens, state, condition=None):
        self.heard.append((tokens.numpy().copy(), None if condition is None else condition.clone()))
        return super().step(tokens, state, condition)


@pytest.fixture
def spied(runs):
    trained = load(runs.folder("conditional-char-rnn"))
    trained.nets["network"].__class__ = Spy
    trained.nets["network"].heard = []
    return trained


def test_a_plan_is_followed_by_the_clock_of_each_piece(spied):
    plan = Plan(pitch=(2.0, 8.0), density=(1.0, 5.0, 1.0), seconds=99.0)
    spied.compose(4.0, seed=2, batch=2, plan=plan)
    heard = spied.nets["network"].heard
    seconds = spied.recipe.codec.symbol_seconds()
    elapsed, followed = np.zeros(2), replace(plan, seconds=4.0)  # stretched over the piece
    levels = set()
    for tokens, condition in heard:
        elapsed += seconds[tokens]
        at = np.minimum(np.floor(elapsed * 20 + 1e-9), 80) / 20  # read twenty times a second
        np.testing.assert_array_equal(condition.numpy(), followed(at))
        levels |= set(condition[:, :10].argmax(1).tolist())
    assert len(levels) > 4
    assert len(heard) > 20


def test_each_piece_may_have_its_own_plan(spied):
    low, high = Plan(pitch=(1.0,)), Plan(pitch=(8.0,))
    spied.compose(1.0, batch=2, plan=[low, high])
    for _, condition in spied.nets["network"].heard:
        assert condition[:, :10].argmax(1).tolist() == [1, 8]


def test_words_say_what_a_plan_says(spied):
    spied.compose(1.0, seed=1, key="A minor", pitch="3")
    by_words, spied.nets["network"].heard = spied.nets["network"].heard, []
    spied.compose(1.0, seed=1, plan=Plan.of(key="A minor", pitch="3"))
    for (_, a), (_, b) in zip(by_words, spied.nets["network"].heard, strict=True):
        assert torch.equal(a, b)


def test_a_preset_is_a_plan_and_words_come_before_it(spied):
    spied.compose(1.0, preset="sparse and low", pitch="7")
    condition = spied.nets["network"].heard[0][1][0]
    assert condition[:10].argmax() == 7
    assert condition[10:20].argmax() == 2


def test_without_words_a_model_is_told_nothing(spied):
    spied.compose(1.0)
    assert all(condition is None for _, condition in spied.nets["network"].heard)


def test_as_many_plans_as_pieces_or_one(runs):
    trained = load(runs.folder("conditional-char-rnn"))
    with pytest.raises(RequestError, match="3 pieces need one plan or 3, not 2"):
        trained.compose(1.0, batch=3, plan=[Plan(), Plan()])


def test_conditions_may_be_measured_on_less_than_the_original(runs):
    recipe = replace(
        runs.recipe("conditional-char-rnn"), condition=ConditionCodec(window=3, past_only=True)
    )
    learner, data = system(recipe), runs.data("conditional-char-rnn")
    nets = learner.build(data)
    logs = learner.train_step(nets, learner.optimizers(nets), data, 0)
    assert logs["train"].isfinite()
