import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import songs

from symphony.codecs import ConditionCodec, EventCodec
from symphony.codecs.conditions import DENSITY, HISTOGRAM, PITCH, REPORTED
from symphony.errors import RequestError

V = 363
BOS, SECOND = V, 355  # a shift of a whole second


def one(row, group):
    """The level of a row, or None."""
    return int(row[group].argmax()) if row[group].any() else None


def test_a_window_worked_by_hand():
    # Four events around each: two before the one to predict, it and one after.
    tokens = np.array([BOS, 60, SECOND, 64, 76, SECOND, BOS])
    rows = ConditionCodec(window=4).rows(tokens, V)
    # To predict the 64: events 60, shift, 64, 76, so three notes in a second, mean 66.7.
    row = rows[3]
    assert (one(row, PITCH), one(row, DENSITY)) == (6, 2)  # 65 <= 66.7 < 69; 3 <= 3 < 4
    assert row[HISTOGRAM][[0, 4]].tolist() == pytest.approx([1 / 3, 2 / 3])
    # From the past alone only 60 and the shift are known: one note in a second.
    row = ConditionCodec(window=4, past_only=True).rows(tokens, V)[3]
    assert (one(row, PITCH), one(row, DENSITY)) == (4, 0)  # 57 <= 60 < 61; 1 < 2
    assert row[HISTOGRAM][0] == 1


def test_the_reports_levels_worked_by_hand():
    # Mean pitch by tens, five at least; note-ons among 50 events by hundredths above .10.
    for pitch, level in ((30, 5), (59, 5), (60, 6), (75, 7), (99, 9)):
        rows = REPORTED.rows(np.array([BOS, pitch, pitch]), V)
        assert one(rows[1], PITCH) == level
    tokens = np.full(50, SECOND)
    tokens[20:27] = 60  # 7 of 50 events are note-ons: .14
    rows = REPORTED.rows(tokens, V)
    assert one(rows[25], DENSITY) == 4


def test_a_window_ends_where_its_song_does():
    low, high = [30, SECOND] * 30, [90, SECOND] * 30
    tokens = np.array([BOS, *low, BOS, *high, BOS])
    rows = ConditionCodec().rows(tokens, V)
    assert {one(row, PITCH) for row in rows[1:62]} == {0}  # the end of the first is its own
    assert {one(row, PITCH) for row in rows[62:]} == {9}


def test_a_window_that_ends_with_the_past_does_not_know_the_answer():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, V, 200)
    changed = tokens.copy()
    changed[100:] = rng.integers(0, V, 100)
    past = ConditionCodec(past_only=True)
    assert np.array_equal(past.rows(tokens, V)[:101], past.rows(changed, V)[:101])
    centred = ConditionCodec()
    assert not np.array_equal(centred.rows(tokens, V)[:101], centred.rows(changed, V)[:101])


@given(songs(), st.integers(2, 60), st.booleans(), st.sampled_from(["rate", "share"]))
def test_rows_are_shares_and_levels(song, window, past_only, density):
    tokens = EventCodec().encode(song)
    rows = ConditionCodec(window, past_only, density).rows(tokens, V)
    assert rows.shape == (len(tokens), 32)
    for group in (PITCH, DENSITY, HISTOGRAM):
        total = rows[:, group].sum(axis=1)
        assert np.all(np.isclose(total, 0, atol=1e-6) | np.isclose(total, 1, atol=1e-6))


@given(songs(), st.integers(1, 3))
def test_a_batch_is_measured_row_by_row(song, copies):
    tokens = EventCodec().encode(song)
    batch = np.stack([np.roll(tokens, k) for k in range(copies)])
    codec = ConditionCodec(window=8)
    assert np.array_equal(codec.rows(batch, V), [codec.rows(row, V) for row in batch])


def test_settings_that_measure_nothing_are_refused():
    with pytest.raises(RequestError, match="at least two events"):
        ConditionCodec(window=1)
    with pytest.raises(RequestError, match="nine rising edges"):
        ConditionCodec(pitch_edges=(1, 2, 3))
    with pytest.raises(RequestError, match="nine rising edges"):
        ConditionCodec(density_edges=(9, 8, 7, 6, 5, 4, 3, 2, 1))
