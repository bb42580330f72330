"""Mappings: each stage against numbers worked by hand, and what holds for all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.errors import RequestError
from symphony.live import Calibration, Mapping, Morph, Replay, emg_mapping, mapping_for
from symphony.live.mappings import Kept, dead_zone, held, hysteresis, one_euro, shares
from symphony.live.traces import GESTURES, muscles, rms, rms_trace

UNIT = st.floats(0, 1)


def test_a_one_euro_step_is_the_papers_formula():
    first = one_euro(None, np.array([0.0]), 0.0)
    second = one_euro(first, np.array([1.0]), 0.1, min_cutoff=1.0, beta=2.0, speed_cutoff=1.0)
    share = 1 / (1 + 1 / (2 * np.pi * 1.0 * 0.1))  # te = 0.1 s, tau = 1/2πf
    speed = share * 10.0
    cutoff = 1.0 + 2.0 * speed
    expected = 1 / (1 + 1 / (2 * np.pi * cutoff * 0.1))
    assert second.speed[0] == pytest.approx(speed)
    assert second.value[0] == pytest.approx(expected)
    assert one_euro(second, np.array([0.0]), 0.1) == second  # no time has passed


def test_a_filter_calms_a_trembling_hand_and_follows_a_moving_one():
    times = np.arange(0, 2, 1 / 60)
    tremor = 0.5 + 0.01 * np.sin(2 * np.pi * 9 * times)
    kept, out = None, []
    for t, v in zip(times, tremor, strict=True):
        kept = one_euro(kept, np.array([v]), t)
        out.append(kept.value[0])
    assert np.std(out[60:]) < 0.35 * np.std(tremor)
    for t in np.arange(2, 2.35, 1 / 60):
        kept = one_euro(kept, np.array([1.0]), t)
    assert kept.value[0] > 0.95  # a third of a second after a jump


def test_a_dead_zone_is_flat_in_the_middle_and_reaches_the_ends():
    values = np.array([0.0, 0.45, 0.5, 0.55, 0.6, 1.0])
    np.testing.assert_allclose(dead_zone(values, 0.05), [0, 0.5, 0.5, 0.5, 0.5 + 0.05 / 0.9, 1])


@given(st.lists(UNIT, min_size=2, max_size=30))
def test_a_dead_zone_keeps_the_order(values):
    out = dead_zone(np.sort(values), 0.05)
    assert (np.diff(out) >= -1e-12).all()
    assert ((out >= 0) & (out <= 1)).all()


def test_a_level_is_left_only_when_clearly_past():
    level = hysteresis(np.array([0.5]), 11, None)
    assert level[0] == 0.5
    assert hysteresis(np.array([0.569]), 11, level)[0] == 0.5  # less than .5 + .2 of a step
    assert hysteresis(np.array([0.571]), 11, level)[0] == pytest.approx(0.6)


@given(st.lists(UNIT, min_size=1, max_size=40), st.integers(2, 12))
def test_levels_are_even_steps_near_the_value(values, levels):
    before = None
    for value in values:
        before = hysteresis(np.array([value]), levels, before)
        assert before[0] * (levels - 1) == pytest.approx(round(before[0] * (levels - 1)))
        assert abs(before[0] - value) <= 0.7 / (levels - 1) + 1e-9


def test_all_sensors_must_move_for_a_new_gesture():
    place = np.full(8, 0.5)
    one = place.copy()
    one[3] = 1.0  # RMS distance .18
    assert held(one, place, 0.3) is place
    assert held(place + 0.4, place, 0.3) is not place
    assert held(one, None, 0.3) is one


def test_a_mapping_keeps_nothing():
    mapping = Mapping(10)
    _, kept = mapping(np.array([0.2, 0.9]), 0.0, Kept())
    a, b = (mapping(np.array([0.8, 0.1]), 0.5, kept)[0] for _ in range(2))
    assert a.tolist() == b.tolist()


def test_ranks_over_a_wearers_own_muscles_are_uniform_and_the_same_for_a_stronger_arm():
    rng = np.random.default_rng(0)
    strong = np.exp(rng.normal(size=(5000, 8)))
    weak = 0.3 * strong
    times = np.arange(5000) / 50
    ranks = [
        np.array([Calibration.of(Replay(times, v))(row) for row in v[:300]]) for v in (strong, weak)
    ]
    np.testing.assert_allclose(*ranks, atol=1e-9)
    deciles = np.quantile(ranks[0], [0.1, 0.5, 0.9])
    np.testing.assert_allclose(deciles, [0.1, 0.5, 0.9], atol=0.06)


def test_a_calibration_refuses_what_it_cannot_learn_from_or_read():
    with pytest.raises(RequestError, match="ten finite readings"):
        Calibration.of(Replay([0.0], [[0.5] * 8]))
    trace = rms_trace(muscles(["rest"], 1.0))
    with pytest.raises(RequestError, match="8 sensors"):
        Calibration.of(trace)(np.zeros(7))


def test_corners_of_a_pad_are_its_saved_places():
    morph = Morph.drawn(8, seed=1)
    for (x, y), corner in zip([(0, 0), (1, 0), (0, 1), (1, 1)], morph.corners, strict=True):
        np.testing.assert_allclose(morph(np.array([x, y])), corner)
    np.testing.assert_allclose(morph(np.array([0.5, 0.5])), morph.corners.mean(axis=0))


def test_weights_of_nothing_are_equal_shares():
    np.testing.assert_allclose(shares(np.zeros(12)), np.full(12, 1 / 12))
    np.testing.assert_allclose(shares(np.full(4, np.nan)), np.full(4, 0.25))
    np.testing.assert_allclose(shares(np.array([1.0, 3.0, -5.0])), [0.25, 0.75, 0.0])


def test_a_mapping_is_chosen_by_how_many_values_there_are():
    assert mapping_for(2, 2, 10).curve is None
    assert isinstance(mapping_for(2, 8, 5).curve, Morph)
    with pytest.raises(RequestError, match="8 values can't lead 2"):
        mapping_for(8, 2, 10)


def test_made_up_muscles_have_the_strengths_they_should_and_heavy_tails():
    frames = muscles(["fist"], 60.0)
    assert frames.dtype == np.int8
    np.testing.assert_allclose(rms(frames) * 128, GESTURES["fist"], rtol=0.15)
    x = frames[:, 0] / frames[:, 0].std()
    assert (x**4).mean() - 3 > 2  # a normal distribution has 0
    assert not np.array_equal(frames, muscles(["fist"], 60.0, wearer=1))
    for wrong in ([], ["wink"]):
        with pytest.raises(RequestError, match="Gestures are"):
            muscles(wrong)


def test_gestures_are_told_apart_and_do_not_tremble():
    order = ["rest", "wave in", "wave out", "fist"] * 3
    worn = Calibration.of(rms_trace(muscles(order, seed=1)))
    mapping, trace = emg_mapping(worn, 5), rms_trace(muscles(order, seed=2))
    kept, places = Kept(), []
    for now in np.arange(0.2, 36, 0.02):
        level, kept = mapping(trace.read(now).values, now, kept)
        places.append(level)
    changes = (np.diff(np.array(places), axis=0) != 0).any(axis=1).sum()
    assert 11 <= changes <= 30  # eleven changes of gesture
