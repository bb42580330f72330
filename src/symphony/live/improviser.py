"""Who plays: composes a little ahead of the sound, and changes course when a hand moves.

Sound can't wait for a network, so moments are composed ``look_ahead`` seconds before they are due.
But what is composed ahead doesn't know what the hand does now. **Branch and swap** has both: when
the hand moves, a second line of music grows from the state that the first will have reached in a
moment, under the new inputs, while the first plays on; once the second leads, it takes over.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from symphony.errors import RequestError
from symphony.live.clocks import Clock
from symphony.live.mappings import Kept, Mapping
from symphony.live.sinks import Sink
from symphony.live.sources import Steady
from symphony.training.system import Led, Moment

LONGEST_NOTE = 8.0  # seconds: a key that nobody releases
LATE = 0.010  # seconds that nobody hears
CUT = 0.03  # seconds of waiting that are worth a cut
POLL = 0.005  # seconds between two readings of the hand
SLOW = 10.0  # seconds: three underruns within them are no accident
MOST_AHEAD = 4.0  # seconds of look-ahead that a slow model may come to need
Answer = Literal["branch", "roll back", "wait"]


@dataclass(frozen=True)
class Step:
    """One moment of a line, and what it was drawn from."""

    number: int  # how many-th of the performance
    due: float  # seconds, by the clock
    moment: Moment
    before: Any  # the state it was drawn from
    inputs: np.ndarray
    control: int  # how many-th change of the hand these inputs are
    pause: float = 0.0  # seconds by which it came too late: all after it is moved as far
    cut: float = 0.0  # seconds to which it was cut, being a wait; 0 where it wasn't


@dataclass
class Line:
    """Moments after one another, and the state after the last."""

    number: int
    end: float  # when the next moment is due
    state: Any
    steps: deque[Step] = field(default_factory=deque)

    def grow(self, led: Led, inputs: np.ndarray, control: int) -> Step:
        """Draw the next moment."""
        moment, after = led.step(self.state, inputs)
        return self.append(Step(self.number, self.end, moment, self.state, inputs, control), after)

    def append(self, step: Step, after: Any) -> Step:
        """A step at the end, and the state after it."""
        self.steps.append(step)
        self.number, self.end = step.number + 1, step.due + step.moment.seconds
        self.state = after
        return step


@dataclass
class Branch:
    """A line that may take over from another, and where it leaves it."""

    line: Line
    inputs: np.ndarray  # that it grows under
    control: int
    leaves: float  # when it goes another way than the old line
    wait: Step | None = None  # the wait of the old line in which it does, cut short

    @property
    def first(self) -> int:
        """Number of the first step that is no longer the old line's."""
        return self.line.number if not self.line.steps else self.line.steps[0].number


@dataclass(frozen=True)
class Control:
    """What became of one change of the hand, in seconds; None for what never happened."""

    sensed: float
    used: float | None = None  # the line composed under it took over
    sounded: float | None = None  # its first note was struck


@dataclass(frozen=True)
class Played:
    """One moment as it was played: all that is needed to play it again."""

    number: int
    inputs: np.ndarray
    pause: float = 0.0
    cut: float = 0.0


@dataclass
class Report:
    """How a performance went."""

    seconds: float = 0.0
    notes: int = 0
    lateness: list[float] = field(default_factory=list)  # seconds, of each note struck
    composed: int = 0  # steps
    discarded: int = 0  # of them, never played
    underruns: int = 0
    dropped_branches: int = 0  # that the sound overtook
    controls: list[Control] = field(default_factory=list)
    look_ahead: float = 0.0  # at the end
    notices: list[str] = field(default_factory=list)  # what a player should know
    faults: dict[str, int] = field(default_factory=dict)  # of the source
    played: list[Played] = field(default_factory=list)

    @property
    def late_share(self) -> float:
        """The share of notes struck more than 10 ms after they were due."""
        return float(np.mean(np.asarray(self.lateness) > LATE)) if self.lateness else 0.0

    def control_to_sound(self) -> np.ndarray:
        """Seconds from each change of the hand to the first note under it, where one came."""
        pairs = [c.sounded - c.sensed for c in self.controls if c.sounded is not None]
        return np.array(pairs)


def _played(step: Step) -> Played:
    return Played(step.number, step.inputs, step.pause, step.cut)


class Improviser:
    """Plays a led system by a source, through a mapping, into a sink.

    Args:
        led: from ``trained.lead(seed=…)``.
        sink: where the notes go.
        clock: what time it is.
        look_ahead: seconds of music to have ready.
        lead: seconds from now until a new branch may begin to sound: the time it has to grow.
        answer: how a change of the hand is answered: by a branch that takes over when it leads; by
            rolling back, which throws the queue away at once; or by waiting until all that is
            ready has been played.

    Raises:
        RequestError: a look-ahead that doesn't exceed the lead.
    """

    def __init__(
        self,
        led: Led,
        sink: Sink,
        clock: Clock,
        *,
        look_ahead: float = 0.5,
        lead: float = 0.06,
        answer: Answer = "branch",
    ) -> None:
        if not 0 < lead < look_ahead <= MOST_AHEAD:
            raise RequestError(
                f"Look ahead for more than {lead} s and at most {MOST_AHEAD:.0f} s, "
                f"not {look_ahead} s."
            )
        self._led, self._sink, self._clock = led, sink, clock
        self._lead, self._answer = lead, answer
        self._line = Line(0, 0.0, led.begin())
        self._branch: Branch | None = None
        self._last: Step | None = None  # that was played
        self._lock = threading.Lock()  # of the line's steps: another thread plays them
        self._down: dict[int, float] = {}  # keys that sound, and since when
        self._underruns: deque[float] = deque(maxlen=3)  # when the last ones were
        self._silent_from = np.inf  # the end of the performance
        self._values, self._inputs, self._control = np.zeros(0), np.zeros(0), -1
        self.report = Report(look_ahead=look_ahead)

    def play(self, source: Steady, mapping: Mapping, seconds: float) -> Report:
        """Play for so long; whatever happens, every key is up at the end.

        Raises:
            RequestError: no positive length, or a mapping that doesn't fit the system.
        """
        if not 0 < seconds < np.inf:
            raise RequestError(f"A performance lasts more than 0 s, not {seconds} s.")
        self._silent_from = seconds
        try:
            with source, self._clock.beside(self._emit):
                self._improvise(source, mapping, seconds)
        finally:
            self.report.seconds = min(self._clock.now(), seconds)
            self.report.faults = {kind: n for kind, n in source.faults.items() if n}
            self._end(self.report.seconds)
        return self.report

    def _improvise(self, source: Steady, mapping: Mapping, seconds: float) -> None:
        kept, read_at = Kept(), -np.inf
        while (now := self._clock.now()) < seconds:
            if now - read_at >= POLL:
                reading, read_at = source.read(now), now
                values, kept = mapping(reading.values, now, kept)
                self._follow(values, reading.time)
            if not self._work(now):
                self._clock.sleep(POLL / 2)

    def _follow(self, values: np.ndarray, sensed: float) -> None:
        """Take a new place of the hand, where it is new."""
        if values.shape != (len(self._led.axes),):
            raise RequestError(f"The mapping gives {values.shape} values for {self._led.axes}.")
        if self._control >= 0 and np.array_equal(values, self._values):
            return
        self._values, inputs = values, self._led.inputs(values)
        if self._control < 0 or not np.array_equal(inputs, self._inputs):
            self._inputs, self._control = inputs, self._control + 1
            self.report.controls.append(Control(sensed))

    def _work(self, now: float) -> bool:
        """Compose one moment where one is wanted; false where all is ready."""
        if self._branch is None and self._newest() != self._control:
            self._branch_off(now)
        if self._branch is not None:
            self._branch.line.grow(self._led, self._branch.inputs, self._branch.control)
            self.report.composed += 1
            self._try_swap(self._clock.now())
            return True
        if self._line.end < now + self.report.look_ahead:
            self._extend()
            return True
        return False

    def _newest(self) -> int:
        """The control under which the newest step was drawn; the present one before the first."""
        with self._lock:
            newest = self._line.steps[-1] if self._line.steps else self._last
            return self._control if newest is None else newest.control

    def _branch_off(self, now: float) -> None:
        """Begin a branch at the first moment that is far enough ahead, or within a long wait."""
        if self._answer == "wait":
            return
        earliest = now + self._lead
        with self._lock:
            steps = list(self._line.steps)
            at = next((i for i, step in enumerate(steps) if step.due >= earliest), len(steps))
            before = steps[at - 1] if at else self._last
            step = steps[at] if at < len(steps) else None
            leaves = self._line.end if step is None else step.due
        branch = None
        if before is not None and not before.moment.notes and leaves - earliest > CUT:
            branch = self._cut(before, earliest)
        if branch is None and step is not None:
            line = Line(step.number, step.due, step.before)
            branch = Branch(line, self._inputs, self._control, step.due)
        self._branch = branch
        if branch is not None and self._answer == "roll back":
            with self._lock:
                self._swap(branch, now)

    def _cut(self, wait: Step, earliest: float) -> Branch | None:
        """A branch that leaves within a wait; the old line still waits to its end."""
        cut = self._led.cut(wait.before, wait.inputs, earliest - wait.due)
        if cut is None:
            return None
        moment, after = cut
        self.report.composed += 1
        leaves = wait.due + moment.seconds
        shorter = replace(wait, moment=moment, cut=moment.seconds)
        line = Line(wait.number + 1, leaves, after)
        return Branch(line, self._inputs, self._control, leaves, shorter)

    def _extend(self) -> None:
        """One more moment at the line's end; one that comes too late moves the clock, all after it.

        Notes that are late are never hurried after one another.
        """
        state, inputs = self._line.state, self._inputs
        moment, after = self._led.step(state, inputs)
        self.report.composed += 1
        now = self._clock.now()
        with self._lock:
            line, pause = self._line, 0.0
            if line.end < now - LATE:
                pause = now - line.end
                self.report.underruns += 1
                self._lengthen(now)
            due = line.end + pause
            step = Step(line.number, due, moment, state, inputs, self._control, pause)
            line.append(step, after)

    def _lengthen(self, now: float) -> None:
        """Underruns after one another: the model is too slow for this look-ahead. Say so."""
        self._underruns.append(now)
        ahead = self.report.look_ahead
        often = len(self._underruns) == 3 and now - self._underruns[0] < SLOW
        if often and ahead < MOST_AHEAD:
            self._underruns.clear()
            self.report.look_ahead = min(1.5 * ahead, MOST_AHEAD)
            self.report.notices.append(
                f"The model can't keep up: {self.report.look_ahead:.2f} s of music are kept ready "
                "from now on."
            )

    def _try_swap(self, now: float) -> None:
        """Let the branch take over where it leads, or where it can't wait any longer."""
        branch = self._branch
        if branch is None:
            return
        with self._lock:
            overtaken = self._last is not None and self._last.number >= branch.first
            if overtaken or branch.leaves < now:  # the sound was quicker: begin again
                self._branch = None
                self.report.discarded += len(branch.line.steps) + (branch.wait is not None)
                self.report.dropped_branches += 1
                return
            leads = branch.line.end >= now + self.report.look_ahead
            last_chance = branch.leaves - now < self._lead / 4
            if leads or (last_chance and branch.line.end >= now + self._lead):
                self._swap(branch, now)

    def _swap(self, branch: Branch, now: float) -> None:
        """The branch is the line from where it leaves the old one. The lock is held."""
        old, new, wait = self._line.steps, branch.line, branch.wait
        before = [step for step in old if step.number < branch.first]
        self.report.discarded += len(old) - len(before)
        if wait is not None:  # in the queue still, or the last that was played
            self.report.discarded += 1
            if before:
                before[-1] = wait
            else:
                self.report.played[wait.number] = _played(wait)
        self._line = Line(new.number, new.end, new.state, deque([*before, *new.steps]))
        self._branch = None
        known = self.report.controls[branch.control]
        self.report.controls[branch.control] = replace(known, used=now)

    def _emit(self, now: float) -> float | None:
        """Play what is due; when the next is."""
        with self._lock:
            steps = self._line.steps
            while True:
                due = steps[0].due if steps else np.inf
                pitch = min(self._down, key=self._down.__getitem__, default=None)
                too_long = np.inf if pitch is None else self._down[pitch] + LONGEST_NOTE
                when = min(due, too_long)
                if when > now or when >= self._silent_from:
                    return None if when >= self._silent_from else when
                if pitch is not None and too_long < due:
                    self._send(too_long, pitch, 0)
                else:
                    self._play(steps.popleft(), now)

    def _play(self, step: Step, now: float) -> None:
        report, self._last = self.report, step
        report.played.append(_played(step))
        for pitch, velocity in step.moment.notes:
            if velocity:
                report.notes += 1
                report.lateness.append(now - step.due + step.pause)
                known = report.controls[step.control]
                if known.sounded is None:
                    used = now if known.used is None else known.used
                    report.controls[step.control] = replace(known, used=used, sounded=now)
            if velocity or pitch in self._down:
                self._send(step.due, pitch, velocity)

    def _send(self, time: float, pitch: int, velocity: int) -> None:
        if velocity:
            self._down[pitch] = time
        else:
            self._down.pop(pitch, None)
        self._sink.send(time, pitch, velocity)

    def _end(self, now: float) -> None:
        """Every key up, then the sink closed, whatever fails on the way."""
        self._silent_from = now
        with suppress(Exception):
            self._emit(now)
        self.report.discarded += len(self._line.steps)
        for pitch in sorted(self._down):
            with suppress(Exception):
                self._sink.send(now, pitch, 0)
        self._down.clear()
        self._sink.close()

    def repeat(self, played: Sequence[Played], seconds: float) -> Report:
        """Play again what another improviser played of the same system and seed, note for note."""
        self._silent_from, self._control = seconds, 0
        self.report.controls.append(Control(0.0))
        try:
            for old in played:
                line = self._line
                found = self._led.cut(line.state, old.inputs, old.cut) if old.cut else None
                moment, after = found or self._led.step(line.state, old.inputs)
                step = Step(
                    *(old.number, line.end + old.pause, moment, line.state, old.inputs, 0),
                    *(old.pause, old.cut),
                )
                line.append(step, after)
                self._emit(step.due)
        finally:
            self.report.seconds = seconds
            self._end(seconds)
        return self.report
