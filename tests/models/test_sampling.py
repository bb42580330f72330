import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symphony.models.char_rnn import CharRNN, CharRNNConfig
from symphony.models.sampling import draw, generate, probabilities


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return CharRNN(CharRNNConfig(9, 2, 16, 6))


def test_softmax_worked_by_hand():
    logits = np.log([[1.0, 2.0, 5.0]])
    assert probabilities(logits)[0] == pytest.approx([0.125, 0.25, 0.625])
    assert probabilities(logits, temperature=0.5)[0] == pytest.approx(np.array([1, 4, 25]) / 30)


def test_the_nucleus_worked_by_hand():
    logits = np.log([[1.0, 2.0, 5.0, 2.0]])  # .1 .2 .5 .2
    assert probabilities(logits, top_p=0.5)[0].tolist() == [0, 0, 1, 0]
    assert probabilities(logits, top_p=0.6)[0] == pytest.approx([0, 2 / 7, 5 / 7, 0])
    assert probabilities(logits, top_p=1.0)[0] == pytest.approx([0.1, 0.2, 0.5, 0.2])


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=20), st.floats(0.05, 5), st.floats(0.01, 1)
)
def test_probabilities_are_probabilities(logits, temperature, top_p):
    chances = probabilities(np.array([logits]), temperature, top_p)[0]
    assert chances.sum() == pytest.approx(1)
    assert (chances >= 0).all()
    assert logits[chances.argmax()] == pytest.approx(max(logits), abs=1e-9)


def test_drawing_inverts_the_cumulative_distribution():
    chances = np.array([[0.25, 0.0, 0.75]])
    for uniform, symbol in ((0.0, 0), (0.2499, 0), (0.25, 2), (0.999999, 2)):
        assert draw(chances, np.array([uniform])) == symbol
    assert draw(np.array([[0.5, 0.5, 0.0]]), np.array([np.nextafter(1, 0)])) == 1


def test_draws_follow_the_probabilities():
    chances = np.tile([0.5, 0.3, 0.2], (20_000, 1))
    drawn = draw(chances, np.random.default_rng(0).random(20_000))
    counts = np.bincount(drawn, minlength=3)
    expected = 20_000 * chances[0]
    assert ((counts - expected) ** 2 / expected).sum() < 9.21  # chi-square, 2 degrees, 1 %


def test_a_seed_repeats_and_does_not_depend_on_the_batch(model):
    first, again = generate(model, 40, batch=3, seed=5), generate(model, 40, batch=3, seed=5)
    assert np.array_equal(first, again)
    assert np.array_equal(generate(model, 40, batch=5, seed=5)[:3], first)
    assert not np.array_equal(generate(model, 40, batch=3, seed=6), first)


def test_the_start_symbol_is_never_drawn(model):
    with torch.no_grad():
        model.head.bias[9] += 50
    try:
        for settings in ({}, {"greedy": True}, {"top_p": 0.3}):
            assert generate(model, 200, **settings).max() < 9
    finally:
        with torch.no_grad():
            model.head.bias[9] -= 50


def test_temperature_zero_is_greedy_and_greedy_is_the_argmax(model):
    cold, greedy = generate(model, 30, temperature=0), generate(model, 30, greedy=True)
    assert np.array_equal(cold, greedy)
    tokens = torch.tensor([[9, *greedy[0, :-1]]])
    logits = model(tokens)[0][0, :, :9]
    assert logits.argmax(-1).tolist() == greedy[0].tolist()


def test_a_prompt_is_read_first(model):
    greedy = generate(model, 30, greedy=True)[0]
    assert np.array_equal(generate(model, 20, greedy=True, prompt=greedy[:10])[0], greedy[10:])


def test_the_trace_has_a_row_a_step(model):
    trace = []
    generate(model, 7, batch=2, trace=trace)
    assert np.stack(trace).shape == (7, 2, 16)


@pytest.mark.parametrize("settings", [{"temperature": -1}, {"temperature": np.nan}, {"top_p": 0},
                                      {"top_p": 1.5}, {"batch": 0}, {"seed": [1, 2]}])  # fmt: skip
def test_impossible_settings_are_refused(model, settings):
    with pytest.raises(ValueError, match=r"temperature|top_p|at least one|seed"):
        generate(model, 5, **settings)


def test_a_broken_model_is_refused():
    broken = CharRNN(CharRNNConfig(9, 1, 4))
    torch.nn.init.constant_(broken.head.bias, float("nan"))
    for settings in ({}, {"greedy": True}):
        with pytest.raises(ValueError, match="not finite"):
            generate(broken, 5, **settings)
