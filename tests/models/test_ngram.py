import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony.models.ngram import NGram, NGramConfig
from symphony.models.sampling import generate

STREAM = np.array([3, 0, 1, 0, 1, 0, 2, 3])  # vocabulary 3, symbol 3 is the start


def test_a_bigram_worked_by_hand():
    chain = NGram(NGramConfig(3, 1)).fit(STREAM)
    # Unigram: counts 3 2 1 2 of 8, 4 kinds: (count + 4/4) / 12
    unigram = np.array([4, 3, 2, 3]) / 12
    assert chain.distribution([]) == pytest.approx(unigram)
    # After 0: 1 twice, 2 once; 2 kinds of 3: (count + 2 unigram) / 5
    assert chain.distribution([0]) == pytest.approx((np.array([0, 2, 1, 0]) + 2 * unigram) / 5)


def test_orders_below_zero_know_nothing():
    assert NGram(NGramConfig(3, -1)).fit(STREAM).distribution([0, 1]).tolist() == [0.25] * 4
    assert NGram(NGramConfig(362, -1)).fit(STREAM).nll(STREAM) == pytest.approx(np.log(363))
    with pytest.raises(ValueError, match="looks back"):
        NGram(NGramConfig(3, -2))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=12, max_size=60), st.integers(0, 5))
def test_distributions_sum_to_one_and_agree_with_the_likelihood(symbols, order):
    stream = np.array(symbols)
    chain = NGram(NGramConfig(4, order)).fit(stream[:-6])
    slow = []
    for i in range(1, len(stream)):
        chances = chain.distribution(stream[max(0, i - order) : i])
        assert chances.sum() == pytest.approx(1)
        assert (chances > 0).all()
        slow.append(-np.log(chances[stream[i]]))
    assert chain.nll(stream) == pytest.approx(np.mean(slow))


def test_a_long_context_recalls_what_it_counted():
    stream = np.tile([5, 0, 1, 2, 3, 4, 2, 1], 30)
    chain = NGram(NGramConfig(5, 6)).fit(stream)
    assert chain.nll(stream) < 0.1
    drawn = generate(chain, 60, batch=2, seed=1)
    assert drawn.shape == (2, 60)
    assert drawn.max() < 5
    assert np.array_equal(drawn, generate(chain, 60, batch=2, seed=1))
