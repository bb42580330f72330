import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony.models.char_rnn import CharRNN, CharRNNConfig

TINY = CharRNNConfig(vocabulary=11, layers=2, width=12, embedding=5)


def make(config=TINY, seed=0):
    torch.manual_seed(seed)
    return CharRNN(config)


@settings(max_examples=15)
@given(
    st.integers(1, 3), st.integers(1, 9), st.sampled_from([None, 4]), st.integers(1, 4),
    st.integers(1, 12),
)  # fmt: skip
def test_stepping_equals_running(layers, width, embedding, batch, length):
    model = make(CharRNNConfig(7, layers, width, embedding)).eval()
    tokens = torch.randint(0, 8, (batch, length))
    whole, (hidden, cell) = model(tokens)
    state = model.begin(batch)
    for t in range(length):
        logits, state = model.step(tokens[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state[0], hidden, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state[1], cell, atol=1e-5, rtol=1e-5)


def test_stepping_uses_the_very_weights_that_training_changes():
    model = make()
    before, _ = model.step(torch.tensor([1]), model.begin(1))
    with torch.no_grad():
        model.lstm.weight_ih_l0.add_(0.5)
    after, _ = model.step(torch.tensor([1]), model.begin(1))
    assert not torch.allclose(before, after)


def test_shapes():
    logits, (hidden, cell) = make()(torch.zeros((3, 4), dtype=torch.long))
    assert logits.shape == (3, 4, 12)
    assert hidden.shape == cell.shape == (2, 3, 12)


def test_every_weight_learns():
    model = make()
    model.loss(torch.randint(0, 12, (4, 20))).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name


def test_the_gradient_is_the_finite_difference():
    model = make().double()
    tokens = torch.randint(0, 12, (2, 9))
    model.loss(tokens).backward()
    weight = model.lstm.weight_hh_l0
    for place in ((0, 0), (7, 3), (30, 11)):
        with torch.no_grad():
            ends = []
            for move in (1e-6, -2e-6):
                weight[place] += move
                ends.append(model.loss(tokens).item())
            weight[place] += 1e-6
        assert weight.grad[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_it_learns_one_batch_by_heart():
    model = make(CharRNNConfig(11, 1, 32, 8))
    tokens = torch.randint(0, 11, (4, 17))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model.loss(tokens)
        loss.backward()
        optimizer.step()
    # All but the first symbols of four rows can be known: ln 4 / 16 nats at most remain.
    assert loss.item() < 0.15


def test_a_model_without_cells_is_refused():
    with pytest.raises(ValueError, match="needs symbols, layers and cells"):
        make(CharRNNConfig(7, 0))
