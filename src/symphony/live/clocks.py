"""What a performance runs on: the wall's clock, or a virtual one in which everything repeats."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from symphony.training.system import Led, Moment

POLL = 0.002  # seconds between two looks of the playing thread

Emit = Callable[[float], float | None]  # plays what is due; says when the next is


class Clock(Protocol):
    """Time in seconds from the start, and something that is done beside it."""

    def now(self) -> float:
        """Seconds since the start."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def beside(self, emit: Emit) -> Any:
        """A context in which ``emit`` plays whatever is due, while its body computes."""


class WallClock:
    """Real time; a thread plays."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def now(self) -> float:
        """Seconds since this clock was made."""
        return time.monotonic() - self._begun

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(seconds, 0.0))

    @contextmanager
    def beside(self, emit: Emit) -> Iterator[None]:
        """A thread that plays; what it raises is raised here once the body has ended."""
        ended, raised = threading.Event(), list[BaseException]()

        def play() -> None:
            try:
                while not ended.is_set():
                    due = emit(self.now())
                    wait = POLL if due is None else due - self.now()
                    ended.wait(min(max(wait, 0.0), POLL))
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=play, name="symphony live", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        if raised:
            raise raised[0]


class VirtualClock:
    """Time that passes only when somebody sleeps; what is due meanwhile is played to the moment."""

    def __init__(self) -> None:
        self._now, self._emit = 0.0, list[Emit]()

    def now(self) -> float:
        """Seconds slept."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Pass time, playing each thing when it is due."""
        until = self._now + max(seconds, 0.0)
        for emit in self._emit:
            while (due := emit(self._now)) is not None and due <= until:
                self._now = max(self._now, due)
        self._now = until

    @contextmanager
    def beside(self, emit: Emit) -> Iterator[None]:
        """``emit`` is called as time passes."""
        self._emit.append(emit)
        try:
            yield
        finally:
            self._emit.remove(emit)


class Slowed:
    """A led system whose steps take as long, in a clock's time, as ``cost`` draws in seconds."""

    def __init__(
        self, led: Led, clock: Clock, cost: Callable[[np.random.Generator], float], seed: int = 0
    ) -> None:
        self.axes, self.levels, self.inputs, self.begin = (
            led.axes,
            led.levels,
            led.inputs,
            led.begin,
        )
        self._led, self._clock, self._cost = led, clock, cost
        self._rng = np.random.default_rng([seed, 7])

    def step(self, state: Any, inputs: np.ndarray) -> tuple[Moment, Any]:
        """The system's step, and the time it took."""
        found = self._led.step(state, inputs)
        self._clock.sleep(self._cost(self._rng))
        return found

    def cut(self, state: Any, inputs: np.ndarray, seconds: float) -> tuple[Moment, Any] | None:
        """The system's, which takes a step's time."""
        found = self._led.cut(state, inputs, seconds)
        if found is not None:
            self._clock.sleep(self._cost(self._rng))
        return found


def with_stalls(
    usual: float = 0.0011, share: float = 0.002, shortest: float = 0.1, longest: float = 0.4
) -> Callable[[np.random.Generator], float]:
    """Costs of a step on a busy machine: now and then the processor is elsewhere."""

    def cost(rng: np.random.Generator) -> float:
        return float(rng.uniform(shortest, longest) if rng.random() < share else usual)

    return cost
