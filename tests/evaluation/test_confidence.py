import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from symphony.errors import RequestError
from symphony.evaluation import UNDEFINED, bootstrap, spearman

numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


@given(numbers)
def test_the_interval_lies_within_the_values(values):
    found = bootstrap(np.array(values), resamples=50)
    slack = 1e-6 * (1 + max(map(abs, values)))
    assert found.estimate == pytest.approx(np.mean(values), abs=slack)
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack


def test_it_covers_the_mean_as_often_as_it_says():
    # 200 normal samples of 50: a 95 % interval misses 5 % of the time, give or take 4 errors.
    rng = np.random.default_rng(0)
    hits = [
        found.low <= 0 <= found.high
        for found in (bootstrap(rng.normal(size=50), resamples=300) for _ in range(200))
    ]
    assert np.mean(hits) == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 200))


def test_it_agrees_with_scipy():
    values = np.random.default_rng(1).exponential(size=80)
    ours = bootstrap(values, np.median, resamples=4000)
    theirs = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=4000, rng=np.random.default_rng(0)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_what_is_undefined_is_left_out():
    found = bootstrap(np.array([1.0, np.nan, 3.0]))
    assert (found.estimate, found.values) == (2.0, 2)
    assert bootstrap(np.array([np.nan])) is UNDEFINED
    assert str(UNDEFINED) == "–"
    one = bootstrap(np.array([7.0]))
    assert one.estimate == 7
    assert np.isnan(one.low)
    assert str(one) == "7"


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(20.0)
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_rank_correlation_worked_by_hand():
    # Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 (0 + 1 + 1 + 0) / (4 (16 - 1)) = 0.8.
    assert spearman([10, 20, 30, 40], [1, 5, 4, 100]).estimate == pytest.approx(0.8)
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]).estimate)
    with pytest.raises(RequestError, match="three or more pairs"):
        spearman([1, 2, 3], [1, 2])
