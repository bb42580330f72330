import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symphony.codecs import ConditionCodec
from symphony.models.char_rnn import CharRNN, CharRNNConfig
from symphony.models.conditional_rnn import ConditionalCharRNN, ConditionalCharRNNConfig
from symphony.training.measure import PieceLosses, held_out_loss, symbol_losses


def test_losses_gathered_by_piece_worked_by_hand():
    stream = np.array([9, 60, 300, 9, 61, 62, 9])  # two pieces of one and two notes
    cost = PieceLosses.of(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), stream)
    assert cost.nats.tolist() == [7, 56]
    assert cost.symbols.tolist() == [3, 3]
    assert cost.notes.tolist() == [2, 3]  # 9, the start symbol here, counts as a pitch
    assert cost.bits_per_event == pytest.approx(63 / np.log(2) / 6)


@given(st.integers(2, 700))
def test_the_mean_of_all_symbols_is_the_loss(length):
    torch.manual_seed(0)
    model = CharRNN(CharRNNConfig(7, 1, 8, 4))
    stream = np.random.default_rng(length).integers(0, 8, length)
    losses = symbol_losses(model, stream)
    assert length - 16 <= len(losses) <= length - 1
    assert losses.mean() == pytest.approx(held_out_loss(model, stream), rel=1e-5)


def test_a_conditional_model_is_told_what_belongs_to_each_symbol():
    torch.manual_seed(0)
    model = ConditionalCharRNN(ConditionalCharRNNConfig(363, 1, 8, 4)).eval()
    stream = np.random.default_rng(0).integers(0, 363, 30)
    rows = ConditionCodec(window=6).rows(stream, 363)
    logits, _ = model(torch.tensor(stream[None, :-1]), None, torch.tensor(rows[None, 1:]))
    expected = torch.nn.functional.cross_entropy(logits[0], torch.tensor(stream[1:]))
    told = held_out_loss(model, stream, asked=ConditionCodec(window=6))
    assert told == pytest.approx(expected.item(), rel=1e-5)
    assert told != pytest.approx(held_out_loss(model, stream), rel=1e-5)
