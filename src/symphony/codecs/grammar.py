"""What may follow in a stream of events, and when it has lasted long enough (chapter 2)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from symphony.codecs.events import NOTE_OFF, SHIFT, EventCodec


class Grammar:
    """Follows streams of events as they are drawn, one row each, and keeps releases legal.

    No song is encoded with a note-off of a key that is up. A network knows which keys are down
    only by remembering each; where it forgets one, it releases the wrong key and leaves the right
    one ringing. So the chance of *some* release stays as the network gave it, but goes to the keys
    that are down, each in proportion.

    Args:
        codec: whose events these are.
        batch: how many streams.
        seconds: how long they have to last.
    """

    def __init__(self, codec: EventCodec, batch: int, seconds: float) -> None:
        self.down = np.zeros((batch, NOTE_OFF), bool)
        self.elapsed = np.zeros(batch)
        self.seconds = seconds
        self._clock = codec.symbol_seconds()

    def constrain(self, logits: Float64[np.ndarray, "b v+1"]) -> Float64[np.ndarray, "b v+1"]:
        """The logits with those of impossible releases at minus infinity, as a new array."""
        out = logits.copy()
        offs = out[:, NOTE_OFF:SHIFT]
        wanted = np.logaddexp.reduce(offs, axis=1)
        offs[~self.down] = -np.inf
        left = np.logaddexp.reduce(offs, axis=1)
        some = np.isfinite(left)  # else no key is down, or none that could be released
        offs[some] += (wanted[some] - left[some])[:, None]
        return out

    def add(self, events: Int64[np.ndarray, " b"]) -> bool:
        """Take one event of each stream; true once all have lasted long enough."""
        rows = np.flatnonzero(events < SHIFT)
        self.down[rows, events[rows] % NOTE_OFF] = events[rows] < NOTE_OFF
        self.elapsed += self._clock[events]
        return bool((self.elapsed >= self.seconds).all())
