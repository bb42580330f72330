"""The condition of a conditional model: register, density, pitch classes (chapter 3).

The original project gave its Char-RNN 32 numbers a step, measured on 50 events around the one to
predict. So does this codec, with the window centred (as there) or wholly in the past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int

from symphony.codecs.events import NOTE_OFF, SHIFT, STEP, VELOCITY
from symphony.errors import RequestError

PITCH, DENSITY, HISTOGRAM = slice(0, 10), slice(10, 20), slice(20, 32)  # places in a row
CONDITION = 32  # numbers in a row
SHORTEST = 0.05  # seconds: a chord has a duration, too
LEVELS = 10


@dataclass(frozen=True)
class ConditionCodec:
    """Rows of 32 numbers from events: pitch one-hot, density one-hot, pitch-class shares.

    Attributes:
        window: how many events a row is measured on.
        past_only: the events before the one to predict; else as many before as after, which
            leaks something about the target.
        density: "rate" counts note-ons a second; "share" is the original's count of note-ons
            among all events, which hardly depends on how fast the notes come.
        pitch_edges: nine mean MIDI pitches that separate the ten levels of register.
        density_edges: nine densities that separate its ten levels.

    Raises:
        RequestError: a window of fewer than two events, another kind of density, or edges that
            aren't nine rising numbers.
    """

    window: int = 50
    past_only: bool = False
    density: Literal["rate", "share"] = "rate"
    pitch_edges: tuple[float, ...] = (45, 49, 53, 57, 61, 65, 69, 73, 77)
    density_edges: tuple[float, ...] = (2, 3, 4, 6, 8, 12, 16, 24, 32)

    def __post_init__(self) -> None:
        if self.window < 2 or self.density not in ("rate", "share"):
            raise RequestError(f"A condition is measured on at least two events, not {self}.")
        for edges in (self.pitch_edges, self.density_edges):
            if len(edges) != LEVELS - 1 or not np.all(np.diff(edges) >= 0):
                raise RequestError(f"Ten levels have nine rising edges, not {edges}.")

    def rows(
        self, tokens: Int[np.ndarray, "*batch t"], bos: int
    ) -> Float32[np.ndarray, "*batch t 32"]:
        """Row i is the condition under which symbol i is predicted.

        A window ends where its song does. What a window leaves undefined is zero: the register
        and the pitch classes of a window without note-ons, everything of an empty one.

        Args:
            tokens: events; the start symbol stands between songs and belongs to neither.
            bos: the start symbol, as in ``EventCodec.bos``.
        """
        tokens = np.asarray(tokens).astype(np.int64)
        begin, end = self._windows(tokens == bos)
        on = tokens < NOTE_OFF
        notes = self._within(on, begin, end)
        events = self._within(tokens < bos, begin, end)
        height = self._within(np.where(on, tokens, 0), begin, end) / np.maximum(notes, 1)
        shift = np.where((tokens >= SHIFT) & (tokens < VELOCITY), tokens - SHIFT + 1, 0)
        seconds = np.maximum(self._within(shift, begin, end) * STEP, SHORTEST)
        density = notes / (seconds if self.density == "rate" else np.maximum(events, 1))
        out = np.zeros((*tokens.shape, CONDITION), np.float32)
        levels = np.eye(LEVELS, dtype=np.float32)
        out[..., PITCH] = levels[np.searchsorted(self.pitch_edges, height, "right")]
        out[..., DENSITY] = levels[np.searchsorted(self.density_edges, density, "right")]
        for c in range(12):
            count = self._within(on & (tokens % 12 == c), begin, end)
            out[..., HISTOGRAM.start + c] = count / np.maximum(notes, 1)
        out[..., PITCH] *= (notes > 0)[..., None]
        out[..., DENSITY] *= (events > 0)[..., None]
        return out

    def _windows(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where each row's window begins and ends, within its own song."""
        length = starts.shape[-1]
        at = np.broadcast_to(np.arange(length), starts.shape)
        before = np.maximum.accumulate(np.where(starts, at + 1, 0), axis=-1)
        # A start symbol is itself predicted: by the song that it ends.
        before = np.where(
            starts, np.concatenate([before[..., :1] * 0, before[..., :-1]], -1), before
        )
        after = np.where(starts, at, length)[..., ::-1]
        after = np.minimum.accumulate(after, axis=-1)[..., ::-1]
        half = self.window // 2
        reach = (self.window, 0) if self.past_only else (half, self.window - half)
        return np.maximum(at - reach[0], before), np.minimum(at + reach[1], after)

    @staticmethod
    def _within(values: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Sums of values over each window."""
        total = np.cumsum(values, axis=-1)
        total = np.concatenate([np.zeros((*values.shape[:-1], 1), total.dtype), total], axis=-1)
        return np.take_along_axis(total, end, -1) - np.take_along_axis(total, begin, -1)


@dataclass(frozen=True)
class ConditionRows:
    """The condition of each place of a stream, computed when it is read: rows[at] [..., 32].

    All of them at once would take 128 bytes a symbol.
    """

    stream: np.ndarray
    codec: ConditionCodec
    bos: int

    def __getitem__(self, at: Int[np.ndarray, "R T"]) -> Float32[np.ndarray, "R T 32"]:
        reach = self.codec.window
        beyond = at[:, :1] + np.arange(-reach, at.shape[1] + reach)
        inside = np.clip(beyond, 0, len(self.stream) - 1)
        symbols = np.where(inside == beyond, self.stream[inside], self.bos)
        return self.codec.rows(symbols, self.bos)[:, reach : reach + at.shape[1]]


# The report's own setting: five registers of ten semitones, and shares of note-ons in hundredths.
REPORTED = ConditionCodec(
    density="share",
    pitch_edges=(0, 0, 0, 0, 0, 60, 70, 80, 90),
    density_edges=(0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19),
)
