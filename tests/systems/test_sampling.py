"""Drawing sequences from a model that predicts the next symbol."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symphony.errors import RequestError
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.sampling import draw, generate, one_thread, probabilities


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return CharLSTM(9, CharLSTMConfig(num_layers=2, hidden_size=16, embedding_dim=6))


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
    p = probabilities(np.array([logits]), temperature, top_p)[0]
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()
    assert logits[p.argmax()] == pytest.approx(max(logits), abs=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20), st.floats(0.01, 1))
def test_the_nucleus_is_the_smallest_set_that_holds_its_share(logits, top_p):
    whole, cut = (probabilities(np.array([logits]), top_p=p)[0] for p in (1.0, top_p))
    inside = cut > 0
    assert whole[inside].sum() >= top_p - 1e-9
    assert whole[inside].sum() - whole[inside].min() < top_p + 1e-9
    assert whole[~inside].max(initial=0) <= whole[inside].min() + 1e-12
    np.testing.assert_allclose(cut[inside] / cut.sum(), whole[inside] / whole[inside].sum())


def test_what_is_impossible_stays_so():
    p = probabilities(np.array([[0.0, -np.inf, 0.0]]), temperature=5.0, top_p=0.9)
    assert p[0].tolist() == [0.5, 0.0, 0.5]


def test_drawing_inverts_the_cumulative_distribution():
    p = np.array([[0.25, 0.0, 0.75]])
    for uniform, symbol in ((0.0, 0), (0.2499, 0), (0.25, 2), (0.999999, 2)):
        assert draw(p, np.array([uniform])) == symbol
    assert draw(np.array([[0.5, 0.5, 0.0]]), np.array([np.nextafter(1, 0)])) == 1


def test_draws_follow_the_probabilities():
    p = np.tile([0.5, 0.3, 0.2], (20_000, 1))
    drawn = draw(p, np.random.default_rng(0).random(20_000))
    counts, expected = np.bincount(drawn, minlength=3), 20_000 * p[0]
    assert ((counts - expected) ** 2 / expected).sum() < 9.21  # chi-square, 2 degrees, 1 %


def test_a_seed_repeats_and_does_not_depend_on_the_batch(model):
    first, again = generate(model, 40, batch=3, seed=5), generate(model, 40, batch=3, seed=5)
    assert np.array_equal(first, again)
    assert np.array_equal(generate(model, 40, batch=5, seed=5)[:3], first)
    assert not np.array_equal(generate(model, 40, batch=3, seed=6), first)
    assert not np.array_equal(first[0], first[1])


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


def test_draws_are_those_of_the_models_own_probabilities(model):
    drawn = generate(model, 12, seed=3, temperature=0.7, top_p=0.8)[0]
    tokens = torch.tensor([[9, *drawn[:-1]]])
    logits = model(tokens)[0][0].detach().double().numpy()
    logits[:, 9] = -np.inf
    uniform = np.random.default_rng((3, 0)).random(12)
    assert draw(probabilities(logits, 0.7, 0.8), uniform).tolist() == drawn.tolist()


def test_a_prompt_is_read_first(model):
    greedy = generate(model, 30, greedy=True)[0]
    assert np.array_equal(generate(model, 20, greedy=True, prompt=greedy[:10])[0], greedy[10:])


class Processor:
    """Rules out symbol 3, and has enough once every sequence drew five symbols."""

    def __init__(self, batch):
        self.seen = [[] for _ in range(batch)]

    def __call__(self, logits):
        logits = logits.copy()
        logits[:, 3] = -np.inf
        return logits

    def accept(self, symbols):
        for row, symbol in zip(self.seen, symbols.tolist(), strict=True):
            row.append(symbol)
        return len(self.seen[0]) == 5


@pytest.mark.parametrize("greedy", [False, True])
def test_a_processor_sees_every_symbol_and_says_when_it_is_enough(model, greedy):
    with torch.no_grad():
        model.head.bias[3] += 20
    try:
        processor = Processor(2)
        drawn = generate(model, 50, batch=2, greedy=greedy, processor=processor)
    finally:
        with torch.no_grad():
            model.head.bias[3] -= 20
    assert drawn.shape == (2, 5)
    assert processor.seen == drawn.tolist()
    assert (drawn != 3).all()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": np.nan}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"batch": 0}, "at least one step and one sequence"),
        ({"steps": 0}, "at least one step and one sequence"),
    ],
)
def test_impossible_settings_are_refused(model, settings, word):
    with pytest.raises(RequestError, match=word):
        generate(model, **{"steps": 5, **settings})


def test_a_softmax_without_temperature_is_refused():
    with pytest.raises(RequestError, match="above 0"):
        probabilities(np.zeros((1, 3)), temperature=0)


def test_a_broken_model_is_refused():
    broken = CharLSTM(9, CharLSTMConfig(1, 4))
    torch.nn.init.constant_(broken.head.bias, float("nan"))
    for settings in ({}, {"greedy": True}):
        with pytest.raises(RequestError, match="not finite"):
            generate(broken, 5, **settings)


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), one_thread():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_drawing_leaves_no_dropout_on_and_needs_no_gradient():
    model = CharLSTM(9, CharLSTMConfig(2, 16, 6, dropout=0.9))
    model.train()
    assert np.array_equal(generate(model, 20, seed=1), generate(model, 20, seed=1))
