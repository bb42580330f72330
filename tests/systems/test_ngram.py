"""N-gram models: counts worked by hand, and answers like any other system."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from running import run

from symphony.errors import FileError, RequestError
from symphony.systems import load, recipe, system
from symphony.systems.ngram.network import NGramTable
from symphony.systems.ngram.system import fit, name_of
from symphony.systems.sampling import generate
from symphony.systems.streams import encode_songs
from symphony.training import Card, Nets
from symphony.training.run import load_weights, save_weights

STREAM = np.array([3, 0, 1, 0, 1, 0, 2, 3])  # vocabulary 3, symbol 3 begins a piece


def test_a_bigram_worked_by_hand():
    table = NGramTable(3, 1).fit(STREAM)
    # Unigram: counts 3 2 1 2 of 8, 4 kinds: (count + 4/4) / 12
    unigram = np.array([4, 3, 2, 3]) / 12
    assert table.distribution([]) == pytest.approx(unigram)
    # After 0: 1 twice, 2 once; 2 kinds of 3: (count + 2 unigram) / 5
    assert table.distribution([0]) == pytest.approx((np.array([0, 2, 1, 0]) + 2 * unigram) / 5)


def test_orders_below_zero_know_nothing():
    assert NGramTable(3, -1).fit(STREAM).distribution([0, 1]).tolist() == [0.25] * 4
    assert NGramTable(362, -1).fit(STREAM).nll(STREAM) == pytest.approx(np.log(363))
    for vocab_size, order in ((3, -2), (0, 1)):
        with pytest.raises(ValueError, match="looks back"):
            NGramTable(vocab_size, order)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=12, max_size=60), st.integers(0, 5))
def test_distributions_sum_to_one_and_agree_with_the_likelihood(symbols, order):
    stream = np.array(symbols)
    table = NGramTable(4, order).fit(stream[:-6])
    slow = []
    for i in range(1, len(stream)):
        p = table.distribution(stream[max(0, i - order) : i])
        assert p.sum() == pytest.approx(1)
        assert (p > 0).all()
        slow.append(-np.log(p[stream[i]]))
    assert table.losses(stream) == pytest.approx(slow)
    assert table.nll(stream) == pytest.approx(np.mean(slow))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=8, max_size=40), st.integers(-1, 5))
def test_a_table_comes_back_from_its_weights_file(tmp_path_factory, symbols, order):
    path = tmp_path_factory.mktemp("table") / "weights.safetensors"
    stream = np.array(symbols)
    save_weights(Nets({"network": NGramTable(4, order).fit(stream)}), path)
    back = load_weights(Nets({"network": NGramTable(4, 8)}), path)["network"]
    assert back.order == order
    probe = np.array([0, 1, 2, 3, 4, *symbols])
    assert np.array_equal(back.losses(probe), NGramTable(4, order).fit(stream).losses(probe))


def test_a_long_context_recalls_what_it_counted():
    stream = np.tile([5, 0, 1, 2, 3, 4, 2, 1], 30)
    table = NGramTable(5, 6).fit(stream)
    assert table.nll(stream) < 0.1
    drawn = generate(table, 60, batch=2, seed=1)
    assert drawn.shape == (2, 60)
    assert drawn.max() < 5
    assert np.array_equal(drawn, generate(table, 60, batch=2, seed=1))


@pytest.mark.parametrize("length", [2, 4, 6])
def test_music_shorter_than_the_context_is_counted_and_measured_as_far_as_it_goes(length):
    short = STREAM[:length]
    table = NGramTable(3, 8).fit(short)
    assert table.distribution(np.array([0, 1])).sum() == pytest.approx(1)
    assert NGramTable(3, 8).fit(STREAM).losses(short).shape == (length - 1,)


def test_stepping_gives_the_logarithms_of_its_distributions():
    table = NGramTable(3, 2).fit(STREAM)
    state, past = table.initial_state(2), [[], []]
    for tokens in ([3, 0], [0, 1], [1, 0]):
        logits, state = table.step(torch.tensor(tokens), state)
        for row, token in enumerate(tokens):
            past[row].append(token)
            expected = np.log(table.distribution(np.array(past[row][-2:])))
            np.testing.assert_allclose(logits[row].numpy(), expected)


def test_counting_again_forgets_what_was_counted():
    table = NGramTable(3, 2).fit(np.array([3, 1, 1, 1, 3]))
    assert np.array_equal(
        table.fit(STREAM).losses(STREAM), NGramTable(3, 2).fit(STREAM).losses(STREAM)
    )


def test_every_order_composes_like_any_model(chorales):
    for name in ("uniform", "unigram", "ngram-3"):
        model = fit(recipe(name), chorales)
        assert model.name == model.recipe.name == name
        first, second = model.compose(3, seed=1, batch=2)
        assert first.seconds == pytest.approx(3, abs=1)
        assert not first.equals(second)
        assert model.compose(3, seed=1)[0].pitch.tolist() == first.pitch.tolist()


def test_the_validation_split_chooses_the_order(chorales):
    chosen = fit(recipe("ngram"), chorales)
    held_out = encode_songs(chorales.validation, chosen.recipe.codec)
    by_order = fit(recipe("ngram-8"), chorales).nets["network"].nll_by_order(held_out)
    best = min(by_order, key=by_order.get)
    assert (chosen.name, chosen.recipe.order) == (name_of(best), best)
    assert chosen.nets["network"].nll(held_out) == pytest.approx(by_order[best])
    assert chosen.card.recipe_hash == chosen.recipe.hash


def test_shorter_orders_are_part_of_the_longest(chorales):
    longest = fit(recipe("ngram-8"), chorales)
    stream = encode_songs(list(chorales.test)[:3], longest.recipe.codec)
    table = longest.nets["network"]
    by_order = table.nll_by_order(stream)
    assert list(by_order) == list(range(-1, 9))
    assert by_order[-1] == pytest.approx(np.log(364))
    for order in (-1, 0, 3, 8):
        assert table.shortened(order).nll(stream) == pytest.approx(by_order[order])
    with pytest.raises(ValueError, match="can't look back 3"):
        table.shortened(2).shortened(3)


def test_an_order_by_name_is_counted_when_it_is_loaded(chorales):
    model = load("ngram-2")
    assert (model.name, model.recipe.corpus, model.recipe.order) == ("ngram-2", "chorales", 2)
    assert model.card.corpus["fingerprint"] == chorales.fingerprint
    stream = encode_songs(chorales.train, model.recipe.codec)
    expected = NGramTable(model.recipe.codec.vocab_size, 2).fit(stream)
    assert model.nets["network"].nll(stream) == pytest.approx(expected.nll(stream))


def test_the_order_that_validation_chose_is_in_the_name():
    model = load("ngram")
    assert model.name == f"ngram-{model.recipe.order}"
    assert model.nets["network"].order == model.recipe.order


def test_a_corpus_that_nobody_knows_is_refused():
    with pytest.raises(RequestError, match=r"no corpus or folder 'chorale'\. Did you mean"):
        load("ngram-2", corpus="chorale")


def test_an_order_that_is_unknown_is_refused():
    with pytest.raises(FileError, match="There is no model 'ngram-9'"):
        load("ngram-9")


@pytest.mark.parametrize("name", ["uniform", "unigram", "ngram-2", "ngram"])
def test_a_trained_table_is_the_counted_one(name, runs, tmp_path):
    learner, data = system(recipe(name, "tiny")), runs.data("ngram-2")
    card = run(learner, data, tmp_path)
    trained = load(tmp_path)
    nets = learner.build(data)
    learner.train_step(nets, {}, data, 0)
    stream = data.arrays["test"]["symbols"]
    assert trained.nets["network"].nll(stream) == nets["network"].nll(stream)
    assert card.metrics["test_nats"] == nets["network"].nll(stream)
    assert card.parameters == {"network": 0}
    assert Card.load(tmp_path).recipe["name"] == name
    trained.compose(2.0)


def test_only_so_many_symbols_are_counted(runs):
    data = runs.data("ngram-2")
    stream = data.train["symbols"]
    longer = np.concatenate([stream, np.full(1_000_000, 5, np.int16)])
    learner = system(replace(recipe("ngram-1", "tiny"), subset=None))
    nets = learner.build(data)
    learner.train_step(nets, {}, replace(data, arrays={**data.arrays, "train": {
        "symbols": longer}}), 0)  # fmt: skip
    assert sum(nets["network"]._orders[0].totals) == 1_000_000
