"""Who plays: in virtual time, with systems small enough to follow by hand, and every failure."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony.errors import FileError, RequestError, SongError
from symphony.live import (
    Improviser,
    Injected,
    Mapping,
    Recording,
    Replay,
    Several,
    Slowed,
    SongFile,
    Steady,
    Tape,
    VirtualClock,
    WallClock,
    with_stalls,
)
from symphony.song import Song
from symphony.training import Moment


class Counting:
    """A note every tenth of a second; its pitch is where the hand is, its length a twentieth."""

    axes, levels = ("pitch",), 11

    def inputs(self, values):
        return np.asarray(values, np.float32)

    def begin(self):
        return 0

    def step(self, state, inputs):
        pitch = 40 + round(float(inputs[0]) * 10)
        if state % 2:
            return Moment(((pitch, 0), (40, 0)), 0.05), state + 1
        return Moment(((pitch, 80),), 0.05), state + 1

    def cut(self, state, inputs, seconds):
        return None


class Waiting(Counting):
    """A short note, then a wait of nearly a second, which may be cut."""

    def step(self, state, inputs):
        pitch = 40 + round(float(inputs[0]) * 10)
        moments = [(((pitch, 80),), 0.05), (((pitch, 0),), 0.0), ((), 0.9)]
        return Moment(*moments[state % 3]), state + 1

    def cut(self, state, inputs, seconds):
        assert state % 3 == 2  # only a wait is cut
        return Moment((), math.ceil(seconds * 100) / 100), state + 1


class Hanging(Counting):
    """It never lets go of a key."""

    def step(self, state, inputs):
        return Moment(((40 + state % 40, 80),), 0.5), state + 1


TIMES = np.arange(0, 20, 0.02)
JUMP = Replay(TIMES, (TIMES >= 2.0)[:, None])
STILL = Replay(TIMES, np.full((len(TIMES), 1), 0.5))
PLAIN = Mapping(11, dead=0.0, min_cutoff=1e6)


def play(led=None, source=JUMP, seconds=4.0, cost=0.001, sink=None, mapping=PLAIN, **how):
    clock, tape = VirtualClock(), Tape()
    led = Slowed(led or Counting(), clock, cost if callable(cost) else lambda rng: cost)
    improviser = Improviser(led, Several([tape, *([sink] if sink else [])]), clock, **how)
    report = improviser.play(Steady(source), mapping, seconds)
    return report, tape


def struck(tape):
    return [(round(time, 6), pitch) for time, pitch, velocity in tape.events if velocity]


def test_notes_come_when_they_are_due():
    report, tape = play(seconds=3.95)
    times = [time for time, _ in struck(tape)]
    np.testing.assert_allclose(np.diff(times), 0.1, atol=1e-6)
    assert report.late_share == 0.0
    assert report.notes == len(times) == 40
    assert (report.underruns, tape.down) == (0, set())


def test_a_branch_answers_a_hand_while_the_old_music_plays_on():
    _, tape = play()
    first = next(time for time, pitch in struck(tape) if pitch == 50)
    assert 2.0 < first <= 2.0 + 0.005 + 0.06 + 0.1 + 0.01  # a reading, the lead, a note's distance
    report, _ = play(answer="wait")
    assert report.control_to_sound()[1] > 0.4  # all of the look-ahead
    assert play(answer="roll back")[0].control_to_sound()[1] < 0.2


def test_a_long_wait_is_cut_where_the_hand_moves():
    source = Replay(TIMES, (TIMES >= 2.1)[:, None])  # notes come at 0, .95, 1.9, 2.85
    report, tape = play(Waiting(), source=source)
    assert [pitch for _, pitch in struck(tape)][:4] == [40, 40, 40, 50]
    answered = struck(tape)[3][0]
    assert 2.1 + 0.06 <= answered <= 2.1 + 0.1
    assert play(Waiting(), source=source, answer="wait")[0].control_to_sound()[1] > 0.7
    assert [p.cut for p in report.played if p.cut] == [pytest.approx(answered - 1.95)]
    assert report.composed == len(report.played) + report.discarded
    again = Tape()
    Improviser(Waiting(), again, VirtualClock()).repeat(report.played, report.seconds)
    assert again.events == tape.events


def test_answers_are_logged_from_hand_to_sound():
    report, _ = play()
    first, second = report.controls
    assert (first.sensed, first.sounded) == (0.0, pytest.approx(0.001, abs=0.01))
    assert second.sensed == pytest.approx(2.0, abs=0.01)
    assert second.sensed <= second.used <= second.sounded


def test_what_a_branch_replaces_is_counted_and_nothing_else_is_thrown_away():
    report, _ = play()
    assert report.composed == len(report.played) + report.discarded
    assert 0 < report.discarded < 40
    still, _ = play(source=STILL)
    assert still.discarded <= 12  # what was ready when it ended


def test_a_stall_shorter_than_the_look_ahead_is_not_heard():
    calls = iter(range(10**9))
    report, _ = play(cost=lambda rng: 0.4 if next(calls) == 60 else 0.001)
    assert report.late_share == 0.0
    assert report.underruns == 0


def test_an_underrun_moves_the_clock_and_never_hurries():
    calls = iter(range(10**9))
    report, tape = play(cost=lambda rng: 1.5 if next(calls) == 30 else 0.001)
    gaps = np.diff([time for time, _ in struck(tape)])
    assert report.underruns == 1
    assert gaps.max() > 0.5
    assert gaps.min() > 0.1 - 1e-6  # what came late is not played in a burst
    assert report.late_share == pytest.approx(1 / report.notes)


def test_a_slow_model_looks_further_ahead_and_says_so():
    report, tape = play(cost=0.06, seconds=8.0)  # slower than its music
    assert report.look_ahead > 0.5
    assert "can't keep up" in report.notices[0]
    assert tape.down == set()


def test_a_note_that_is_never_released_is_released_for_it():
    _, tape = play(Hanging(), seconds=12.0)
    begun = {}
    for time, pitch, velocity in tape.events:
        if velocity:
            begun.setdefault(pitch, time)
        else:
            assert time - begun.pop(pitch) <= 8.0 + 1e-9
    assert not begun


FAULTS = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.floats(0.05, 3),
        st.sampled_from(["disconnect", "nan", "stall", "range", "channels"]),
    ).map(lambda f: (f[0], f[0] + f[1], f[2])),
    max_size=4,
)


@given(FAULTS, st.floats(0, 0.1), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_whatever_fails_the_music_goes_on_and_ends_in_silence(faults, stalls, seed):
    wander = Replay(np.arange(0, 6, 0.1), np.random.default_rng(seed).random((60, 1)))
    clock, tape = VirtualClock(), Tape()
    led = Slowed(Counting(), clock, with_stalls(0.002, stalls), seed)
    report = Improviser(led, tape, clock).play(Steady(Injected(wander, faults)), PLAIN, 6.0)
    assert tape.down == set()
    times = [time for time, _, _ in tape.events]
    assert times == sorted(times)
    assert max(times) <= 6.0
    assert [p.number for p in report.played] == list(range(len(report.played)))
    assert report.notes > 10


class Breaks(Tape):
    """A sink that fails after so many notes."""

    def __init__(self, after):
        super().__init__()
        self.after, self.closed = after, False

    def send(self, time, pitch, velocity):
        if velocity and len(self.events) >= self.after:
            raise OSError("the cable")
        super().send(time, pitch, velocity)

    def close(self):
        self.closed = True


def test_a_sink_that_breaks_ends_the_performance_with_every_key_up():
    tape, breaks = Tape(), Breaks(7)
    clock = VirtualClock()
    led = Slowed(Counting(), clock, lambda rng: 0.001)
    improviser = Improviser(led, Several([breaks, tape]), clock)
    with pytest.raises(OSError, match="the cable"):
        improviser.play(Steady(JUMP), PLAIN, 4.0)
    assert (breaks.closed, breaks.down, tape.down) == (True, set(), set())
    assert len(tape.events) >= 7


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_performance_ends_with_every_key_up_and_can_be_kept(error):
    class Stops(Counting):
        def step(self, state, inputs):
            if state == 51:
                raise error
            return super().step(state, inputs)

    clock, tape = VirtualClock(), Tape()
    improviser = Improviser(Slowed(Stops(), clock, lambda r: 0.001), tape, clock)
    with pytest.raises(error):
        improviser.play(Steady(STILL), PLAIN, 9.0)
    assert tape.down == set()
    assert improviser.report.seconds < 9.0
    again = Tape()
    report = improviser.report
    Improviser(Counting(), again, VirtualClock()).repeat(report.played, report.seconds)
    assert again.events == tape.events


def test_a_performance_is_repeated_note_for_note():
    wander = Replay(np.arange(0, 6, 0.13), np.random.default_rng(1).random((47, 1)))
    for answer in ("branch", "roll back", "wait"):
        report, tape = play(
            source=wander, seconds=6.0, cost=with_stalls(0.003, 0.03), answer=answer
        )
        again = Tape()
        Improviser(Counting(), again, VirtualClock()).repeat(report.played, report.seconds)
        assert again.events == tape.events


def test_in_real_time_a_thread_plays_and_what_it_meets_is_told():
    tape, clock = Tape(), WallClock()
    report = Improviser(Counting(), tape, clock).play(Steady(STILL), PLAIN, 0.35)
    assert report.notes >= 3
    assert tape.down == set()
    assert [t.name for t in threading.enumerate() if t.name == "symphony live"] == []
    breaks = Breaks(3)
    with pytest.raises(OSError, match="the cable"):
        Improviser(Counting(), breaks, WallClock()).play(Steady(STILL), PLAIN, 0.35)
    assert breaks.closed


@pytest.mark.parametrize("ahead", [0.0, 0.05, 5.0, float("nan")])
def test_a_look_ahead_that_makes_no_sense_is_refused(ahead):
    with pytest.raises(RequestError, match="Look ahead"):
        Improviser(Counting(), Tape(), VirtualClock(), look_ahead=ahead)


def test_what_does_not_fit_is_refused_and_the_sink_closed():
    for seconds in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(RequestError, match="lasts more than 0 s"):
            play(seconds=seconds)
    two = Replay([0.0], [[0.5, 0.5]])
    sink = Breaks(99)
    with pytest.raises(RequestError, match="The mapping gives"):
        play(source=two, sink=sink)
    assert sink.closed


def test_a_tape_becomes_a_song_and_a_file(tmp_path):
    tape = Tape()
    with pytest.raises(SongError, match="Nothing was played"):
        tape.song()
    file = SongFile(tmp_path / "x.mid")
    file.close()
    assert not file.path.exists()
    for event in [(0.5, 60, 90), (1.0, 60, 70), (1.5, 60, 0), (1.5, 62, 0)]:
        tape.send(*event)
        file.send(*event)
    song = tape.song()
    assert song.onset.tolist() == [0.5, 1.0]
    assert song.duration.tolist() == [0.5, 0.5]
    assert song.velocity.tolist() == [90, 70]
    file.close()
    assert Song.from_midi(file.path).equals(song, 1e-3)
    with pytest.raises(RequestError):
        SongFile("x.ogg")


RECORDING = Recording(
    "m", "0" * 64, 1, {"key": None}, ((0, (0.5,)), (4, (0.25,))), ((3, 0.5),), ((2, 0.25),), 6, 2.0
)


def test_a_recording_comes_back_from_its_file(tmp_path):
    RECORDING.save(tmp_path / "x.json")
    back = Recording.load(tmp_path / "x.json")
    assert back == RECORDING
    played = back.played()
    assert [float(p.inputs[0]) for p in played] == [0.5] * 4 + [0.25] * 2
    assert [p.pause for p in played] == [0, 0, 0, 0.5, 0, 0]
    assert [p.cut for p in played] == [0, 0, 0.25, 0, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"steps": -1}, {"steps": 10**9}, {"seconds": 0.0}, {"seconds": float("inf")},
        {"changes": ()}, {"changes": ((1, (0.5,)),)}, {"changes": ((0, (0.5,)), (0, (0.5,)))},
        {"changes": ((0, (0.5,)), (2, (0.5, 0.5)))}, {"changes": ((0, (float("nan"),)),)},
        {"pauses": ((1, -1.0),)}, {"cuts": ((1, float("inf")),)}, {"model": 3}, {"controls": []},
    ],
)  # fmt: skip
def test_a_recording_that_cannot_be_is_refused(change, tmp_path):
    replace(RECORDING, **change).save(tmp_path / "x.json")
    with pytest.raises(FileError, match="can't be played again"):
        Recording.load(tmp_path / "x.json")


@given(st.binary(max_size=200))
def test_no_file_breaks_the_reader(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("r") / "x.json"
    for content in (data, b'{"performance": 1, "model": ' + data, b"[" * 50_000):
        path.write_bytes(content)
        with pytest.raises(FileError):
            Recording.load(path)
