"""Char-RNN: an LSTM that predicts the next symbol."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from running import run
from torch.nn import functional

from symphony.errors import RequestError
from symphony.systems import system
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.streams import draw_windows

TINY = CharLSTMConfig(num_layers=2, hidden_size=12, embedding_dim=5)


def make(config=TINY, seed=0, vocab_size=11):
    torch.manual_seed(seed)
    return CharLSTM(vocab_size, config)


def loss_of(model, tokens):
    logits, _ = model(tokens[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@settings(max_examples=15)
@given(
    st.integers(1, 3), st.integers(1, 9), st.sampled_from([None, 4]), st.integers(1, 4),
    st.integers(1, 12),
)  # fmt: skip
def test_stepping_equals_running(layers, hidden_size, embedding, batch, length):
    model = make(CharLSTMConfig(layers, hidden_size, embedding), vocab_size=7).eval()
    tokens = torch.randint(0, 8, (batch, length))
    whole, (hidden, cell) = model(tokens)
    state = model.initial_state(batch)
    for t in range(length):
        logits, state = model.step(tokens[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state[0], hidden, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state[1], cell, atol=1e-5, rtol=1e-5)


def test_stepping_uses_the_very_weights_that_training_changes():
    model = make()
    before, _ = model.step(torch.tensor([1]), model.initial_state(1))
    with torch.no_grad():
        model.lstm.weight_ih_l0.add_(0.5)
    after, _ = model.step(torch.tensor([1]), model.initial_state(1))
    assert not torch.allclose(before, after)


def test_shapes():
    logits, (hidden, cell) = make()(torch.zeros((3, 4), dtype=torch.long))
    assert logits.shape == (3, 4, 12)
    assert hidden.shape == cell.shape == (2, 3, 12)


def test_symbols_are_read_one_hot_or_by_a_learned_embedding():
    tokens = torch.tensor([0, 11])
    one_hot = make(CharLSTMConfig(1, 4)).read(tokens)
    assert torch.equal(one_hot, torch.eye(12)[[0, 11]])
    model = make()
    assert torch.equal(model.read(tokens), model.embed.weight[[0, 11]])


def test_sequences_of_a_batch_do_not_hear_each_other():
    model, tokens = make().eval(), torch.randint(0, 12, (3, 7))
    torch.testing.assert_close(model(tokens)[0][1:2], model(tokens[1:2])[0])


def test_the_past_is_heard_and_the_future_is_not():
    model, tokens = make().eval(), torch.zeros((1, 8), dtype=torch.long)
    changed = tokens.clone()
    changed[0, 4] = 7
    before, after = model(tokens)[0][0], model(changed)[0][0]
    assert torch.equal(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:])


@pytest.mark.parametrize("embedding", [None, 5])
def test_every_weight_learns(embedding):
    model = make(replace(TINY, embedding_dim=embedding))
    loss_of(model, torch.randint(0, 12, (4, 40))).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name


def test_the_gradient_is_the_finite_difference():
    model = make().double()
    tokens = torch.randint(0, 12, (2, 9))
    loss_of(model, tokens).backward()
    weight = model.lstm.weight_hh_l0
    for place in ((0, 0), (7, 3), (30, 11)):
        with torch.no_grad():
            ends = []
            for move in (1e-6, -2e-6):
                weight[place] += move
                ends.append(loss_of(model, tokens).item())
            weight[place] += 1e-6
        assert weight.grad[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_it_learns_one_batch_by_heart():
    model = make(CharLSTMConfig(1, 32, 8))
    tokens = torch.randint(0, 11, (4, 17))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = loss_of(model, tokens)
        loss.backward()
        optimizer.step()
    # All but the first symbols of four rows can be known: ln 4 / 16 nats at most remain.
    assert loss.item() < 0.15


def test_dropout_is_on_while_training_and_off_otherwise():
    model, tokens = make(replace(TINY, dropout=0.5)), torch.zeros((1, 5), dtype=torch.long)
    assert not torch.equal(model(tokens)[0], model(tokens)[0])
    model.eval()
    assert torch.equal(model(tokens)[0], model(tokens)[0])


@pytest.mark.parametrize("config", [(0, 8), (1, 0), (1, 8, -1)])
def test_a_network_without_layers_or_cells_is_refused(config):
    with pytest.raises(ValueError, match="needs layers and cells"):
        CharLSTMConfig(*config)


def test_a_network_without_symbols_is_refused():
    with pytest.raises(ValueError, match="needs symbols"):
        CharLSTM(0, TINY)


def test_a_step_lowers_the_loss_of_its_own_windows(runs):
    chosen = replace(runs.recipe("char-rnn"), lr=0.01, network=TINY, warmup=0)
    learner, data = system(chosen), runs.data("char-rnn")
    nets = learner.build(data)
    opts = learner.optimizers(nets)
    tokens = torch.from_numpy(draw_windows(data.train["symbols"], chosen, 0))
    before = loss_of(nets["network"], tokens).item()
    logs = learner.train_step(nets, opts, data, 0)
    assert logs["train"].item() == pytest.approx(before, rel=1e-5)
    assert loss_of(nets["network"], tokens).item() < before
    assert opts["network"].param_groups[0]["lr"] == pytest.approx(learner.lr(0))
    learner.train_step(nets, opts, data, chosen.steps // 2)
    assert opts["network"].param_groups[0]["lr"] == pytest.approx(learner.lr(chosen.steps // 2))
    assert learner.lr(0) != learner.lr(chosen.steps // 2)


def test_a_learning_rate_beyond_all_bounds_stops_with_a_sentence(runs, tmp_path):
    chosen = replace(runs.recipe("char-rnn"), lr=1e37)
    with pytest.raises(RequestError, match="no longer a finite number at step 4"):
        run(system(chosen), runs.data("char-rnn"), tmp_path)


def test_weights_too_large_for_half_precision_get_no_card(runs, tmp_path):
    chosen = replace(runs.recipe("char-rnn"), lr=1e30)
    with pytest.raises(RequestError, match="half precision"):
        run(system(chosen), runs.data("char-rnn"), tmp_path)
    assert not (tmp_path / "card.json").exists()
