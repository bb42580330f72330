"""Where a hand's values come from: replayed traces, a pad, and what makes any source safe.

A source is pulled and never waits: it answers at once with the latest it knows. Threads, sockets
and ports stay inside it, and the time is passed in, so that all of it also runs in virtual time.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from jaxtyping import Float64

from symphony.errors import FileError, RequestError
from symphony.files import sentence, written

STALE, EASE = 0.5, 2.0  # seconds without news until a hand is let go, and until it is neutral
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds until a lost device is looked for again
MOST_CHANNELS, MOST_ROWS = 64, 1_000_000
BREAKS = (OSError, RuntimeError, ValueError, EOFError)  # what device libraries raise when lost


@dataclass(frozen=True)
class Reading:
    """What a source knows at a moment."""

    values: Float64[np.ndarray, " n"]  # each from 0 to 1, where the source is well
    time: float  # seconds, by the clock passed in: when they were sensed
    age: float = 0.0  # seconds since then
    ok: bool = True  # whether they are to be believed


class Source(Protocol):
    """What all sources answer."""

    @property
    def channels(self) -> int:
        """Values in a reading."""

    def open(self) -> None:
        """Begin, or begin again after a loss; raises OSError where the device isn't there."""

    def close(self) -> None:
        """End."""

    def read(self, now: float) -> Reading:
        """The latest, at once; NaN where nothing has come yet."""


@dataclass(frozen=True)
class Replay:
    """A trace that was recorded, or made up: row i holds from ``times[i]`` on.

    Raises:
        RequestError: times that don't rise from 0 s or later, or values that don't match them.
    """

    times: Float64[np.ndarray, " t"]
    values: Float64[np.ndarray, "t n"]

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float64)
        values = np.asarray(self.values, np.float64)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)
        fits = times.ndim == 1 and values.ndim == 2 and len(times) == len(values) > 0
        if not fits or not 1 <= values.shape[1] <= MOST_CHANNELS:
            raise RequestError(
                "A trace has a row of 1 to 64 values for each of its times, and at least one: not "
                f"{times.shape} times and {values.shape} values."
            )
        if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) < 0).any():
            raise RequestError("A trace's times are seconds from 0 that never go back.")

    @property
    def channels(self) -> int:
        """Values in a row."""
        return int(self.values.shape[1])

    @property
    def seconds(self) -> float:
        """When the last row comes."""
        return float(self.times[-1])

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def read(self, now: float) -> Reading:
        """The last row whose time has come."""
        at = int(np.searchsorted(self.times, now, side="right")) - 1
        if at < 0:
            return Reading(np.full(self.channels, np.nan), now, 0.0, ok=False)
        return Reading(self.values[at], float(self.times[at]), now - float(self.times[at]))

    def save(self, path: str | Path) -> None:
        """Write it as JSON.

        Raises:
            FileError: nothing can be written there.
        """
        rows = {"times": self.times.round(4).tolist(), "values": self.values.round(4).tolist()}
        with written(path) as partial:
            partial.write_text(json.dumps({"trace": 1, **rows}), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Replay:
        """Read what :meth:`save` wrote.

        Raises:
            FileError: no such file, or no trace in it.
        """
        with sentence(f"{path} can't be read"):
            text = Path(path).read_text("utf-8", errors="replace")
        try:
            found = json.loads(text)
            return cls(np.asarray(found["times"], float), np.asarray(found["values"], float))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, RequestError) else "it is no trace as JSON."
            raise FileError(f"{path} can't be replayed: {why}") from None


class Pad:
    """A pad that something else moves: a widget's callback, a test, another thread.

    Jupyter's messages may arrive on another thread while a cell runs: a callback stores the latest
    values under a lock, and does nothing more.
    """

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self._lock, self._latest = threading.Lock(), (np.full(channels, 0.5), 0.0)
        self._moved = False

    def move(self, *values: float) -> None:
        """The hand is here now."""
        if len(values) != self.channels:
            raise RequestError(f"This pad has {self.channels} axes, not {len(values)}.")
        with self._lock:
            self._latest, self._moved = (np.array(values, float), self._latest[1]), True

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def read(self, now: float) -> Reading:
        """Where the hand is; a hand that rests on a pad is as good as one that moves."""
        with self._lock:
            values, since = self._latest
            if self._moved:
                since, self._moved = now, False
                self._latest = values, since
        return Reading(values, since)


class Steady:
    """Any source, made safe: its values are always finite and from 0 to 1.

    Not finite: the last value holds. Out of range: clipped. No news for half a second: the values
    ease to neutral over two, and the device is opened again, after ever longer waits. Each such
    event is counted in ``faults``.

    Args:
        source: what may fail.
        neutral: where a hand goes that nobody holds.
    """

    def __init__(self, source: Source, neutral: float = 0.5) -> None:
        self.source, self.channels = source, source.channels
        self.faults: Counter[str] = Counter()
        self._neutral = np.full(source.channels, float(neutral))
        self._held, self._heard = self._neutral, 0.0  # the last good values, and when they came
        self._open, self._stale = False, False
        self._wait, self._again = FIRST_WAIT, -np.inf

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the source; a device that isn't there is an error now, and none later."""
        self.source.open()
        self._open = True

    def close(self) -> None:
        """Close it, whatever it says."""
        if self._open:
            self._open = False
            try:
                self.source.close()
            except BREAKS:
                self.faults["close failed"] += 1

    def read(self, now: float) -> Reading:
        """The latest that can be believed."""
        reading = self._ask(now)
        if reading is not None:
            values = np.asarray(reading.values, np.float64)
            if values.shape != (self.channels,):
                self.faults["wrong channels"] += 1
            elif not reading.ok or not np.isfinite(values).all():
                self.faults["not finite"] += bool(reading.ok)
            else:
                clipped = np.clip(values, 0.0, 1.0)
                self.faults["out of range"] += int((clipped != values).sum())
                self._held, self._heard = clipped, now - reading.age
        age = max(now - self._heard, 0.0)
        if age <= STALE:
            self._stale, self._wait = False, FIRST_WAIT
            return Reading(self._held, self._heard, age)
        if not self._stale:
            self._stale, self._again = True, now
            self.faults["stale"] += 1
        self._reopen(now)
        eased = min((age - STALE) / EASE, 1.0)
        values = self._held + eased * (self._neutral - self._held)
        return Reading(values, now, age, ok=False)

    def _ask(self, now: float) -> Reading | None:
        if not self._open:
            return None
        try:
            return self.source.read(now)
        except BREAKS:
            self.faults["lost"] += 1
            self.close()
            return None

    def _reopen(self, now: float) -> None:
        if now < self._again:
            return
        self._again, self._wait = now + self._wait, min(2 * self._wait, LONGEST_WAIT)
        self.close()
        try:
            self.open()
            self.faults["opened again"] += 1
        except BREAKS:
            self.faults["not there"] += 1


@dataclass(frozen=True)
class Injected:
    """A source with faults at given times, to see what survives: (from, to, kind) in seconds.

    Kinds: "disconnect" raises, "nan" reads NaN, "stall" repeats what it read last, "range" reads
    twice the value, "channels" drops one.
    """

    source: Source
    faults: Sequence[tuple[float, float, str]]

    @property
    def channels(self) -> int:
        """As the source's."""
        return self.source.channels

    def open(self) -> None:
        """As the source."""
        self.source.open()

    def close(self) -> None:
        """As the source."""
        self.source.close()

    def read(self, now: float) -> Reading:
        """What the source reads, or what the fault of this moment makes of it."""
        for begin, end, kind in self.faults:
            if not begin <= now < end:
                continue
            if kind == "disconnect":
                raise OSError("the device was unplugged")
            reading = self.source.read(begin if kind == "stall" else now)
            changed = {
                "nan": reading.values * np.nan,
                "range": reading.values * 2,
                "channels": reading.values[:-1],
                "stall": reading.values,
            }[kind]
            return replace(reading, values=changed, age=now - reading.time)
        return self.source.read(now)
