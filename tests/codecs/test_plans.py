import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.codecs import PRESETS, Plan, scale_histogram
from symphony.codecs.conditions import DENSITY, HISTOGRAM, PITCH
from symphony.errors import RequestError

levels = st.lists(st.floats(0, 9), min_size=1, max_size=5).map(tuple)


def test_from_high_to_low():
    plan = Plan.of(pitch="8:2", seconds=10)
    rows = plan(np.array([0.0, 5.0, 10.0, 99.0]))
    assert rows[:, PITCH].argmax(axis=1).tolist() == [8, 5, 2, 2]
    assert not rows[:, DENSITY].any()
    assert not rows[:, HISTOGRAM].any()


def test_there_and_back_and_two_keys():
    plan = Plan.of("C major:F# major", density="2:8:2", seconds=4)
    rows = plan(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert rows[:, DENSITY].argmax(axis=1).tolist() == [2, 5, 8, 5, 2]
    white, black = [0, 2, 4, 5, 7, 9, 11], [1, 3, 6, 8, 10]
    assert not rows[0, HISTOGRAM][black].any()
    assert rows[3, HISTOGRAM][black].all()
    assert rows[3, HISTOGRAM][white].sum() < 0.5


def test_keys():
    assert np.flatnonzero(scale_histogram("C major")).tolist() == [0, 2, 4, 5, 7, 9, 11]
    assert np.flatnonzero(scale_histogram("a minor")).tolist() == [0, 2, 4, 5, 7, 8, 9, 11]
    assert np.array_equal(scale_histogram("Bb major"), scale_histogram("A# major"))
    assert np.array_equal(scale_histogram("F♯ minor"), np.roll(scale_histogram("C minor"), 6))
    assert scale_histogram("D major").argmax() == 2
    assert np.array_equal(scale_histogram("G"), scale_histogram("G major"))
    for wrong in ("", "H major", "C dorian", "C major minor"):
        with pytest.raises(RequestError, match="There is no key"):
            scale_histogram(wrong)


@given(levels, levels, st.floats(0.1, 100), st.lists(st.floats(0, 200), min_size=1, max_size=9))
def test_a_plan_holds_one_level_at_a_time(pitch, density, seconds, times):
    rows = Plan(pitch, density, (), seconds)(np.array(times))
    for group, points in ((PITCH, pitch), (DENSITY, density)):
        assert np.array_equal(rows[:, group].sum(axis=1), np.ones(len(times)))
        level = rows[:, group].argmax(axis=1)
        assert min(points) - 0.5 <= level.min() <= level.max() <= max(points) + 0.5


@pytest.mark.parametrize("text", ["", "high", "10", "-1", "nan", "inf", "8:", "8;2"])
def test_levels_that_say_nothing_are_refused(text):
    with pytest.raises(RequestError, match="pitch"):
        Plan.of(pitch=text)


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ([0.0] * 12, "not all zero"),
        ([1.0] * 11 + [-1.0], "not negative"),
        ([1.0] * 11 + [float("nan")], "finite"),
        ([1.0] * 11 + [float("inf")], "finite"),
        ([1.0] * 11, "twelve"),
        (["C"] * 12, "twelve"),
        (1.0, "twelve"),
    ],
)
def test_histograms_that_no_music_has_are_refused(shares, why):
    with pytest.raises(RequestError, match=why):
        Plan(histograms=(shares,))


def test_a_piece_without_end_is_refused():
    with pytest.raises(RequestError, match="finite time"):
        Plan(seconds=float("inf"))


def test_every_preset_is_a_plan():
    for words in PRESETS.values():
        assert Plan.of(**words)(np.zeros(1)).any()
