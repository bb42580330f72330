import numpy as np
import pytest

from symphony.training import CheckpointError, baseline, load_any
from symphony.training.baselines import BASELINES, ORDERS
from symphony.training.encoded import encode_songs


def test_every_chain_composes_like_any_model(chorales):
    for name in ("uniform", "unigram", "ngram-3"):
        chain = baseline(name, chorales)
        assert chain.recipe.name == name
        first, second = chain.compose(3, seed=1, batch=2)
        assert first.seconds == pytest.approx(3, abs=1)
        assert not first.equals(second)
        assert chain.compose(3, seed=1)[0].equals(first)


def test_the_validation_split_chooses_the_order(chorales):
    chosen = baseline("ngram", chorales)
    held_out = encode_songs(chorales.validation, chosen.codec)
    nats = {name: baseline(name, chorales).model.nll(held_out) for name in ORDERS}
    assert chosen.recipe.name == min(nats, key=nats.get)
    assert chosen.model.nll(held_out) == min(nats.values())


def test_a_chain_that_is_unknown_is_refused(chorales):
    with pytest.raises(CheckpointError, match="no chain 'ngram-9'"):
        baseline("ngram-9", chorales)


def test_a_name_may_be_a_chain_or_a_network(chorales):
    assert load_any("ngram-2").recipe.corpus == "chorales"
    assert load_any("char-rnn").recipe.name == "char-rnn"
    with pytest.raises(CheckpointError, match="There is no model"):
        load_any("nobody")
    assert len(set(BASELINES)) == 11


def test_shorter_chains_are_part_of_the_longest(chorales):
    stream = encode_songs(list(chorales.test)[:3], baseline("uniform", chorales).codec)
    longest = baseline("ngram-8", chorales).model
    by_order = longest.nll_by_order(stream)
    assert by_order[-1] == pytest.approx(np.log(364))
    for order in (0, 3, 8):
        assert longest.shortened(order).nll(stream) == pytest.approx(by_order[order])
    with pytest.raises(ValueError, match="can't look back"):
        longest.shortened(2).shortened(3)
