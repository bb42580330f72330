"""Sources: what they read, and what Steady makes of one that fails."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.errors import FileError, RequestError
from symphony.live import Injected, Pad, Reading, Replay, Steady

RAMP = Replay(np.arange(0, 10, 0.02), np.linspace(0, 1, 500)[:, None].repeat(2, 1))


class Fake:
    """A source that does as it is told."""

    channels = 2

    def __init__(self, values=(0.2, 0.8)):
        self.values, self.there, self.opened, self.closed = values, True, 0, 0
        self.silent = False
        self.spoke = 0.0

    def open(self):
        if not self.there:
            raise OSError("not plugged in")
        self.opened += 1

    def close(self):
        self.closed += 1

    def read(self, now):
        if not self.there:
            raise OSError("gone")
        if not self.silent:
            self.spoke = now
        return Reading(np.array(self.values, float), self.spoke, now - self.spoke)


def test_a_replay_holds_each_row_until_the_next():
    replay = Replay([0.5, 1.0], [[0.1], [0.9]])
    assert not replay.read(0.4).ok
    assert [float(replay.read(t).values[0]) for t in (0.5, 0.99, 1.0, 9.0)] == [0.1, 0.1, 0.9, 0.9]
    assert replay.read(1.25).age == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("times", "values"),
    [([], []), ([0.0], [0.5]), ([0, 1], [[0.5]]), ([1, 0], [[0.5], [0.5]]), ([-1], [[0.5]]),
     ([float("nan")], [[0.5]]), ([0], [[0.5] * 65])],
)  # fmt: skip
def test_a_trace_that_is_none_is_refused(times, values):
    with pytest.raises(RequestError, match="trace"):
        Replay(times, values)


def test_a_trace_comes_back_from_its_file(tmp_path):
    RAMP.save(tmp_path / "x.json")
    back = Replay.load(tmp_path / "x.json")
    np.testing.assert_allclose(back.values, RAMP.values, atol=1e-4)


@given(st.binary(max_size=80))
def test_a_file_that_is_no_trace_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "x.json"
    path.write_bytes(data)
    with pytest.raises(FileError):
        Replay.load(path)


def test_a_deep_or_missing_trace_is_refused(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "odd.json").write_text(json.dumps({"times": [0], "values": [["a"]]}))
    for name in ("deep.json", "odd.json", "none.json"):
        with pytest.raises(FileError):
            Replay.load(tmp_path / name)


def test_a_pad_keeps_the_latest():
    pad = Pad()
    assert pad.read(0.0).values.tolist() == [0.5, 0.5]
    pad.move(0.1, 0.2)
    pad.move(0.3, 0.4)
    first, later = pad.read(1.0), pad.read(9.0)
    assert first.values.tolist() == later.values.tolist() == [0.3, 0.4]
    assert (first.time, later.time, later.age) == (1.0, 1.0, 0.0)  # a resting hand is not stale
    with pytest.raises(RequestError, match="2 axes"):
        pad.move(0.5)


def test_values_that_are_not_finite_hold_and_those_out_of_range_are_clipped_and_counted():
    fake = Fake()
    steady = Steady(fake)
    steady.open()
    assert steady.read(0.0).values.tolist() == [0.2, 0.8]
    fake.values = (float("nan"), 0.1)
    assert steady.read(0.1).values.tolist() == [0.2, 0.8]
    fake.values = (-3.0, float("inf"))
    assert steady.read(0.2).values.tolist() == [0.2, 0.8]
    fake.values = (-3.0, 2.0)
    assert steady.read(0.3).values.tolist() == [0.0, 1.0]
    fake.values = (0.5,)
    assert steady.read(0.4).values.tolist() == [0.0, 1.0]
    counted = {kind: n for kind, n in steady.faults.items() if n}
    assert counted == {"not finite": 2, "out of range": 2, "wrong channels": 1}


def test_a_silent_source_eases_to_neutral_and_comes_back():
    fake = Fake((0.0, 1.0))
    steady = Steady(fake)
    steady.open()
    steady.read(0.0)
    fake.silent = True
    held, half, rest = (steady.read(t).values for t in (0.5, 1.5, 2.5))
    assert held.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(half, [0.25, 0.75])  # half a second, then two to the middle
    np.testing.assert_allclose(rest, [0.5, 0.5])
    assert steady.faults["stale"] == 1
    fake.silent = False
    assert steady.read(2.6).values.tolist() == [0.0, 1.0]


def test_a_lost_device_is_looked_for_after_ever_longer_waits():
    fake = Fake()
    steady = Steady(fake)
    steady.open()
    steady.read(0.0)
    fake.there = False
    tried = []
    for tick in range(3000):
        before = steady.faults["not there"]
        steady.read(tick / 100)
        tried += [tick / 100] * (steady.faults["not there"] - before)
    waits = np.diff(tried)
    np.testing.assert_allclose(waits[:5], [0.5, 1, 2, 4, 8], atol=0.011)
    assert (np.diff(waits) > -0.02).all()
    fake.there = True
    after = [steady.read(30 + tick / 100) for tick in range(900)]
    assert after[-1].ok
    assert after[-1].values.tolist() == [0.2, 0.8]


def test_a_device_that_is_not_there_at_first_is_an_error_at_once():
    fake = Fake()
    fake.there = False
    with pytest.raises(OSError, match="not plugged in"):
        Steady(fake).open()


def test_a_source_is_closed_once_and_may_fail_at_that():
    class Stuck(Fake):
        def close(self):
            super().close()
            raise OSError("stuck")

    fake = Stuck()
    with Steady(fake) as steady:
        steady.read(0.0)
    steady.close()
    assert fake.closed == 1
    assert steady.faults["close failed"] == 1


KINDS = st.sampled_from(["disconnect", "nan", "stall", "range", "channels"])
SPANS = st.tuples(st.floats(0, 9), st.floats(0, 4), KINDS).map(lambda f: (f[0], f[0] + f[1], f[2]))


@given(st.lists(SPANS, max_size=6))
def test_whatever_fails_values_stay_finite_and_in_range(faults):
    with Steady(Injected(RAMP, faults)) as steady:
        for now in np.arange(0, 14, 0.05):
            reading = steady.read(float(now))
            assert reading.values.shape == (2,)
            assert ((reading.values >= 0) & (reading.values <= 1)).all()
            assert reading.age >= 0
