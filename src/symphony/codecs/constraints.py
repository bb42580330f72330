"""Which events may come next in a stream, and when it has lasted long enough (chapter 2)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int64

from symphony.codecs.events import NOTE_OFF, SHIFT, EventCodec


class LogitsProcessor(Protocol):
    """A change of the logits before a symbol is drawn."""

    def __call__(self, logits: Float64[np.ndarray, "B V"]) -> Float64[np.ndarray, "B V"]:
        """The logits of what comes next in each sequence, some of them changed."""

    def accept(self, symbols: Int64[np.ndarray, " B"]) -> bool:
        """Take a symbol of each sequence; true where that is enough."""


class NoteOffConstraint:
    """A logits processor: as streams of events are sampled, only sounding notes may end.

    No song is encoded with a note-off of a key that is up. A network knows which keys are down
    only by remembering each; where it forgets one, it releases the wrong key and leaves the right
    one hanging. So the probability of *some* note-off stays as the network gave it, but goes to
    the keys that are down, each in proportion.

    Args:
        codec: whose events these are.
        batch: how many streams.
        seconds: how long they have to last.

    Attributes:
        down: which keys are down in each stream, [batch, 128].
        elapsed: seconds that each stream has lasted, [batch].
    """

    def __init__(self, codec: EventCodec, batch: int, seconds: float) -> None:
        self.down = np.zeros((batch, NOTE_OFF), bool)
        self.elapsed = np.zeros(batch)
        self.seconds = seconds
        self._symbol_seconds = codec.symbol_seconds()

    def __call__(self, logits: Float64[np.ndarray, "b v+1"]) -> Float64[np.ndarray, "b v+1"]:
        """The logits with those of impossible note-offs at minus infinity, as a new array."""
        out = logits.copy()
        offs = out[:, NOTE_OFF:SHIFT]
        before = np.logaddexp.reduce(offs, axis=1)
        offs[~self.down] = -np.inf
        after = np.logaddexp.reduce(offs, axis=1)
        some = np.isfinite(after)  # else no key is down, or none that could be released
        offs[some] += (before[some] - after[some])[:, None]
        return out

    def accept(self, symbols: Int64[np.ndarray, " b"]) -> bool:
        """Take the next event of each stream; true once all have lasted long enough."""
        rows = np.flatnonzero(symbols < SHIFT)
        self.down[rows, symbols[rows] % NOTE_OFF] = symbols[rows] < NOTE_OFF
        self.elapsed += self._symbol_seconds[symbols]
        return bool((self.elapsed >= self.seconds).all())
